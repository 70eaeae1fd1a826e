package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pairvm.api.mirror.MirrorConfig;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/** The guest's life, with real QEMU under software translation. Skipped where no QEMU is installed or built. */
@Tag("qemu")
@EnabledIf("dev.pairvm.mirror.guest.QemuPod#isPossible")
class GuestControlQemuTest {
    @TempDir
    Path directory;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private final String uuid = UUID.randomUUID().toString();
    private QemuPod pod;

    @BeforeEach
    void aPod() throws Exception {
        pod = new QemuPod(directory, loop, uuid);
    }

    @AfterEach
    void cleanUp() throws Exception {
        pod.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    private SocketChannel runningGuest() throws Exception {
        pod.get(() -> pod.guest.prepareStandby());
        SocketChannel serial = pod.serial();
        pod.get(() -> pod.guest.startOrResume());
        QemuPod.hear(serial, text -> text.contains("B."));
        return serial;
    }

    @Test
    void waitsPausedUntilItMayRun() throws Exception {
        assertThat(pod.get(() -> pod.guest.adopt())).isInstanceOf(GuestState.Absent.class);
        pod.get(() -> pod.guest.prepareStandby());
        assertThat(pod.state()).isInstanceOf(GuestState.Ready.class);
        assertThat(pod.state().isGuestAlive()).isFalse();
        try (SocketChannel serial = pod.serial()) {
            assertThat(QemuPod.speaks(serial, 300)).as("before it may").isFalse();
            pod.get(() -> pod.guest.prepareStandby());
            pod.get(() -> pod.guest.startOrResume());
            pod.await(GuestEvent.Ran.class);
            QemuPod.hear(serial, text -> text.contains("B."));
            assertThat(pod.state()).isInstanceOf(GuestState.Running.class);
            int pid = ((GuestState.Running) pod.state()).pid();
            pod.get(() -> pod.guest.startOrResume());
            assertThat(((GuestState.Running) pod.state()).pid())
                    .as("one that runs is left alone")
                    .isEqualTo(pid);
        }
    }

    @Test
    void aRebootByTheGuestIsOnlyReported() throws Exception {
        try (SocketChannel serial = runningGuest()) {
            QemuPod.say(serial, "r");
            QemuPod.hear(serial, text -> text.contains("B."));
            pod.await(GuestEvent.Rebooted.class);
            assertThat(pod.state()).isInstanceOf(GuestState.Running.class);
        }
    }

    @Test
    void aPowerOffByTheGuestIsToldFromAFailure() throws Exception {
        try (SocketChannel serial = runningGuest()) {
            QemuPod.say(serial, "p");
            assertThat(pod.await(GuestEvent.PoweredOff.class).byGuest()).isTrue();
            assertThat(pod.state()).isInstanceOf(GuestState.PoweredOff.class);
            assertThat(pod.restartMirror())
                    .as("a mirror that was away can still see it")
                    .isInstanceOf(GuestState.PoweredOff.class);
            pod.get(() -> pod.guest.startOrResume());
            QemuPod.hear(serial, text -> text.contains("B."));
        }
    }

    @Test
    void aPanicStopsTheGuestAndAResetLetsItRunAgain() throws Exception {
        try (SocketChannel serial = runningGuest()) {
            QemuPod.say(serial, "c");
            pod.await(GuestEvent.Crashed.class);
            assertThat(pod.state()).isInstanceOf(GuestState.Crashed.class);
            assertThat(QemuPod.speaks(serial, 200)).isFalse();
            pod.get(() -> pod.guest.reset());
            QemuPod.hear(serial, text -> text.contains("B."));
            assertThat(pod.state()).isInstanceOf(GuestState.Running.class);
        }
    }

    @Test
    void frozenItStandsStillAndThawedItGoesOn() throws Exception {
        try (SocketChannel serial = runningGuest()) {
            pod.guest.freeze();
            assertThat(QemuPod.speaks(serial, 300)).isFalse();
            assertThat(pod.state()).isInstanceOf(GuestState.Frozen.class);
            assertThat(pod.state().isGuestAlive()).isTrue();
            assertThat(pod.restartMirror())
                    .as("known to be the guest though it can not be asked")
                    .isInstanceOf(GuestState.Frozen.class)
                    .matches(GuestState::isGuestAlive);
            pod.get(() -> {
                pod.guest.thaw();
                return CompletableFuture.completedFuture("");
            });
            assertThat(QemuPod.hear(serial, text -> text.length() > 3))
                    .as("without a boot")
                    .doesNotContain("B");
        }
    }

    @Test
    void killedItIsGoneForSureEvenFrozenAndWithItsDiskWithheld() throws Exception {
        try (SocketChannel serial = runningGuest()) {
            assertThat(serial.isOpen()).isTrue();
            pod.get(() -> {
                pod.disk.hold();
                return CompletableFuture.completedFuture("");
            });
            pod.guest.freeze();
            long asked = System.nanoTime();
            pod.get(() -> pod.guest.kill());
            assertThat(QemuProcess.findAll(uuid)).isEmpty();
            assertThat(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - asked)).isLessThan(5000);
            assertThat(pod.state()).isEqualTo(new GuestState.Dead(1, "killed by order", true));
            assertThat(pod.events).as("an order is no accident").noneMatch(GuestEvent.QemuExited.class::isInstance);
        }
        assertThat(pod.restartMirror()).isInstanceOf(GuestState.Absent.class);
    }

