package dev.pairvm.mirror.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.channel.epoll.EpollIoHandler;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Records of changes as stock backup tools read them: {@code nbdinfo --map}, {@code qemu-img} with {@code x-dirty-bitmap}, libnbd. */
@Timeout(180)
class ChangedBlocksTest {
    private static final long SIZE = 64 << 20;
    private static final int GRANULE = 64 << 10;

    @TempDir
    Path directory;

    private StandaloneNbd standalone;
    private StockTools tools;

    @BeforeEach
    void serve() throws Exception {
        StockTools.needs("nbdinfo");
        StockTools.needs("nbdsh");
        StockTools.needs("qemu-img");
        StockTools.needs("qemu-io");
        tools = new StockTools(directory);
        Files.createDirectory(directory.resolve("disk"));
        start();
    }

    private void start() throws Exception {
        standalone = new StandaloneNbd(directory.resolve("disk"), SIZE, directory.resolve("s"));
    }

    @AfterEach
    void stop() {
        standalone.close();
    }

    private String uri(String export) {
        return "nbd+unix:///" + export + "?socket=" + directory.resolve("s");
    }

    private void begin(String name) throws Exception {
        assertThat(map("pairvm:begin:" + name)).as("unknown before: all of it").containsExactly("0+" + SIZE);
    }

    /** Dirty extents of a context, as nbdinfo prints them; the backup's export, as a backup would use it. */
    private List<String> map(String context) throws Exception {
        List<String> dirty = new ArrayList<>();
        for (String line : tools.run("nbdinfo", "--map=" + context, uri("root-readonly"))
                .lines()
                .toList()) {
            String[] field = line.strip().split("\\s+");
            if (!field[2].equals("0")) {
                dirty.add(field[0] + "+" + field[1]);
            }
        }
        return dirty;
    }

    private void guest(String... commands) throws Exception {
        List<String> words = new ArrayList<>(List.of("qemu-io", "-f", "raw", "-d", "unmap"));
        for (String command : commands) {
            words.addAll(List.of("-c", command));
        }
        words.add(uri("root"));
        assertThat(tools.run(words.toArray(String[]::new)))
                .doesNotContain("failed")
                .doesNotContain("error");
    }

    @Test
    void writesZeroesAndTrimsSinceTheBeginningAreDirty() throws Exception {
        guest("write -P 1 40M 1M");
        begin("monday");
        assertThat(map("qemu:dirty-bitmap:monday")).isEmpty();
        guest("write -P 1 0 512", "write -P 2 1M 64k", "write -z 2M 128k", "discard 3145216 1024", "read 50M 1M");
        assertThat(map("qemu:dirty-bitmap:monday"))
                .containsExactly(
                        "0+" + GRANULE,
                        (1 << 20) + "+" + GRANULE,
                        (2 << 20) + "+" + 2 * GRANULE,
                        (3 << 20) - GRANULE + "+" + 2 * GRANULE);
        begin("monday");
        assertThat(map("qemu:dirty-bitmap:monday"))
                .as("beginning again does not forget")
                .hasSize(4);
        begin("tuesday");
        guest("write -P 3 5M 512");
        assertThat(map("qemu:dirty-bitmap:tuesday")).containsExactly((5 << 20) + "+" + GRANULE);
        assertThat(map("qemu:dirty-bitmap:monday")).hasSize(5);
    }

    @Test
    void qemuImgReadsTheRecordAsADirtyBitmap() throws Exception {
        begin("b1");
        guest("write -P 9 8M 192k");
        String source = "driver=nbd,server.type=unix,server.path=" + directory.resolve("s")
                + ",export=root-readonly,x-dirty-bitmap=qemu:dirty-bitmap:b1";
        String map = tools.run("qemu-img", "map", "--output=json", "--image-opts", source);
        // QEMU shows what the record calls dirty as "no data" (nbd.c: the flag is where a hole's would be).
        assertThat(map.replaceAll("\\s", ""))
                .contains(
                        "\"start\":8388608,\"length\":196608,\"depth\":0,\"present\":false,\"zero\":false,\"data\":false");
        StockTools.Result unknown = tools.attempt(
                "qemu-img", "map", "--output=json", "--image-opts", source.replace("bitmap:b1", "bitmap:nosuch"));
        assertThat(unknown.status()).isNotZero();
        assertThat(unknown.said()).contains("nosuch");
    }

