package dev.pairvm.mirror.engine;

import static dev.pairvm.mirror.engine.MirrorPair.A;
import static dev.pairvm.mirror.engine.MirrorPair.B;
import static dev.pairvm.mirror.engine.MirrorPair.LIMIT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Problem;
import dev.pairvm.mirror.core.Role;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two whole mirrors, one on a disk that really fails: the kernel's own errors, through the real store. The guest's requests are answered
 * without an error, and everything that was ever answered is read back. Skipped where this process may not mount.
 */
@Timeout(120)
class FailingDiskTest {
    /** Whole pages: the kernel must read a page before it can write a part of it, which a repair of a bad place can not. */
    private static final int PIECE = 48 * 4096;

    private static final long APART = 75 * 4096;

    @TempDir
    Path dir;

    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    @BeforeEach
    void mayMount() throws Exception {
        assumeTrue(FaultyDevice.run("id", "-u").equals("0"), "mounting needs root");
    }

    /** Mounts go also when a test failed: last made, first undone. */
    @AfterEach
    void undo() throws Exception {
        Exception failure = null;
        while (!open.isEmpty()) {
            try {
                open.pop().close();
            } catch (Exception e) {
                failure = e;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    private FaultyDevice device() throws Exception {
        Path at = Files.createDirectories(dir.resolve("device"));
        try {
            FaultyDevice device = new FaultyDevice(at, 64 << 20);
            open.push(device);
            return device;
        } catch (IOException e) {
            assumeTrue(false, () -> "no failing device to be had: " + e.getMessage());
            throw e;
        }
    }

    private MirrorPair pair(MirrorConfig.Disk diskOfA, MirrorConfig.Disk diskOfB) throws Exception {
        MirrorPair pair = new MirrorPair(diskOfA, diskOfB);
        open.push(pair);
        return pair;
    }

    private MirrorPair activeOn(FaultyDevice device) throws Exception {
        return pair(
                MirrorPair.disk(device.device(), MirrorConfig.Disk.Kind.BLOCK), MirrorPair.folder(dir.resolve("b")));
    }

    private Path mount(String... options) throws Exception {
        Path at = Files.createDirectories(dir.resolve("mounted"));
        String[] command = java.util.Arrays.copyOf(options, options.length + 2);
        System.arraycopy(options, 0, command, 1, options.length);
        command[0] = "mount";
        command[command.length - 1] = at.toString();
        String said = FaultyDevice.run(command);
        assumeTrue(said.isEmpty(), () -> "can not mount: " + said);
        open.push(() -> FaultyDevice.run("umount", "-l", at.toString()));
        return at;
    }

    private static byte[] piece(int number) {
        return MirrorPair.pattern(number, PIECE);
    }

    private static void write(MirrorPair pair, int number) throws Exception {
        pair.write(pair.a, number * APART, piece(number));
    }

    private static void assertReadsBack(MirrorPair pair, int number) throws Exception {
        assertThat(pair.read(pair.a, number * APART, PIECE))
                .as("piece %d", number)
                .isEqualTo(piece(number));
    }

    private static void awaitServedByPeer(MirrorPair pair) {
        await("the record without the active's copy")
                .atMost(LIMIT)
                .until(() -> pair.record().inSync().size() == 1
                        && pair.record().inSync().contains(B));
        assertThat(pair.record().active()).as("the guest stays where it runs").isEqualTo(A);
    }

    private static Map<String, String> facts(MirrorPair pair) throws Exception {
        return pair.view(pair.a).problems().stream()
                .filter(problem -> problem.kind() == Problem.Kind.DISK_FAILED)
                .findFirst()
                .map(Problem::facts)
                .orElse(Map.of());
    }

    private static void assertGoesOn(MirrorPair pair, int written) throws Exception {
        for (int i = written; i < written + 5; i++) {
            write(pair, i);
        }
        pair.flush(pair.a);
        for (int i = 0; i < written + 5; i++) {
            assertReadsBack(pair, i);
        }
        assertThat(pair.view(pair.a).role()).isEqualTo(Role.ACTIVE);
        assertThat(pair.view(pair.a).copyState()).isEqualTo(CopyState.FAILED);
    }

    @Test
    void aFlushThatFailsOnceIsNotRetriedAndThePeerServes() throws Exception {
        FaultyDevice device = device();
        MirrorPair pair = activeOn(device);
        for (int i = 0; i < 10; i++) {
            write(pair, i);
        }
        device.writesFail(true);
        pair.flush(pair.a);
        awaitServedByPeer(pair);
        assertThat(facts(pair))
                .containsEntry("operation", "FLUSH")
                .containsEntry("errno", "5")
                .containsEntry("disk", "0");

        // The device works again, and its kernel has forgotten the error: it is not believed.
        device.writesFail(false);
        assertGoesOn(pair, 10);
        assertThat(pair.record().inSync()).containsExactly(B);
    }

    @Test
    void aPlaceThatCanNotBeReadIsReadFromThePeerAndRepaired() throws Exception {
        FaultyDevice device = device();
        MirrorPair pair = activeOn(device);
        write(pair, 0);
        pair.flush(pair.a);
        device.readsFail(true);
        assertReadsBack(pair, 0);
        assertThat(device.hasFailed("pread")).isTrue();
        device.readsFail(false);
        await("the repair").atMost(LIMIT).until(() -> pair.view(pair.a).heldRequests() == 0);
        assertReadsBack(pair, 0);
        assertThat(pair.record().inSync()).as("no copy is lost for it").containsExactly(A, B);
        assertThat(facts(pair)).isEmpty();
    }

    @Test
    void aPlaceThatFailsAgainPutsTheCopyOut() throws Exception {
        FaultyDevice device = device();
        MirrorPair pair = activeOn(device);
        write(pair, 0);
        pair.flush(pair.a);
        device.readsFail(true);
        assertReadsBack(pair, 0);
        await("the repair").atMost(LIMIT).until(() -> pair.view(pair.a).heldRequests() == 0);
        pair.flush(pair.a);
        device.readsFail(false);
        device.readsFail(true);
        assertReadsBack(pair, 0);
        awaitServedByPeer(pair);
        device.readsFail(false);
        assertGoesOn(pair, 1);
    }

    @Test
    void aStandbyWhoseDiskFailsIsDropped() throws Exception {
        FaultyDevice device = device();
        MirrorPair pair = pair(
                MirrorPair.folder(dir.resolve("a")), MirrorPair.disk(device.device(), MirrorConfig.Disk.Kind.BLOCK));
        write(pair, 0);
        device.writesFail(true);
        pair.flush(pair.a);
        await("alone").atMost(LIMIT).until(() -> pair.record().inSync().size() == 1);
        assertThat(pair.record().inSync()).containsExactly(A);
        write(pair, 1);
        assertReadsBack(pair, 0);
        assertReadsBack(pair, 1);
        assertThat(pair.view(pair.b).copyState()).isEqualTo(CopyState.FAILED);
    }

    @Test
    void aFileSystemThatIsFullTakesPartOfAWriteAndThePeerServes() throws Exception {
        Path small = mount("-t", "tmpfs", "-o", "size=12m", "tmpfs");
        MirrorPair pair = pair(MirrorPair.folder(small.resolve("a")), MirrorPair.folder(dir.resolve("b")));
        int written = 0;
        while (pair.record().inSync().contains(A)) {
            assertThat(written).as("pieces on 12 MiB").isLessThan(70);
            write(pair, written++);
        }
        awaitServedByPeer(pair);
        assertThat(facts(pair)).containsEntry("operation", "WRITE").containsEntry("errno", "28");
        assertGoesOn(pair, written);
    }

    @Test
    void aFileSystemThatTurnsReadOnlyIsOutAndThePeerServes() throws Exception {
        Path image = dir.resolve("ext4");
        try (var file = new java.io.RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(64 << 20);
        }
        String made = FaultyDevice.run("mkfs.ext4", "-q", "-F", image.toString());
        assumeTrue(made.isEmpty(), () -> "no ext4 to be had: " + made);
        Path at = mount("-o", "loop", image.toString());
        MirrorPair pair = pair(MirrorPair.folder(at.resolve("a")), MirrorPair.folder(dir.resolve("b")));
        for (int i = 0; i < 5; i++) {
            write(pair, i);
        }
        // What ext4 does by itself when its journal can not be written.
        assertThat(FaultyDevice.run("mount", "-o", "remount,abort", at.toString()))
                .isEmpty();
        write(pair, 5);
        pair.flush(pair.a);
        awaitServedByPeer(pair);
        assertThat(facts(pair).get("errno")).isIn("5", "30");
        assertGoesOn(pair, 6);
    }

    @Test
    void aDeviceThatStallsForLongIsOutAfterFiveSeconds() throws Exception {
        FaultyDevice device = device();
        MirrorPair pair = activeOn(device);
        write(pair, 0);
        device.stall();
        long began = System.nanoTime();
        pair.flush(pair.a);
        assertThat(System.nanoTime() - began)
                .as("nanoseconds that the guest waited")
                .isBetween(4_000_000_000L, 9_500_000_000L);
        awaitServedByPeer(pair);
        assertThat(facts(pair)).containsEntry("errno", "110");
        assertGoesOn(pair, 1);
        while (System.nanoTime() - began < 10_000_000_000L) {
            Thread.sleep(50);
        }
        device.resume();
        assertReadsBack(pair, 0);
        assertThat(pair.record().inSync())
                .as("it answers again, and is not believed")
                .containsExactly(B);
    }

    @Test
    void aReadThatTheDeviceDoesNotAnswerIsAnsweredByThePeer() throws Exception {
        FaultyDevice device = device();
        MirrorPair pair = activeOn(device);
        write(pair, 0);
        write(pair, 1);
        pair.flush(pair.a);
        device.dropCaches();
        device.stall();
        long began = System.nanoTime();
        assertReadsBack(pair, 1);
        assertThat(System.nanoTime() - began)
                .as("nanoseconds that the guest waited")
                .isBetween(400_000_000L, 3_500_000_000L);
        device.resume();

        // The device answers at last: into a buffer that is nobody's any more.
        write(pair, 2);
        pair.flush(pair.a);
        assertReadsBack(pair, 2);
        assertReadsBack(pair, 1);
        assertThat(pair.record().inSync()).containsExactly(A, B);
    }

    @Test
    void aDeviceThatStallsDelaysTheGuestAndCostsNoCopy() throws Exception {
        FaultyDevice device = device();
        MirrorPair pair = activeOn(device);
        write(pair, 0);
        device.stall();
        Thread resumes = Thread.ofVirtual().start(() -> {
            try {
                Thread.sleep(3_000);
                device.resume();
            } catch (InterruptedException | IOException e) {
                throw new IllegalStateException(e);
            }
        });
        pair.flush(pair.a);
        resumes.join();
        assertReadsBack(pair, 0);
        assertThat(pair.record().inSync()).containsExactly(A, B);
    }
}
