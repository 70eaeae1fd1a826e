package dev.pairvm.mirror.nbd;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
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
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
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

/** Listens for NBD clients and gives each a connection of its own; all on one event loop. */
public final class NbdServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NbdServer.class);

    /** Answers that a client has not taken yet: above the mark its further requests wait. */
    private static final WriteBufferWaterMark UNTAKEN_REPLIES = new WriteBufferWaterMark(512 << 10, 1 << 20);

    /** One arena for the one thread; chunks of 4 MiB, so that a machine's steady state needs few of them. */
    private static final ByteBufAllocator ALLOCATOR = new PooledByteBufAllocator(true, 0, 1, 8192, 9, 256, 64, false);

    private final NbdExports exports;
    private final NbdLimits limits;
    private final OpenExports open = new OpenExports();
    private final Places places;
    private final ChannelGroup connections;
    private final Channel listener;
    private final @Nullable Path socket;

    private NbdServer(
            SocketAddress address,
            Class<? extends ServerChannel> type,
            @Nullable Path socket,
            EventLoop loop,
            NbdExports exports,
            NbdLimits limits)
            throws IOException {
        this.exports = exports;
        this.limits = limits;
        this.socket = socket;
        this.places = new Places(limits.maxConnections());
        this.connections = new DefaultChannelGroup(loop);
        var bound = new ServerBootstrap()
                .group(loop)
                .channel(type)
                .childOption(ChannelOption.ALLOCATOR, ALLOCATOR)
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, UNTAKEN_REPLIES)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        accept(channel);
                    }
                })
                .bind(address)
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw new IOException(
                    "cannot serve NBD on " + address + ": " + bound.cause().getMessage(), bound.cause());
        }
        this.listener = bound.channel();
    }

    /**
     * Serves on a unix socket. A socket file that an earlier life left is replaced; the file's mode is 0660. Blocks until it
     * listens; not on the loop.
     *
     * @param loop carries every connection and every call to the backends; epoll or NIO
     * @throws IOException when the path can not be bound
     */
    public static NbdServer onUnixSocket(Path socket, EventLoop loop, NbdExports exports, NbdLimits limits)
            throws IOException {
        if (Files.exists(socket) && !Files.isRegularFile(socket) && !Files.isDirectory(socket)) {
            Files.delete(socket);
        }
        NbdServer server = isEpoll(loop)
                ? new NbdServer(
                        new DomainSocketAddress(socket.toFile()),
                        EpollServerDomainSocketChannel.class,
                        socket,
                        loop,
                        exports,
                        limits)
                : new NbdServer(
                        UnixDomainSocketAddress.of(socket),
                        NioServerDomainSocketChannel.class,
                        socket,
                        loop,
                        exports,
                        limits);
        Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-rw----"));
        return server;
    }

    /** Serves on TCP, for tests and judges on the loopback interface: there is no authentication. */
    public static NbdServer onTcp(SocketAddress address, EventLoop loop, NbdExports exports, NbdLimits limits)
            throws IOException {
        return new NbdServer(
                address,
                isEpoll(loop) ? EpollServerSocketChannel.class : NioServerSocketChannel.class,
                null,
                loop,
                exports,
                limits);
    }

    private static boolean isEpoll(EventLoop loop) {
        return loop instanceof IoEventLoop io && io.isCompatible(EpollIoHandle.class);
    }

    private void accept(Channel channel) {
        if (places.isFull() && !places.makeRoom()) {
            channel.close();
            return;
        }
        connections.add(channel);
        Places.Place place = places.take();
        NbdConnection connection = new NbdConnection(channel, exports, limits, open, place::leave);
        place.isOf(connection);
        channel.config().setRecvByteBufAllocator(new ReceiveBuffers(connection::nextReceiveBuffer));
        channel.pipeline().addLast(connection);
    }

    /** Where it listens. */
    public SocketAddress address() {
        return listener.localAddress();
    }

    /** Connections open now. */
    public int connections() {
        return connections.size();
    }

    /** Stops listening and closes every connection; the backends finish what they have. Returns when it is done; not on the loop. */
    @Override
    public void close() {
        listener.close().awaitUninterruptibly();
        connections.close().awaitUninterruptibly();
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
