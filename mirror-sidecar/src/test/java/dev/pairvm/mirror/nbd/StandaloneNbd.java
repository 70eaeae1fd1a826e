package dev.pairvm.mirror.nbd;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.store.AsyncDisk;
import dev.pairvm.mirror.store.DiskStore;
import dev.pairvm.mirror.store.IoWorkers;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Serves one {@code FILE} disk on a unix socket, through store and NBD server but without a pair, for measurements and for trying
 * clients out: {@code StandaloneNbd <directory> <bytes> <socket>}.
 */
final class StandaloneNbd implements AutoCloseable {
    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final IoWorkers workers = IoWorkers.forDisks(1);
    private final DiskStore store;
    private final NbdServer server;

    StandaloneNbd(Path directory, long bytes, Path socket) throws Exception {
        store = DiskStore.open(new MirrorConfig.Disk(
                "root", directory.toString(), MirrorConfig.Disk.Kind.FILE, bytes, Optional.empty(), Optional.empty()));
        EventLoop loop = group.next();
        AsyncDisk disk = new AsyncDisk(store, workers, loop);
        ChangeBitmaps changes = new ChangeBitmaps(bytes);
        disk.onChange(changes::changed);
        NbdBackend backend = new SingleDiskBackend(disk);
        NbdExports exports = new NbdExports(List.of(
                NbdExport.writable("root", bytes, backend).tracking(changes),
                NbdExport.readOnly("root-readonly", bytes, new BackupView(backend, () -> false))
                        .tracking(changes)));
        server = NbdServer.onUnixSocket(socket, loop, exports, NbdLimits.DEFAULT);
    }

    @Override
    public void close() {
        server.close();
        workers.close();
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).awaitUninterruptibly();
        store.close();
    }

    /** Serves until the process is ended. */
    public static void main(String[] arguments) throws Exception {
        StandaloneNbd standalone =
                new StandaloneNbd(Path.of(arguments[0]), Long.parseLong(arguments[1]), Path.of(arguments[2]));
        Runtime.getRuntime().addShutdownHook(new Thread(standalone::close));
        System.out.println("ready");
        Thread.currentThread().join();
    }
}
