package dev.pairvm.mirror.engine;

import static dev.pairvm.mirror.engine.MirrorPair.A;
import static dev.pairvm.mirror.engine.MirrorPair.B;
import static dev.pairvm.mirror.engine.MirrorPair.LIMIT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.arbiter.InMemoryArbiter;
import dev.pairvm.mirror.core.CoreConfig;
import dev.pairvm.mirror.core.Problem;
import dev.pairvm.mirror.core.Role;
import dev.pairvm.mirror.store.CopyStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Both sides end at once under load, on real files, and come back in either order, alone, or at the wrong place. What a power loss takes from
 * a cache is {@code CrashImageTest}'s part.
 */
class BothLostTest {
    private static final int BLOCK = 4096;
    private static final CoreConfig.Waits WAITS =
            new CoreConfig.Waits(100, 1_000, 2_000, 3_000, 2_000, 1_000, 300_000, 200);

    @TempDir
    Path dir;

    private final InMemoryArbiter.Store arbiter = new InMemoryArbiter.Store(MirrorPair.provisioned());
    private @Nullable MirrorPair pair;
    /** Blocks of the load that were answered before a flush that was. */
    private long flushed;

    @BeforeEach
    void bothLosePowerUnderLoad() throws Exception {
        MirrorPair first = start("a", "b", "uid-1");
        first.onLoop(first.link::connect);
        first.awaitWhole();
        AtomicLong done = new AtomicLong();
        AtomicBoolean off = new AtomicBoolean();
        Thread load = Thread.ofPlatform().start(() -> {
            try {
                for (long i = 0; !off.get(); i++) {
                    first.write(first.a, i * BLOCK, MirrorPair.pattern(i, BLOCK));
                    if (i % 8 == 7) {
                        first.flush(first.a);
                        done.set(i + 1);
                    }
                }
            } catch (Exception e) {
                // The power is off.
            }
        });
        await("load").atMost(LIMIT).until(() -> done.get() >= 64);
        flushed = done.get();
        first.onLoop(() -> {
            first.arbiterOfA.setMood(InMemoryArbiter.Mood.UNREACHABLE);
            first.arbiterOfB.setMood(InMemoryArbiter.Mood.UNREACHABLE);
        });
        off.set(true);
        load.join(LIMIT.toMillis());
        stop();
    }

    @AfterEach
    void stop() throws Exception {
        MirrorPair running = pair;
        pair = null;
        if (running != null) {
            running.close();
        }
    }

    private MirrorPair start(String volumeOfA, String volumeOfB, String machineUid) throws Exception {
        MirrorPair started = new MirrorPair(
                MirrorPair.folder(dir.resolve(volumeOfA)),
                MirrorPair.folder(dir.resolve(volumeOfB)),
                new MirrorPair.Terms(machineUid, false, MirrorConfig.Timing.DEFAULT, WAITS),
                arbiter,
                (copy, disk, workers, loop) -> CopyStore.open(List.of(disk), workers, loop));
        pair = started;
        return started;
    }

    private void assertEverythingFlushedIsThere(MirrorPair pair, MirrorPair.Side side) throws Exception {
        for (long i = 0; i < flushed; i++) {
            assertThat(pair.read(side, i * BLOCK, BLOCK)).as("block " + i).isEqualTo(MirrorPair.pattern(i, BLOCK));
        }
    }

    @Test
    void bothComeBackAndTheRecordedActiveServesOnce() throws Exception {
        MirrorPair back = start("a", "b", "uid-1");
        back.onLoop(back.link::connect);
        back.awaitRole(back.a, Role.ACTIVE);
        back.awaitRole(back.b, Role.STANDBY);
        assertEverythingFlushedIsThere(back, back.a);
        assertThat(back.record().inSync()).containsExactly(A, B);
        assertThat(Files.readAllBytes(dir.resolve("b/disk.img")))
                .as("what they differed in was compared before it served")
                .isEqualTo(Files.readAllBytes(dir.resolve("a/disk.img")));
    }