    @Test
    void whatIsNotKnownIsNotOffered() throws Exception {
        assertThat(tools.attempt("nbdinfo", "--map=qemu:dirty-bitmap:never", uri("root"))
                        .status())
                .isNotZero();
        assertThat(tools.run("nbdinfo", "--list", uri("root")))
                .as("looking begins nothing")
                .doesNotContain("dirty-bitmap");
        begin("b1");
        assertThat(tools.run("nbdinfo", "--list", uri("root"))).contains("qemu:dirty-bitmap:b1");
        standalone.close();
        start();
        StockTools.Result after = tools.attempt("nbdinfo", "--map=qemu:dirty-bitmap:b1", uri("root"));
        assertThat(after.status())
                .as("a restart forgets, and says so: %s", after.said())
                .isNotZero();
    }

    /** Backups taken while the guest writes: the last one, over the full one and the others, is the disk. */
    @Test
    void incrementalBackupsOfADiskInUseAddUpToIt() throws Exception {
        String script = BACKUPS.formatted(uri("root"), uri("root-readonly"));
        assertThat(tools.run("nbdsh", "-c", script)).contains("backups add up");
    }

    private static final String BACKUPS = """
            import nbd, random, threading
            guest_uri, backup_uri = "%s", "%s"

            stop = threading.Event()
            def guest(seed):
                h = nbd.NBD()
                h.connect_uri(guest_uri)
                r = random.Random(seed)
                size = h.get_size()
                while not stop.is_set():
                    n = r.choice([512, 4096, 65536, 300000 // 512 * 512])
                    at = r.randrange((size - n) // 512) * 512
                    what = r.randrange(8)
                    if what == 0: h.zero(n, at)
                    elif what == 1: h.trim(n, at)
                    else: h.pwrite(bytes([r.randrange(256)]) * n, at)
                h.flush()
                h.shutdown()

            def backup(image, last, next):
                h = nbd.NBD()
                h.set_export_name("root-readonly")
                if last: h.add_meta_context("qemu:dirty-bitmap:" + last)
                h.add_meta_context("pairvm:begin:" + next)
                h.connect_uri(backup_uri)
                assert h.can_meta_context("pairvm:begin:" + next)
                context = "qemu:dirty-bitmap:" + last if last else "pairvm:begin:" + next
                assert h.can_meta_context(context)
                at, copied = 0, 0
                while at < len(image):
                    seen = []
                    def extents(name, offset, entries, error):
                        if name == context: seen.extend(entries)
                    h.block_status(len(image) - at, at, extents)
                    for length, flags in zip(seen[0::2], seen[1::2]):
                        for piece in range(at, at + length, 1 << 20):
                            n = min(1 << 20, at + length - piece)
                            if flags & 1:
                                image[piece:piece + n] = h.pread(n, piece)
                                copied += n
                        at += length
                h.shutdown()
                return copied

            probe = nbd.NBD(); probe.connect_uri(guest_uri); size = probe.get_size()
            image = bytearray(size)
            guests = [threading.Thread(target=guest, args=(s,)) for s in (1, 2)]
            assert backup(image, None, "g0") == size
            for g in guests: g.start()
            for i in range(8):
                backup(image, "g%%d" %% i, "g%%d" %% (i + 1))
            stop.set()
            for g in guests: g.join()
            copied = backup(image, "g8", "g9")
            final = bytearray()
            for at in range(0, size, 1 << 20): final += probe.pread(1 << 20, at)
            assert image == final, [at for at in range(0, size, 65536) if image[at:at+65536] != final[at:at+65536]]
            assert backup(image, "g9", "g10") == 0
            print("backups add up", copied)
            """;

