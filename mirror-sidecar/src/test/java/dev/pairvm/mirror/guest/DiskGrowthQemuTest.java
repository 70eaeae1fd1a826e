package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/** Real QEMU learns that its disk has grown, running or paused, and its guest goes on. */
@Tag("qemu")
@EnabledIf("dev.pairvm.mirror.guest.QemuPod#isPossible")
class DiskGrowthQemuTest {
    private static final int LARGE = 3 << 20;
    private static final int LARGER = 5 << 20;

    @TempDir
    Path directory;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private QemuPod pod;

    @BeforeEach
    void aPod() throws Exception {
        pod = new QemuPod(directory, loop, UUID.randomUUID().toString());
    }

    @AfterEach
    void cleanUp() throws Exception {
        pod.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    private void show(int bytes) throws Exception {
        pod.get(() -> pod.guest.showDiskSizes(List.of((long) bytes)));
    }

    @Test
    void aGuestThatWaitsPausedAndThenRunsSeesTheLargerDisk() throws Exception {
        pod.get(() -> pod.guest.prepareStandby());
        assertThat(pod.diskInQemu()).isEqualTo(1 << 20);
        pod.grow(LARGE);
        assertThat(pod.diskInQemu()).as("before it is told").isEqualTo(1 << 20);
        show(LARGE);
        assertThat(pod.diskInQemu()).isEqualTo(LARGE);
        try (SocketChannel serial = pod.serial()) {
            pod.get(() -> pod.guest.startOrResume());
            QemuPod.hear(serial, text -> text.contains("B."));
            pod.grow(LARGER);
            show(LARGER);
            show(LARGER);
            assertThat(pod.diskInQemu()).isEqualTo(LARGER);
            assertThat(QemuPod.speaks(serial, 5_000)).as("it ran on").isTrue();
            assertThat(pod.state()).isInstanceOf(GuestState.Running.class);
        }
    }

    @Test
    void aMirrorThatRestartsBetweenTellsTheGuestItFinds() throws Exception {
        pod.get(() -> pod.guest.prepareStandby());
        pod.get(() -> pod.guest.startOrResume());
        pod.grow(LARGE);
        assertThat(pod.restartMirror()).isInstanceOf(GuestState.Running.class);
        show(LARGE);
        assertThat(pod.diskInQemu()).isEqualTo(LARGE);
    }

    @Test
    void aSmallerSizeAndAGuestThatIsNotThereAreLeftAlone() throws Exception {
        show(LARGE);
        pod.get(() -> pod.guest.prepareStandby());
        show(512);
        assertThat(pod.diskInQemu()).isEqualTo(1 << 20);
    }

    @Test
    void aQemuThatStartsLaterOpensTheDiskAsLargeAsItIs() throws Exception {
        pod.grow(LARGE);
        pod.get(() -> pod.guest.prepareStandby());
        assertThat(pod.diskInQemu()).isEqualTo(LARGE);
    }
}
