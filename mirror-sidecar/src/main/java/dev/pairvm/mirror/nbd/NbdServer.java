package dev.pairvm.mirror.nbd;

import io.netty.channel.EventLoop;
import java.io.IOException;
import java.net.SocketAddress;
import java.nio.file.Path;

/** Listens for NBD clients and gives each a connection of its own; all on one event loop. */
public final class NbdServer implements AutoCloseable {
    private NbdServer() {}

    /**
     * Serves on a unix socket. A socket file that an earlier life left is replaced; the file's mode is 0660.
     *
     * @param loop carries every connection and every call to the backends; epoll or NIO
     * @throws IOException when the path can not be bound
     */
    public static NbdServer onUnixSocket(Path socket, EventLoop loop, NbdExports exports, NbdLimits limits)
            throws IOException {
        throw new UnsupportedOperationException();
    }

    /** Serves on TCP, for tests and judges on the loopback interface: there is no authentication. */
    public static NbdServer onTcp(SocketAddress address, EventLoop loop, NbdExports exports, NbdLimits limits)
            throws IOException {
        throw new UnsupportedOperationException();
    }

    /** Where it listens. */
    public SocketAddress address() {
        throw new UnsupportedOperationException();
    }

    /** Connections open now. */
    public int connections() {
        throw new UnsupportedOperationException();
    }

    /** Stops listening and closes every connection; the backends finish what they have. Returns when it is done; not on the loop. */
    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }
}
