package dev.pairvm.mirror.nbd;

import dev.pairvm.mirror.memory.Buffers;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEventLoop;
import io.netty.channel.ServerChannel;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A bound NBD socket. Clients may connect at once; they are accepted, and greeted, when {@link #serve} is called. A mirror that
 * starts again under a running QEMU binds first of all: QEMU tries at once, after one second and after three (its client's
 * reconnect), and a socket that is there at a try saves it the next pause.
 */
public final class NbdListener implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NbdListener.class);

    /** Answers that a client has not taken yet: above the mark its further requests wait. */
    private static final WriteBufferWaterMark UNTAKEN_REPLIES = new WriteBufferWaterMark(512 << 10, 1 << 20);

    private final EventLoop loop;
    private final @Nullable Path socket;
    private final Channel bound;
    private volatile @Nullable NbdServer server;

    private NbdListener(
            SocketAddress address, Class<? extends ServerChannel> type, @Nullable Path socket, EventLoop loop)
            throws IOException {
        this.loop = loop;
        this.socket = socket;
        var binding = new ServerBootstrap()
                .group(loop)
                .channel(type)
                .option(ChannelOption.AUTO_READ, false)
                .childOption(ChannelOption.ALLOCATOR, Buffers.POOL)
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, UNTAKEN_REPLIES)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        accepted(channel);
                    }
                })
                .bind(address)
                .awaitUninterruptibly();
        if (!binding.isSuccess()) {
            throw new IOException(
                    "cannot serve NBD on " + address + ": " + binding.cause().getMessage(), binding.cause());
        }
        this.bound = binding.channel();
    }

    /**
     * Binds a unix socket. A socket file that an earlier life left is replaced; the file's mode is 0660. Blocks until it is bound;
     * not on the loop.
     *
     * @param loop carries every connection and every call to the backends; epoll or NIO
     * @throws IOException when the path can not be bound
     */
    public static NbdListener onUnixSocket(Path socket, EventLoop loop) throws IOException {
        if (Files.exists(socket) && !Files.isRegularFile(socket) && !Files.isDirectory(socket)) {
            Files.delete(socket);
        }
        NbdListener listener = isEpoll(loop)
                ? new NbdListener(
                        new DomainSocketAddress(socket.toFile()), EpollServerDomainSocketChannel.class, socket, loop)
                : new NbdListener(UnixDomainSocketAddress.of(socket), NioServerDomainSocketChannel.class, socket, loop);
        Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-rw----"));
        return listener;
    }

    /** Binds on TCP, for tests and judges on the loopback interface: there is no authentication. */
    static NbdListener onTcp(SocketAddress address, EventLoop loop) throws IOException {
        return new NbdListener(
                address, isEpoll(loop) ? EpollServerSocketChannel.class : NioServerSocketChannel.class, null, loop);
    }

    private static boolean isEpoll(EventLoop loop) {
        return loop instanceof IoEventLoop io && io.isCompatible(EpollIoHandle.class);
    }

    /**
     * Accepts from now on, those who wait first. Once.
     *
     * @throws IllegalStateException if it serves already
     */
    public NbdServer serve(NbdExports exports, NbdLimits limits) {
        if (server != null) {
            throw new IllegalStateException("NBD is served on " + address() + " already");
        }
        NbdServer serving = new NbdServer(this, loop, exports, limits);
        server = serving;
        bound.config().setAutoRead(true);
        return serving;
    }

    private void accepted(Channel channel) {
        NbdServer serving = server;
        if (serving == null) {
            channel.close(); // nothing is read, thus accepted, before
        } else {
            serving.accept(channel);
        }
    }

    /** Where it listens. */
    SocketAddress address() {
        return bound.localAddress();
    }

    /** Stops listening and removes the socket file. Returns when it is done; not on the loop. */
    @Override
    public void close() {
        bound.close().awaitUninterruptibly();
        Path file = socket;
        if (file != null) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                LOG.warn("cannot remove {}", file, e);
            }
        }
    }
}
