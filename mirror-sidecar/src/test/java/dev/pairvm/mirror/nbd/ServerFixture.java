package dev.pairvm.mirror.nbd;

import io.netty.channel.EventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A server on a loopback port, over a {@link FakeBackend}; exports {@code root} (writable), {@code ro} and {@code blocky}. */
final class ServerFixture implements AutoCloseable {
    static final int SIZE = 40 << 20;

    final FakeBackend backend = new FakeBackend(SIZE);
    final ChangeBitmaps changes = new ChangeBitmaps(SIZE);
    private final MultiThreadIoEventLoopGroup group;
    final EventLoop loop;
    final NbdServer server;

    ServerFixture(IoHandlerFactory transport, NbdLimits limits) throws IOException {
        group = new MultiThreadIoEventLoopGroup(1, transport);
        loop = group.next();
        server = NbdServer.onTcp(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                loop,
                new NbdExports(List.of(
                        new NbdExport("root", "the system disk", SIZE, 1, false, backend).tracking(changes),
                        NbdExport.readOnly("ro", SIZE, backend),
                        new NbdExport("blocky", "", SIZE, 4096, false, backend))),
                limits);
    }

    static NbdLimits limits(int connections, int requests, int bytes) {
        return new NbdLimits(connections, requests, bytes, Duration.ofSeconds(10));
    }

    InetSocketAddress address() {
        return (InetSocketAddress) server.address();
    }

    /** Runs on the event loop and waits for it. */
    void onLoop(Runnable action) throws Exception {
        loop.submit(action).get(20, TimeUnit.SECONDS);
    }

    @Override
    public void close() {
        server.close();
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).awaitUninterruptibly();
    }
}
