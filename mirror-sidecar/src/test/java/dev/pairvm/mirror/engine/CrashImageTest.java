package dev.pairvm.mirror.engine;

import static dev.pairvm.mirror.engine.MirrorPair.A;
import static dev.pairvm.mirror.engine.MirrorPair.B;
import static dev.pairvm.mirror.engine.MirrorPair.LIMIT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.arbiter.InMemoryArbiter;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Role;
import dev.pairvm.mirror.nbd.NbdExport;
import dev.pairvm.mirror.nbd.NbdExports;
import dev.pairvm.mirror.nbd.NbdLimits;
import dev.pairvm.mirror.nbd.NbdServer;
import dev.pairvm.mirror.nbd.StockTools;
import dev.pairvm.mirror.store.WriteLog;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A real file system on the export of a pair, with a database on it. The active is cut off under load, the standby takes over and
 * carries the load on, the old active is filled again. Of both disks every write and flush is taken down. From that the images are
 * rebuilt that a power loss could have left at any moment: each must be recovered by the kernel, found sound by the file system's own
 * checker, and hold every commit and every fsync that had returned. Needs root.
 *
 * <p>{@code -Dcrash.seed=1 -Dcrash.commits=40 -Dcrash.images=8 -Dcrash.loads=EXT4_SQLITE,...}: images per copy and part of the story, half
 * at flushes and half in between. With more than twice as many as there were flushes, each flush has its own. The seed settles load, cuts
 * and choices; how requests meet is the machine's.
 */
@Timeout(3600)
class CrashImageTest {
    private static final long SEED = Long.getLong("crash.seed", 1);
    private static final int COMMITS = Integer.getInteger("crash.commits", 40);
    private static final int IMAGES = Integer.getInteger("crash.images", 8);
    private static final String LOADS =
            System.getProperty("crash.loads", "EXT4_SQLITE,XFS_SQLITE,BTRFS_SQLITE,XFS_POSTGRES");

    /** Both mirrors share a thread and the machine's processors with the load: no false alarms wanted. */
    private static final MirrorConfig.Timing PATIENT = new MirrorConfig.Timing(50, 1500, 1900);

    /** Images are small and thrown away at once: in memory, where there is enough of it, a check is several times as fast. */
    private static final Path MEMORY = Path.of("/dev/shm");

    private static final double[] KEPT = {0.1, 0.5, 0.9, 1};

    /** What stands on the disk. */
    enum Load {
        EXT4_SQLITE(96 << 20),
        XFS_SQLITE(96 << 20),
        BTRFS_SQLITE(128 << 20),
        EXT4_POSTGRES(128 << 20),
        XFS_POSTGRES(128 << 20);

        private final int diskBytes;

        Load(int diskBytes) {
            this.diskBytes = diskBytes;
        }

        String fileSystem() {
            return name().split("_", -1)[0].toLowerCase(Locale.ROOT);
        }

        String database() {
            return name().split("_", -1)[1].toLowerCase(Locale.ROOT);
        }
    }

    /** A program was told that its commit, or its file, is safe. */
    private record Returned(String what, int number, long at) {}

    @TempDir
    Path dir;

    private final Deque<AutoCloseable> open = new ArrayDeque<>();
    private final AtomicLong clock = new AtomicLong();
    private final List<Returned> returned = new CopyOnWriteArrayList<>();
    private @SuppressWarnings("NullAway.Init") Path scripts;

    @BeforeEach
    void judges() throws Exception {
        assumeTrue(FaultyDevice.run("id", "-u").equals("0"), "mounting needs root");
        List.of(
                        "nbdfuse",
                        "unshare",
                        "mkfs.ext4",
                        "e2fsck",
                        "mkfs.xfs",
                        "xfs_repair",
                        "mkfs.btrfs",
                        "btrfs",
                        "python3",
                        "psql")
                .forEach(StockTools::needs);
        assertThat(Path.of("/usr/lib/postgresql"))
                .as("PostgreSQL's server; make deps brings it")
                .isDirectory();
        scripts = NamespacedScript.unpack(dir.resolve("scripts"));
    }

