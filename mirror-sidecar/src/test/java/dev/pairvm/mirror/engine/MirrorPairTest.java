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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
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
}
