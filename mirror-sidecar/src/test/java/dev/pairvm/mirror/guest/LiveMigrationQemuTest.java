package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/** A guest moves between two pods, or does not, and in no case runs twice or nowhere. */
@Tag("qemu")
@EnabledIf("dev.pairvm.mirror.guest.QemuPod#isPossible")
class LiveMigrationQemuTest {
    private static final Duration DOWNTIME = Duration.ofMillis(100);
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private QemuPod here;
    private QemuPod there;
    private SocketChannel serialHere;

    // Both pods are on one host here, so their QEMUs must be told apart by something; between hosts they have the same
    // uuid.
    @BeforeEach
    void aRunningGuestAndAWaitingQemu() throws Exception {
        here = new QemuPod(
                Files.createDirectory(directory.resolve("a")),
                loop,
                UUID.randomUUID().toString());
        there = new QemuPod(
                Files.createDirectory(directory.resolve("b")),
                loop,
                UUID.randomUUID().toString());
        here.get(() -> here.guest.prepareStandby());
        there.get(() -> there.guest.prepareStandby());
        serialHere = here.serial();
        here.get(() -> here.guest.startOrResume());
        QemuPod.hear(serialHere, text -> text.contains("B."));
    }

    @AfterEach
    void cleanUp() throws Exception {
        serialHere.close();
        here.close();
        there.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    @Test
    void theGuestGoesOverWithoutABoot() throws Exception {
        MigrationTarget target = there.get(() -> there.guest.prepareIncoming());
        CompletableFuture<Void> arrival = there.on(() -> target.arrived(LIMIT));
        MigrationSource source = here.guest.migrate();
        here.get(() -> source.start(target.socket(), DOWNTIME, LIMIT));
        assertThat(QemuPod.speaks(serialHere, 200)).as("paused for the switch").isFalse();
        assertThat(arrival).isNotDone();
        here.get(() -> source.finish(LIMIT));
        arrival.get(60, TimeUnit.SECONDS);
        assertThat(here.state()).isInstanceOf(GuestState.MovedAway.class);
        assertThat(there.state()).isInstanceOf(GuestState.Ready.class);
        try (SocketChannel serial = there.serial()) {
            there.get(() -> there.guest.startOrResume());
            assertThat(QemuPod.hear(serial, text -> text.length() > 3)).doesNotContain("B");
            assertThatThrownBy(() -> here.get(source::cancel)).as("too late").isNotNull();
            assertThat(here.state()).isInstanceOf(GuestState.MovedAway.class);
            QemuPod.say(serial, "r");
            there.await(GuestEvent.Rebooted.class);
            QemuPod.hear(serial, text -> text.contains("B."));
        }
        here.get(() -> here.guest.prepareStandby());
        assertThat(here.state()).as("a new one, ready to boot").isInstanceOf(GuestState.Ready.class);
    }

    @Test
    void cancelledInThePauseItGoesOnHere() throws Exception {
        MigrationTarget target = there.get(() -> there.guest.prepareIncoming());
        CompletableFuture<Void> arrival = there.on(() -> target.arrived(LIMIT));
        MigrationSource source = here.guest.migrate();
        here.get(() -> source.start(target.socket(), DOWNTIME, LIMIT));
        here.get(source::cancel);
        assertThat(QemuPod.hear(serialHere, text -> text.length() > 3)).doesNotContain("B");
        assertThat(here.state()).isInstanceOf(GuestState.Running.class);
        assertThatThrownBy(() -> arrival.get(60, TimeUnit.SECONDS)).hasCauseInstanceOf(GuestException.class);
        there.get(() -> there.guest.prepareStandby());
        assertThat(there.state()).isInstanceOf(GuestState.Ready.class);
    }

    @Test
    void aTargetThatDiesOnTheWayCostsNothing() throws Exception {
        MigrationTarget target = there.get(() -> there.guest.prepareIncoming());
        MigrationSource source = here.guest.migrate();
        here.get(() -> source.start(target.socket(), DOWNTIME, LIMIT));
        there.get(() -> there.guest.kill());
        assertThatThrownBy(() -> here.get(() -> source.finish(Duration.ofSeconds(20))))
                .hasCauseInstanceOf(GuestException.class);
        here.get(source::cancel);
        assertThat(QemuPod.hear(serialHere, text -> text.length() > 3)).doesNotContain("B");
    }

    @Test
    void aTargetThatIsNotThereIsRefusedAtOnce() throws Exception {
        MigrationSource source = here.guest.migrate();
        assertThatThrownBy(() -> here.get(() -> source.start(directory.resolve("nobody"), DOWNTIME, LIMIT)))
                .hasCauseInstanceOf(GuestException.class);
        assertThat(QemuPod.hear(serialHere, text -> text.length() > 3)).doesNotContain("B");
        assertThat(here.state()).isInstanceOf(GuestState.Running.class);
    }
}
