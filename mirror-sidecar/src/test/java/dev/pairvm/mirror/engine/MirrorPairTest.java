package dev.pairvm.mirror.engine;

import static dev.pairvm.mirror.engine.MirrorPair.A;
import static dev.pairvm.mirror.engine.MirrorPair.B;
import static dev.pairvm.mirror.engine.MirrorPair.LIMIT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.arbiter.InMemoryArbiter;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Role;
import dev.pairvm.mirror.core.VerifyRun;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two whole mirrors without QEMU, on real files, with an arbiter in memory. */
class MirrorPairTest {
    @TempDir
    Path dir;

    private @SuppressWarnings("NullAway.Init") MirrorPair pair;

    @BeforeEach
    void startPair() throws Exception {
        pair = new MirrorPair(MirrorPair.folder(dir.resolve("a")), MirrorPair.folder(dir.resolve("b")));
    }

    @AfterEach
    void stop() throws Exception {
        pair.close();
    }

    private byte[] image(CopyId copy) throws Exception {
        return Files.readAllBytes(dir.resolve(copy.value()).resolve("disk.img"));
    }

    @Test
    void everyAnsweredWriteIsOnBothCopies() throws Exception {
        for (int i = 0; i < 50; i++) {
            pair.write(pair.a, i * 300_000L, MirrorPair.pattern(i, 70_000 + i));
        }

        assertThat(pair.view(pair.a).role()).isEqualTo(Role.ACTIVE);
        assertThat(pair.view(pair.b).role()).isEqualTo(Role.STANDBY);
        assertThat(image(A)).isEqualTo(image(B));
    }

    @Test
    void theStandbyTakesOverWithEveryWriteWhenTheActiveFallsSilent() throws Exception {
        byte[] bytes = MirrorPair.pattern(1, 200_000);
        pair.write(pair.a, 4096, bytes);

        pair.onLoop(() -> {
            pair.arbiterOfA.setMood(InMemoryArbiter.Mood.UNREACHABLE);
            pair.link.cut(Event.LinkDown.Cause.LOST);
        });

        await("b is the active")
                .atMost(LIMIT)
                .until(() -> pair.record().active().equals(B));
        await("b serves").atMost(LIMIT).until(() -> pair.view(pair.b).role() == Role.ACTIVE);
        assertThat(Arrays.copyOfRange(image(B), 4096, 4096 + bytes.length)).isEqualTo(bytes);
        assertThat(pair.view(pair.a).role()).isNotEqualTo(Role.ACTIVE);
    }

    @Test
    void ofChunksWrittenHereAndThereOnlyThePiecesThatDifferTravel() throws Exception {
        for (int i = 0; i < 24; i++) {
            pair.write(pair.a, (long) i << 20, MirrorPair.pattern(i, 1 << 20));
        }
        pair.onLoop(() -> pair.link.cut(Event.LinkDown.Cause.LOST));
        await("alone").atMost(LIMIT).until(() -> pair.record().inSync().size() == 1);
        for (int i = 0; i < 48; i++) {
            pair.write(pair.a, i * 500_000L / 4096 * 4096, MirrorPair.pattern(100 + i, 4096));
        }
        long before = pair.link.resyncedBytes();

        pair.onLoop(pair.link::connect);

        await("whole again").atMost(LIMIT).until(() -> pair.record().inSync().size() == 2);
        assertThat(image(B)).isEqualTo(image(A));
        assertThat(pair.link.resyncedBytes() - before).isEqualTo(48 * 4096);
    }

    @Test
    void aGuestThatRewritesOneRangeForEverDoesNotKeepThePairFromBecomingWhole() throws Exception {
        pair.onLoop(() -> pair.link.cut(Event.LinkDown.Cause.LOST));
        await("alone").atMost(LIMIT).until(() -> pair.record().inSync().size() == 1);
        for (int i = 0; i < 24; i++) {
            pair.write(pair.a, (long) i << 20, MirrorPair.pattern(i, 1 << 20));
        }
        AtomicBoolean going = new AtomicBoolean(true);
        CompletableFuture<Integer> rewriting = CompletableFuture.supplyAsync(() -> {
            int count = 0;
            for (; going.get(); count++) {
                try {
                    pair.write(pair.a, 12 << 20, MirrorPair.pattern(count, 65_536));
                } catch (Exception e) {
                    throw new CompletionException(e);
                }
            }
            return count;
        });

        pair.onLoop(pair.link::connect);

        await("whole again").atMost(LIMIT).until(() -> pair.record().inSync().size() == 2);
        going.set(false);
        assertThat(rewriting.get(20, TimeUnit.SECONDS)).isPositive();
        assertThat(image(B)).isEqualTo(image(A));
    }