    @Test
    void aQemuThatDiesByItselfIsReported() throws Exception {
        try (SocketChannel serial = runningGuest()) {
            assertThat(serial.isOpen()).isTrue();
            QemuProcess.findAll(uuid).forEach(QemuProcess::kill);
            GuestEvent.QemuExited exited = pod.await(GuestEvent.QemuExited.class);
            assertThat(exited.wasGuest()).isTrue();
            assertThat(exited.status()).contains(137);
        }
        pod.get(() -> pod.guest.startOrResume());
        assertThat(pod.state()).isInstanceOf(GuestState.Running.class);
    }

    @Test
    void aRestartedMirrorFindsTheGuestRunning() throws Exception {
        try (SocketChannel serial = runningGuest()) {
            GuestState before = pod.state();
            assertThat(pod.restartMirror()).isEqualTo(before);
            QemuPod.say(serial, "r");
            pod.await(GuestEvent.Rebooted.class);
        }
    }

    @Test
    void aRestartedMirrorFindsAStandbyThatNeverRan() throws Exception {
        pod.get(() -> pod.guest.prepareStandby());
        assertThat(pod.restartMirror()).isInstanceOf(GuestState.Ready.class).matches(state -> !state.isGuestAlive());
        pod.get(() -> pod.guest.startOrResume());
    }

    @Test
    void aQemuThatCanNotStartIsReportedWithItsStatus() throws Exception {
        Files.writeString(directory.resolve("qemu"), "#!/bin/sh\nexit 3\n");
        assertThatThrownBy(() -> pod.get(() -> pod.guest.prepareStandby()))
                .hasMessageContaining("QEMU ended with status 3");
        assertThat(pod.await(GuestEvent.StartFailed.class).why()).contains("status 3");
    }

    @Test
    void poweredDownWithoutAnAnswerItIsKilledAfterTheGrace() throws Exception {
        try (SocketChannel serial = runningGuest()) {
            assertThat(serial.isOpen()).isTrue();
            // The boot sector does not know the power button.
            pod.get(() -> pod.guest.powerDown(Duration.ofMillis(200)));
            assertThat(QemuProcess.findAll(uuid)).isEmpty();
        }
    }

    @Test
    void aRequestThatNoLauncherTookIsWithdrawnByKill() throws Exception {
        Path idle = Files.createDirectory(directory.resolve("x"));
        GuestFiles files = new GuestFiles(idle);
        GuestControl waiting = new GuestControl(pod.command, files, loop, event -> {});
        CompletableFuture<Void> started = pod.on(waiting::prepareStandby);
        pod.get(waiting::kill);
        assertThatThrownBy(() -> started.get(10, TimeUnit.SECONDS)).hasMessageContaining("killed by order");
        assertThat(files.launchDirectory().resolve("request")).doesNotExist();
    }

    @Test
    void efiFirmwareStarts() throws Exception {
        Path other = Files.createDirectory(directory.resolve("efi"));
        String efi = UUID.randomUUID().toString();
        assumeTrue(Files.exists(Path.of("/usr/share/OVMF/OVMF_CODE_4M.fd")), "no OVMF on this host");
        try (QemuPod second = new QemuPod(
                other,
                loop,
                efi,
                new MirrorConfig.Firmware(true, efi, Optional.empty()),
                List.of(),
                List.of(),
                QemuPod.Hardware.usual())) {
            second.get(() -> second.guest.startOrResume());
            second.await(GuestEvent.Ran.class);
        }
    }
}