    /** Begun before the record and landed after it: a backup that has read the old bytes by then must hear of it. */
    @Test
    void aWriteThatWasUnderWayWhenTheRecordBeganIsDirty() throws Exception {
        try (ServerFixture fixture = new ServerFixture(EpollIoHandler.newFactory(), NbdLimits.DEFAULT);
                TestClient guest = TestClient.opened(fixture.address(), "root", true);
                TestClient backup = TestClient.greeted(fixture.address())) {
            fixture.backend.hold();
            guest.send(1, 0, 10L * GRANULE, 4096, new byte[4096]);
            guest.send(4, 0, 20L * GRANULE, 4096);
            await().until(() -> fixture.backend.held() == 2);
            backup.option(8, new byte[0]);
            backup.optionReply();
            backup.structured = true;
            backup.option(10, TestClient.metaQuery("root", "pairvm:begin:b"));
            assertThat(backup.optionReplies()).hasSize(2);
            backup.option(10, TestClient.metaQuery("root", "qemu:dirty-bitmap:b", "base:allocation"));
            assertThat(backup.optionReplies()).hasSize(3);
            backup.go("root");
            fixture.onLoop(fixture.backend::release);
            guest.reply(0);
            guest.reply(0);
            backup.send(7, 0, 0, 30L * GRANULE);
            TestClient.Reply allocation = backup.reply(0);
            assertThat(allocation.flags()).as("another context follows").isZero();
            assertThat(ByteBuffer.wrap(allocation.data()).getInt()).isEqualTo(1);
            TestClient.Reply changes = backup.reply(0);
            assertThat(changes.flags()).as("the last").isEqualTo(1);
            ByteBuffer said = ByteBuffer.wrap(changes.data());
            assertThat(said.getInt()).isEqualTo(2);
            int[] expected = {10 * GRANULE, 0, GRANULE, 1, 9 * GRANULE, 0, GRANULE, 1, 9 * GRANULE, 0};
            int[] extents = new int[expected.length];
            said.asIntBuffer().get(extents);
            assertThat(extents).isEqualTo(expected);
            assertThat(said.remaining()).isEqualTo(4 * expected.length);
        }
    }

    /** A guest's client that leaves is told to the disk; a backup's is not, for what the guest waits for goes on. */
    @Test
    void aBackupThatLeavesIsNotTakenForTheGuest() {
        FakeBackend disk = new FakeBackend(1 << 20);
        new BackupView(disk, () -> false).clientGone(0);
        assertThat(disk.calls).isEmpty();
    }

    /** The record itself: never clean where something changed, and as long as it must be, not longer. */
    @Test
    void theRecordIsThatOfAModel() {
        for (long seed = 1; seed <= 300; seed++) {
            Random random = new Random(seed);
            long size = 512L * (1 + random.nextInt(40_000));
            ChangeBitmaps changes = new ChangeBitmaps(size);
            changes.begin("n");
            boolean[] dirty = new boolean[(int) (size / GRANULE) + 1];
            for (int i = random.nextInt(12); i > 0; i--) {
                long length = 512L * (1 + random.nextInt(Math.toIntExact(Math.min(size / 512, 500))));
                long at = 512L * random.nextInt(Math.toIntExact((size - length) / 512 + 1));
                changes.changed(at, length);
                for (long g = at / GRANULE; g <= (at + length - 1) / GRANULE; g++) {
                    dirty[(int) g] = true;
                }
            }
            ChangeBitmaps.Bitmap bitmap = changes.find("n").orElseThrow();
            for (long at = 512L * random.nextInt((int) (size / 512)); at < size; ) {
                long until = bitmap.sameUntil(at, size);
                assertThat(until).as("seed %d", seed).isGreaterThan(at).isLessThanOrEqualTo(size);
                for (long g = at / GRANULE; g <= (until - 1) / GRANULE; g++) {
                    assertThat(bitmap.isDirty(at)).as("seed %d at %d", seed, at).isEqualTo(dirty[(int) g]);
                }
                at = until;
            }
        }
    }

    @Test
    void aDisplacedRecordIsAllDirty() {
        ChangeBitmaps changes = new ChangeBitmaps(SIZE);
        changes.begin("n0");
        ChangeBitmaps.Bitmap oldest = changes.find("n0").orElseThrow();
        assertThat(oldest.isDirty(0)).isFalse();
        for (int i = 1; i <= ChangeBitmaps.MOST; i++) {
            changes.begin("n" + i);
        }
        assertThat(changes.names()).doesNotContain("n0").hasSize(ChangeBitmaps.MOST);
        assertThat(oldest.isDirty(SIZE - 1)).isTrue();
        assertThat(oldest.sameUntil(0, SIZE)).isEqualTo(SIZE);
        ChangeBitmaps huge = new ChangeBitmaps(Long.MAX_VALUE >> 8);
        huge.begin("n");
        huge.changed((Long.MAX_VALUE >> 8) - 1, 1);
        assertThat(huge.find("n").orElseThrow().isDirty((Long.MAX_VALUE >> 8) - 1))
                .isTrue();
    }
}