    /** Last opened, first closed; nothing may stay mounted, also when the test failed. */
    @AfterEach
    void undo() throws Exception {
        List<Exception> failures = new ArrayList<>();
        while (!open.isEmpty()) {
            try {
                open.pop().close();
            } catch (Exception e) {
                failures.add(e);
            }
        }
        assertThat(failures).isEmpty();
        await("no loop device is left")
                .atMost(LIMIT)
                .until(() -> NamespacedScript.loopsOn(dir).isEmpty());
    }

    private <T extends AutoCloseable> T opened(T closeable) {
        open.push(closeable);
        return closeable;
    }

    /** What happened to the pair, and when. */
    private record Story(
            WriteLog client, WriteLog a, WriteLog b, long ready, long cut, long takenOver, long wholeAgain, long end) {}

    static Stream<Load> loads() {
        return Stream.of(LOADS.split(",", -1)).map(Load::valueOf);
    }

    @ParameterizedTest
    @MethodSource("loads")
    void whatWasPromisedIsOnWhateverACrashLeavesOfEitherCopy(Load load) throws Exception {
        Story story = liveThroughAFailover(load);

        Promises promises = new Promises(story.client(), load.diskBytes);
        long compared = promises.check("a", story.a(), 0, story.cut())
                + promises.check("a, filled again", story.a(), story.wholeAgain(), story.end())
                + promises.check("b", story.b(), story.ready(), story.end());

        NamespacedScript judge = opened(judge());
        int active = judge(load, judge, "a", story.a(), story.ready(), story.cut());
        int standby = judge(load, judge, "b", story.b(), story.ready(), story.takenOver());
        int promoted = judge(load, judge, "b", story.b(), story.takenOver(), story.end());
        int again = judge(load, judge, "a", story.a(), story.wholeAgain(), story.end());
        int refused = refusedOfDisksThatForgetFlushes(load, judge, story);

        System.out.printf(
                "crash: %s seed %d: %d commits, %d files, %d writes and %d flushes of the client; %d sectors compared; images: %d active,"
                        + " %d standby, %d promoted, %d filled again; of %d without flushes %d refused%n",
                load,
                SEED,
                last("commit", Long.MAX_VALUE),
                last("file", Long.MAX_VALUE),
                story.client().ops().stream().filter(op -> !op.isFlush()).count(),
                story.client().ops().stream().filter(WriteLog.Op::isFlush).count(),
                compared,
                active,
                standby,
                promoted,
                again,
                FORGETFUL,
                refused);
        assertThat(refused)
                .as("the judges notice a disk that forgets flushes, or this shows nothing")
                .isPositive();
    }