    @Test
    void theActiveAloneGoesOnAndTheOtherIsFilledWhenItComesLater() throws Exception {
        MirrorPair back = start("a", "b", "uid-1");
        back.onLoop(() -> back.arbiterOfB.setMood(InMemoryArbiter.Mood.UNREACHABLE));
        back.awaitRole(back.a, Role.ACTIVE);
        assertThat(back.record().inSync()).containsExactly(A);
        assertEverythingFlushedIsThere(back, back.a);
        back.write(back.a, 20 << 20, MirrorPair.pattern(99, BLOCK));

        back.onLoop(() -> {
            back.arbiterOfB.setMood(InMemoryArbiter.Mood.NORMAL);
            back.link.connect();
        });
        back.awaitWhole();
        assertThat(Files.readAllBytes(dir.resolve("b/disk.img")))
                .isEqualTo(Files.readAllBytes(dir.resolve("a/disk.img")));
    }

    @Test
    void theStandbyAloneIsPromotedAndTheOldActiveFollowsIt() throws Exception {
        MirrorPair back = start("a", "b", "uid-1");
        back.onLoop(() -> back.arbiterOfA.setMood(InMemoryArbiter.Mood.UNREACHABLE));
        back.awaitRole(back.b, Role.ACTIVE);
        assertThat(back.record().inSync()).containsExactly(B);
        assertEverythingFlushedIsThere(back, back.b);

        back.onLoop(() -> {
            back.arbiterOfA.setMood(InMemoryArbiter.Mood.NORMAL);
            back.link.connect();
        });
        back.awaitWhole();
        assertThat(back.record().active()).isEqualTo(B);
        back.awaitRole(back.a, Role.STANDBY);
    }

    @Test
    void aCopyThatTheRecordDoesNotListNeverStartsAlone() throws Exception {
        MirrorPair alone = start("a", "b", "uid-1");
        alone.onLoop(() -> alone.arbiterOfB.setMood(InMemoryArbiter.Mood.UNREACHABLE));
        alone.awaitRole(alone.a, Role.ACTIVE);
        stop();

        MirrorPair stale = start("a", "b", "uid-1");
        stale.onLoop(() -> stale.arbiterOfA.setMood(InMemoryArbiter.Mood.UNREACHABLE));
        Thread.sleep(2L * WAITS.standbyReturnsMillis());
        assertThat(stale.view(stale.b).role()).isEqualTo(Role.IDLE);
        assertThat(stale.record().active()).isEqualTo(A);
    }

    @Test
    void swappedVolumesAreRefusedByBothAndLeftAsTheyAre() throws Exception {
        refused(
                start("b", "a", "uid-1"),
                "The volume holds copy b of machine uid-1, but this is copy a of machine uid-1;");
    }

    @Test
    void aVolumeOfAnotherMachineIsRefusedAndLeftAsItIs() throws Exception {
        refused(
                start("a", "b", "uid-2"),
                "The volume holds copy a of machine uid-1, but this is copy a of machine uid-2;");
    }

    private void refused(MirrorPair wrong, String sentence) throws Exception {
        byte[] before = Files.readAllBytes(dir.resolve("a/disk.img"));
        byte[] metadata = Files.readAllBytes(dir.resolve("a/disk.meta"));
        wrong.onLoop(wrong.link::connect);
        Thread.sleep(2L * WAITS.standbyReturnsMillis());
        for (MirrorPair.Side side : List.of(wrong.a, wrong.b)) {
            assertThat(wrong.view(side).role()).isEqualTo(Role.IDLE);
            assertThat(wrong.view(side).problems())
                    .extracting(Problem::kind)
                    .containsExactly(Problem.Kind.FOREIGN_DISK);
        }
        assertThat(wrong.view(wrong.a).problems().getFirst().message()).startsWith(sentence);
        assertThat(wrong.record().inSync()).as("nothing was decided").containsExactly(A, B);
        assertThat(Files.readAllBytes(dir.resolve("a/disk.img"))).isEqualTo(before);
        assertThat(Files.readAllBytes(dir.resolve("a/disk.meta"))).isEqualTo(metadata);
    }
}
