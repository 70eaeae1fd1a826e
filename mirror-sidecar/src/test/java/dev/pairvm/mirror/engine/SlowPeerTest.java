package dev.pairvm.mirror.engine;

import static dev.pairvm.mirror.engine.MirrorPair.LIMIT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.arbiter.InMemoryArbiter;
import dev.pairvm.mirror.core.CoreConfig;
import dev.pairvm.mirror.core.Problem;
import dev.pairvm.mirror.core.Role;
import dev.pairvm.mirror.store.CopyStore;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A peer whose beacons are heard while its acknowledgements stay away, on real files: both wishes of {@code recovery.slowPeer}. */
class SlowPeerTest {
    /** As in production, but for the back-off, which begins at a second. */
    private static final CoreConfig.Waits WAITS =
            new CoreConfig.Waits(100, 5_000, 10_000, 15_000, 2_000, 1_000, 300_000, 200);

    @TempDir
    Path dir;

    private @Nullable MirrorPair pair;

    @AfterEach
    void stop() throws Exception {
        if (pair != null) {
            pair.close();
        }
    }

    private MirrorPair start(boolean suspend) throws Exception {
        MirrorPair started = new MirrorPair(
                MirrorPair.folder(dir.resolve("a")),
                MirrorPair.folder(dir.resolve("b")),
                new MirrorPair.Terms("uid-1", suspend, MirrorConfig.Timing.DEFAULT, WAITS),
                new InMemoryArbiter.Store(MirrorPair.provisioned()),
                (copy, disk, workers, loop) -> CopyStore.open(List.of(disk), workers, loop));
        pair = started;
        started.onLoop(started.link::connect);
        started.awaitWhole();
        started.write(started.a, 0, MirrorPair.pattern(1, 100_000));
        return started;
    }

    private static CompletableFuture<Void> writing(MirrorPair pair, long offset, byte[] bytes) throws Exception {
        CompletableFuture<Void> done = new CompletableFuture<>();
        ByteBuf payload =
                PooledByteBufAllocator.DEFAULT.directBuffer(bytes.length).writeBytes(bytes);
        done.whenComplete((nothing, failure) -> payload.release());
        pair.onLoop(() -> pair.a.disk().write(offset, payload, false, MirrorPair.reply(done)));
        return done;
    }

    private byte[] image(String copy) throws Exception {
        return Files.readAllBytes(dir.resolve(copy).resolve("disk.img"));
    }

    private static boolean saysSlow(MirrorPair pair) throws Exception {
        return pair.view(pair.a).problems().stream().anyMatch(problem -> problem.kind() == Problem.Kind.PEER_SLOW);
    }

    @Test
    void aSlowPeerIsDroppedAfterTwoSecondsAndRejoinsByWhatItMissedEachTimeLater() throws Exception {
        MirrorPair slow = start(false);
        long firstWait = dropped(slow, 1 << 20);
        slow.awaitWhole();
        assertThat(image("b")).isEqualTo(image("a"));
        assertThat(saysSlow(slow)).as("over when it is in sync again").isFalse();

        long secondWait = dropped(slow, 2 << 20);
        assertThat(firstWait).isEqualTo(1_000);
        assertThat(secondWait).as("the back-off doubles").isEqualTo(2_000);
        slow.awaitWhole();
        assertThat(image("b")).isEqualTo(image("a"));
    }

    /** Gives the wait in milliseconds that the report names. */
    private long dropped(MirrorPair slow, long offset) throws Exception {
        slow.onLoop(() -> slow.link.second().hold(true));
        byte[] bytes = MirrorPair.pattern(offset, 50_000);
        CompletableFuture<Void> write = writing(slow, offset, bytes);
        Thread.sleep(1_000);
        assertThat(write).as("two copies are promised: it waits").isNotDone();
        assertThat(slow.record().inSync()).hasSize(2);

        await("answered alone").atMost(LIMIT).until(write::isDone);
        write.get();
        assertThat(slow.record().inSync()).as("by leave of the arbiter").containsExactly(MirrorPair.A);
        assertThat(Arrays.copyOfRange(image("a"), (int) offset, (int) offset + bytes.length))
                .isEqualTo(bytes);
        Problem said = slow.view(slow.a).problems().stream()
                .filter(problem -> problem.kind() == Problem.Kind.PEER_SLOW)
                .findFirst()
                .orElseThrow();
        slow.onLoop(() -> slow.link.second().hold(false));
        assertThat(slow.view(slow.a).disks().getFirst().bytesToResync())
                .as("what it missed is tracked, and little")
                .isBetween((long) bytes.length, 4L << 20);
        return Long.parseLong(said.message().replaceAll(".*rejoin in (\\d+) ms.*", "$1"));
    }

    @Test
    void aStrictPairWaitsForASlowPeerAndNothingIsAnsweredAlone() throws Exception {
        MirrorPair strict = start(true);
        var before = strict.record();
        strict.onLoop(() -> strict.link.second().hold(true));
        byte[] bytes = MirrorPair.pattern(2, 50_000);
        CompletableFuture<Void> write = writing(strict, 1 << 20, bytes);
        CompletableFuture<Void> flush = new CompletableFuture<>();
        strict.onLoop(() -> strict.a.disk().flush(MirrorPair.reply(flush)));

        Thread.sleep(Duration.ofMillis(4_000));
        assertThat(write).isNotDone();
        assertThat(flush).isNotDone();
        assertThat(strict.record().inSync()).hasSize(2);
        assertThat(strict.view(strict.a).role()).as("beacons are heard").isEqualTo(Role.ACTIVE);

        strict.onLoop(() -> strict.link.second().hold(false));
        await("it goes on").atMost(LIMIT).until(() -> write.isDone() && flush.isDone());
        write.get();
        flush.get();
        assertThat(image("b")).isEqualTo(image("a"));
        assertThat(strict.record()).as("nothing was decided").isEqualTo(before);
    }
}
