package dev.pairvm.mirror.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.nbd.NbdExport;
import dev.pairvm.mirror.nbd.NbdExports;
import dev.pairvm.mirror.nbd.NbdLimits;
import dev.pairvm.mirror.nbd.NbdServer;
import dev.pairvm.mirror.nbd.SingleDiskBackend;
import dev.pairvm.mirror.nbd.StockTools;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code NBD_FLAG_CAN_MULTI_CONN} is a promise: what was answered on one connection is durable once a flush on another is answered.
 * Shown with a disk whose cache is lost, sector by sector, and libnbd as the client.
 */
@Timeout(120)
class MultiConnFlushTest {
    private static final int SIZE = 4 << 20;
    private static final int BLOCK = 4096;

    @TempDir
    Path directory;

    @Test
    void aFlushOnOneConnectionCoversWhatWasAnsweredOnAnother() throws Exception {
        StockTools.needs("nbdsh");
        SimFile image = new SimFile(SIZE);
        var store = new DiskStore("root", SIZE, image, new MetadataArea(new SimFile(2 << 20), 0, 2 << 20, true));
        IoWorkers workers = new IoWorkers(2);
        var group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        EventLoop loop = group.next();
        Path socket = directory.resolve("s");
        try (NbdServer server = NbdServer.onUnixSocket(
                socket,
                loop,
                new NbdExports(List.of(
                        NbdExport.writable("root", SIZE, new SingleDiskBackend(new AsyncDisk(store, workers, loop))))),
                NbdLimits.DEFAULT)) {
            // Even blocks are flushed, by another connection than wrote them; the odd ones are not.
            new StockTools(directory).run("nbdsh", "-c", """
                    import nbd
                    writers = [nbd.NBD() for i in range(4)]
                    flusher = nbd.NBD()
                    for h in writers + [flusher]:
                        h.connect_uri("nbd+unix:///root?socket=%s")
                        assert h.can_multi_conn()
                    for i in range(0, 512, 2):
                        writers[i %% 4].pwrite(bytes([1 + i %% 255]) * 4096, i * 4096)
                    writers[1].zero(4096, 0)
                    flusher.flush()
                    for i in range(1, 512, 2):
                        writers[i %% 4].pwrite(bytes([255]) * 4096, i * 4096)
                    """.formatted(socket));
            assertThat(server.connections()).isLessThanOrEqualTo(5);
        } finally {
            workers.close();
            group.shutdownGracefully(0, 5, TimeUnit.SECONDS).awaitUninterruptibly();
        }
        boolean lostSomething = false;
        for (long seed = 1; seed <= 20; seed++) {
            byte[] crashed = image.afterPowerLoss(seed).contents();
            for (int i = 0; i < 512; i += 2) {
                byte[] expected = new byte[BLOCK];
                Arrays.fill(expected, i == 0 ? 0 : (byte) (1 + i % 255));
                assertThat(Arrays.copyOfRange(crashed, i * BLOCK, (i + 1) * BLOCK))
                        .as("seed %d, block %d was flushed", seed, i)
                        .isEqualTo(expected);
                lostSomething |= crashed[(i + 1) * BLOCK] == 0;
            }
        }
        assertThat(lostSomething)
                .as("the disk does lose what was not flushed, or this shows nothing")
                .isTrue();
    }
}