    @Test
    void aLostStandbyIsShrunkAwayAndFilledAgainWithWhatDiffers() throws Exception {
        pair.onLoop(() -> pair.link.cut(Event.LinkDown.Cause.LOST));
        await("alone").atMost(LIMIT).until(() -> pair.record().inSync().size() == 1);
        byte[] bytes = MirrorPair.pattern(2, 500_000);
        pair.write(pair.a, 8 << 20, bytes);

        pair.onLoop(pair.link::connect);

        await("whole again").atMost(LIMIT).until(() -> pair.record().inSync().size() == 2);
        assertThat(pair.record().active()).isEqualTo(A);
        assertThat(image(B)).isEqualTo(image(A));
    }

    private VerifyRun verified() throws Exception {
        pair.onLoop(() -> pair.a.engine().post(new Event.VerifyRequested()));
        await("the verification ends")
                .atMost(LIMIT)
                .until(() -> pair.view(pair.a).verify().orElseThrow().state() != VerifyRun.State.RUNNING);
        return pair.view(pair.a).verify().orElseThrow();
    }

    /** Changes bytes of a copy behind its mirror's back. */
    private void rot(CopyId copy, long offset, byte[] bytes) throws Exception {
        try (var image = FileChannel.open(dir.resolve(copy.value()).resolve("disk.img"), StandardOpenOption.WRITE)) {
            image.write(ByteBuffer.wrap(bytes), offset);
            image.force(false);
        }
    }

    private static String sha256(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    @Test
    void bytesThatRottedOnTheStandbyAreFoundToldAndRepaired() throws Exception {
        pair.write(pair.a, 0, MirrorPair.pattern(1, 5 << 20));
        pair.write(pair.a, MirrorPair.DISK_BYTES - 8192, MirrorPair.pattern(2, 8192));
        byte[] before = image(A);
        byte[] rotten = MirrorPair.pattern(3, 512);
        rot(B, (3 << 20) + 4096, rotten);
        rot(B, MirrorPair.DISK_BYTES - 512, rotten);

        VerifyRun run = verified();

        assertThat(run.proves()).isTrue();
        assertThat(run.bytesCompared()).isEqualTo(MirrorPair.DISK_BYTES);
        assertThat(run.mismatches()).isEqualTo(2);
        assertThat(run.repaired()).isEqualTo(2);
        VerifyRun.Mismatch first = run.kept().getFirst();
        assertThat(first.offset()).isEqualTo(3 << 20);
        byte[] chunk = Arrays.copyOfRange(before, 3 << 20, (3 << 20) + first.length());
        assertThat(first.active()).hasToString(sha256(chunk));
        System.arraycopy(rotten, 0, chunk, 4096, rotten.length);
        assertThat(first.standby()).hasToString(sha256(chunk));
        assertThat(image(A)).as("the active's data are left alone").isEqualTo(before);
        assertThat(image(B)).isEqualTo(before);
        assertThat(verified().mismatches()).isZero();
    }

    @Test
    void whatRottedOnTheActiveIsWhatTheGuestReadsSoItIsWhatBothHoldAfterwards() throws Exception {
        pair.write(pair.a, 0, MirrorPair.pattern(1, 1 << 20));
        byte[] rotten = MirrorPair.pattern(3, 512);
        rot(A, 8192, rotten);

        VerifyRun run = verified();

        assertThat(run.mismatches()).isEqualTo(1);
        assertThat(pair.read(pair.a, 8192, 512)).isEqualTo(rotten);
        assertThat(image(B)).isEqualTo(image(A));
    }

    @Test
    void writesTrimsAndZeroesWhileItRunsAreNoMismatch() throws Exception {
        pair.write(pair.a, 0, MirrorPair.pattern(1, 20 << 20));
        pair.onLoop(() -> pair.a.engine().post(new Event.VerifyRequested()));
        Random random = new Random(7);
        for (int i = 0; i < 4000 && pair.view(pair.a).verify().orElseThrow().state() == VerifyRun.State.RUNNING; i++) {
            long offset = random.nextInt(MirrorPair.DISK_BYTES / 4096 - 64) * 4096L;
            CompletableFuture<Void> trimmed = new CompletableFuture<>();
            pair.onLoop(() -> pair.a.disk().trim(offset, 40 * 4096, false, MirrorPair.reply(trimmed)));
            pair.write(pair.a, offset + 4096, MirrorPair.pattern(i, 30_000));
            trimmed.get(20, TimeUnit.SECONDS);
        }
        await("the verification ends")
                .atMost(LIMIT)
                .until(() -> pair.view(pair.a).verify().orElseThrow().state() != VerifyRun.State.RUNNING);

        VerifyRun run = pair.view(pair.a).verify().orElseThrow();
        assertThat(run.proves()).isTrue();
        assertThat(run.mismatches()).isZero();
        assertThat(image(B)).isEqualTo(image(A));
    }
}