    private Story liveThroughAFailover(Load load) throws Exception {
        Random random = new Random(SEED * 31 + load.ordinal());
        WriteLog client = opened(new WriteLog(clock, dir.resolve("client.log")));
        WriteLog logOfA = opened(new WriteLog(clock, dir.resolve("a.log")));
        WriteLog logOfB = opened(new WriteLog(clock, dir.resolve("b.log")));
        MirrorPair pair = opened(new MirrorPair(
                disk("a", load),
                disk("b", load),
                PATIENT,
                (copy, disk, workers, loop) -> (copy.equals(A) ? logOfA : logOfB).open(disk, workers, loop)));

        // The user's machine commits, its host is cut off in the middle of it.
        NbdServer serverOfA = serve(pair, pair.a, load, client, "a.sock");
        NamespacedScript onA = live(load, "a", "make");
        onA.await("ready");
        long ready = clock.incrementAndGet();
        Epoch epoch = pair.record().epoch();
        awaitCommit(onA, commits(load) / 2 + random.nextInt(commits(load) / 2 + 1));
        assertThat(pair.record().epoch())
                .as("the epoch: both are in sync all along")
                .isEqualTo(epoch);
        long cut = clock.incrementAndGet();
        pair.onLoop(() -> {
            pair.arbiterOfA.setMood(InMemoryArbiter.Mood.UNREACHABLE);
            pair.link.cut(Event.LinkDown.Cause.LOST);
        });
        await("b serves").atMost(LIMIT).until(() -> pair.view(pair.b).role() == Role.ACTIVE);
        onA.kill();
        serverOfA.close();
        pair.onLoop(client::giveUp);
        int promised = last("commit", clock.get());
        long takenOver = clock.incrementAndGet();

        // It boots on the other host, and commits alone for a while.
        serve(pair, pair.b, load, client, "b.sock");
        NamespacedScript onB = live(load, "b", "keep");
        int found = number(onB.await("ready"));
        assertThat(found).as("commits that the promoted standby holds").isGreaterThanOrEqualTo(promised);
        awaitCommit(onB, found + 1 + random.nextInt(commits(load) / 4 + 1));

        // The old active is back and filled again under load.
        pair.onLoop(() -> {
            pair.arbiterOfA.setMood(InMemoryArbiter.Mood.NORMAL);
            pair.link.connect();
        });
        await("whole again").atMost(LIMIT).until(() -> pair.record().inSync().size() == 2);
        long wholeAgain = clock.incrementAndGet();
        assertThat(pair.record().active()).isEqualTo(B);
        awaitCommit(onB, last("commit", clock.get()) + commits(load) / 2);
        Files.createFile(dir.resolve("live-b").resolve("stop"));
        onB.await("over");
        long end = clock.incrementAndGet();
        assertThat(image(A)).as("the copies' images").hasSameBinaryContentAs(image(B));
        return new Story(client, logOfA, logOfB, ready, cut, takenOver, wholeAgain, end);
    }

    private Path image(CopyId copy) {
        return dir.resolve(copy.value()).resolve("disk.img");
    }

    private MirrorConfig.Disk disk(String copy, Load load) throws Exception {
        return new MirrorConfig.Disk(
                "root",
                Files.createDirectories(dir.resolve(copy)).toString(),
                MirrorConfig.Disk.Kind.FILE,
                load.diskBytes,
                Optional.empty(),
                Optional.empty());
    }

    private NbdServer serve(MirrorPair pair, MirrorPair.Side side, Load load, WriteLog client, String socket)
            throws Exception {
        return opened(NbdServer.onUnixSocket(
                dir.resolve(socket),
                pair.loop(),
                new NbdExports(
                        List.of(NbdExport.writable("root", load.diskBytes, new RecordedExport(side.disk(), client)))),
                NbdLimits.DEFAULT));
    }

    private NamespacedScript live(Load load, String copy, String how) throws Exception {
        return opened(new NamespacedScript(
                scripts.resolve("crash-live.sh"),
                dir.resolve("live-" + copy + ".err"),
                this::heard,
                Files.createDirectory(dir.resolve("live-" + copy)).toString(),
                dir.resolve(copy + ".sock").toString(),
                load.fileSystem(),
                load.database(),
                Long.toString(SEED + load.ordinal()),
                how));
    }

    /** Heard later than it was promised: a moment after this one is one at which it must be there. */
    private void heard(String line) {
        if (line.startsWith("commit ") || line.startsWith("file ")) {
            returned.add(new Returned(line.split(" ", -1)[0], number(line), clock.incrementAndGet()));
        }
    }

    private static int number(String line) {
        return Integer.parseInt(line.split(" ", -1)[1]);
    }

    private static void awaitCommit(NamespacedScript live, int number) throws Exception {
        while (number(live.await("commit ")) < number) {
            // the next one
        }
    }

    private int last(String what, long at) {
        return returned.stream()
                .filter(promise -> promise.what().equals(what) && promise.at() <= at)
                .mapToInt(Returned::number)
                .max()
                .orElse(0);
    }

    private NamespacedScript judge() throws Exception {
        return new NamespacedScript(scripts.resolve("crash-check.sh"), dir.resolve("check.err"), line -> {});
    }

