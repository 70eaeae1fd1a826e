package dev.pairvm.mirror.guest;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * What two mirrors and their link are for one socket of a pair's QEMUs: listens at one path and joins whoever comes with another,
 * as soon as somebody listens there.
 */
final class SocketRelay implements AutoCloseable {
    private static final int TRIES = 2000;

    private final ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    private final List<SocketChannel> ends = new CopyOnWriteArrayList<>();
    private volatile boolean closed;

    SocketRelay(Path listensAt, Path connectsTo) throws IOException {
        server.bind(UnixDomainSocketAddress.of(listensAt));
        Thread.ofVirtual().start(() -> {
            try {
                while (!closed) {
                    SocketChannel near = server.accept();
                    ends.add(near);
                    Thread.ofVirtual().start(() -> join(near, connectsTo));
                }
            } catch (IOException over) {
                // closed
            }
        });
    }

    private void join(SocketChannel near, Path connectsTo) {
        try {
            SocketChannel far = connect(connectsTo);
            ends.add(far);
            Thread.ofVirtual().start(() -> pump(far, near));
            pump(near, far);
        } catch (IOException | InterruptedException lost) {
            shut(near);
        }
    }

    private SocketChannel connect(Path path) throws IOException, InterruptedException {
        for (int i = 0; i < TRIES && !closed; i++) {
            SocketChannel far = SocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                far.connect(UnixDomainSocketAddress.of(path));
                return far;
            } catch (IOException nobodyYet) {
                far.close();
                Thread.sleep(10);
            }
        }
        throw new IOException("nobody listens at " + path);
    }

    private static void pump(SocketChannel from, SocketChannel to) {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        try {
            while (from.read(buffer) >= 0) {
                buffer.flip();
                while (buffer.hasRemaining()) {
                    to.write(buffer);
                }
                buffer.clear();
            }
        } catch (IOException lost) {
            // the other side is told below
        }
        shut(from);
        shut(to);
    }

    private static void shut(SocketChannel end) {
        try {
            end.close();
        } catch (IOException gone) {
            // is what it should be
        }
    }

    /** Cuts it. */
    @Override
    public void close() throws IOException {
        closed = true;
        server.close();
        ends.forEach(SocketRelay::shut);
    }
}
