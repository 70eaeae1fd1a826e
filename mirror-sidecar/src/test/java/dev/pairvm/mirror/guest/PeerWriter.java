package dev.pairvm.mirror.guest;

import io.netty.channel.EventLoop;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * What a mirror does with its peer's copy, in small: an NBD client that writes in order. A write that the target does not take any
 * more is answered all the same, as by a mirror that has dropped its peer. See NBD's {@code doc/proto.md}.
 */
final class PeerWriter implements AutoCloseable {
    private final EventLoop loop;
    private final ExecutorService inOrder = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().name("peer-writer").daemon().factory());
    private final SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    private volatile boolean lost;

    PeerWriter(Path socket, String export, EventLoop loop) throws IOException {
        this.loop = loop;
        channel.connect(UnixDomainSocketAddress.of(socket));
        read(18);
        byte[] name = export.getBytes(StandardCharsets.US_ASCII);
        send(ByteBuffer.allocate(20 + name.length)
                .putInt(3)
                .putLong(0x49484156454F5054L)
                .putInt(1)
                .putInt(name.length)
                .put(name));
        read(10);
    }

    private ByteBuffer read(int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new IOException("the NBD server hung up");
            }
        }
        return buffer.flip();
    }

    private void send(ByteBuffer filled) throws IOException {
        ByteBuffer buffer = filled.flip();
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    void write(long offset, byte[] data, Runnable done) {
        inOrder.execute(() -> {
            try {
                if (!lost) {
                    send(ByteBuffer.allocate(28 + data.length)
                            .putInt(0x25609513)
                            .putShort((short) 0)
                            .putShort((short) 1)
                            .putLong(offset)
                            .putLong(offset)
                            .putInt(data.length)
                            .put(data));
                    if (read(16).getInt(4) != 0) {
                        lost = true;
                    }
                }
            } catch (IOException e) {
                lost = true;
            }
            loop.execute(done);
        });
    }

    /** Gives the target up at once, whatever is under way. */
    @Override
    public void close() throws IOException {
        lost = true;
        channel.close();
        inOrder.shutdown();
    }
}