    /** A server takes its time: half as many. */
    private static int images(Load load) {
        return load.database().equals("postgres") ? (IMAGES + 1) / 2 : IMAGES;
    }

    private static int commits(Load load) {
        return load.database().equals("postgres") ? (COMMITS + 1) / 2 : COMMITS;
    }

    /** Images of one copy at moments between two; returns how many. */
    private int judge(Load load, NamespacedScript judge, String copy, WriteLog log, long from, long to)
            throws Exception {
        Random random = new Random(SEED * 1009 + load.ordinal() * 17L + copy.hashCode());
        List<Long> flushes = log.ops().stream()
                .filter(op -> op.isFlush() && op.ended() > from && op.ended() <= to)
                .map(WriteLog.Op::ended)
                .toList();
        List<Long> begun = log.ops().stream()
                .filter(op -> !op.isFlush() && op.begun() > from && op.begun() <= to)
                .map(WriteLog.Op::begun)
                .toList();
        int atFlushes = Math.min(images(load) / 2, flushes.size());
        List<Long> moments = new ArrayList<>();
        for (int i = 0; i < atFlushes; i++) {
            moments.add(flushes.get((int) ((i + random.nextDouble()) * flushes.size() / atFlushes)));
        }
        for (int i = 0; i < images(load) - images(load) / 2 && !begun.isEmpty(); i++) {
            moments.add(begun.get(random.nextInt(begun.size())));
        }
        moments.add(to);
        Path folder = scratch(load);
        try (CrashImages images = new CrashImages(log, folder.resolve("durable"), load.diskBytes)) {
            for (long moment : moments.stream().sorted().toList()) {
                images.advance(moment);
                double kept = flushes.contains(moment) ? 0 : KEPT[random.nextInt(KEPT.length)];
                Path image = folder.resolve("image");
                images.rebuild(image, random, kept);
                String verdict = verdict(load, judge, image, moment);
                if (!verdict.startsWith("good")) {
                    Path evidence = Path.of("target", "crash-" + load + "-" + copy + "-" + moment + ".img");
                    images.rebuild(evidence, random, kept);
                    throw new AssertionError(
                            "%s: copy %s lost power at %d, %d writes not flushed, of which %s were kept; seed %d: %s; such an image: %s"
                                    .formatted(load, copy, moment, images.pending(), kept, SEED, verdict, evidence));
                }
            }
        }
        return moments.size();
    }

    private Path scratch(Load load) throws Exception {
        boolean roomy = Files.isDirectory(MEMORY) && MEMORY.toFile().getUsableSpace() > 4L * load.diskBytes;
        Path folder = Files.createTempDirectory(roomy ? MEMORY : dir, "crash-images");
        open.push(() -> delete(folder));
        return folder;
    }

    private String verdict(Load load, NamespacedScript judge, Path image, long moment) throws Exception {
        judge.tell("%s %s %s %d %d %d"
                .formatted(
                        image,
                        load.fileSystem(),
                        load.database(),
                        SEED + load.ordinal(),
                        last("commit", moment),
                        last("file", moment)));
        return judge.next();
    }

    private static final int FORGETFUL = 4;

    /** The same images of disks that lost some of what was flushed since the start. */
    private int refusedOfDisksThatForgetFlushes(Load load, NamespacedScript judge, Story story) throws Exception {
        Random random = new Random(SEED);
        Path folder = scratch(load);
        int refused = 0;
        try (CrashImages images = new CrashImages(story.b(), folder.resolve("durable"), load.diskBytes)) {
            images.advance(story.ready());
            images.advanceWithoutFlushing(story.end());
            for (int i = 0; i < FORGETFUL; i++) {
                Path image = folder.resolve("image");
                images.rebuild(image, random, 0.5);
                refused += verdict(load, judge, image, story.end()).startsWith("good") ? 0 : 1;
            }
        }
        return refused;
    }

    private static void delete(Path folder) throws Exception {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }
}
