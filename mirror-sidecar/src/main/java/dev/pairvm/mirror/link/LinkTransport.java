package dev.pairvm.mirror.link;

import dev.pairvm.mirror.memory.Buffers;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEventLoop;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;

/** The channel classes that fit the event loop handed in: epoll, else NIO. */
final class LinkTransport {
    /** Unsent bytes the kernel may hold: a disk frame must not wait behind more of a migration's. */
    private static final long NOT_SENT_LOW_WATER = 256 << 10;

    private final EventLoop loop;
    private final boolean epoll;

    LinkTransport(EventLoop loop) {
        this.loop = loop;
        this.epoll = loop instanceof IoEventLoop io && io.isIoType(EpollIoHandler.class);
    }

    Bootstrap dialer(int connectMillis) {
        Bootstrap bootstrap = new Bootstrap()
                .group(loop)
                .channel(epoll ? EpollSocketChannel.class : NioSocketChannel.class)
                .option(ChannelOption.ALLOCATOR, Buffers.POOL)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, connectMillis);
        return epoll ? bootstrap.option(EpollChannelOption.TCP_NOTSENT_LOWAT, NOT_SENT_LOW_WATER) : bootstrap;
    }

    ServerBootstrap acceptor() {
        Class<? extends ServerChannel> channel = epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(loop)
                .channel(channel)
                .option(ChannelOption.SO_REUSEADDR, true)
                .childOption(ChannelOption.ALLOCATOR, Buffers.POOL)
                .childOption(ChannelOption.TCP_NODELAY, true);
        return epoll ? bootstrap.childOption(EpollChannelOption.TCP_NOTSENT_LOWAT, NOT_SENT_LOW_WATER) : bootstrap;
    }

    Bootstrap localDialer() {
        Class<? extends Channel> channel = epoll ? EpollDomainSocketChannel.class : NioDomainSocketChannel.class;
        return new Bootstrap()
                .group(loop)
                .channel(channel)
                .option(ChannelOption.ALLOCATOR, Buffers.POOL)
                .option(ChannelOption.ALLOW_HALF_CLOSURE, true);
    }

    ServerBootstrap localAcceptor() {
        Class<? extends ServerChannel> channel =
                epoll ? EpollServerDomainSocketChannel.class : NioServerDomainSocketChannel.class;
        return new ServerBootstrap()
                .group(loop)
                .channel(channel)
                .childOption(ChannelOption.ALLOCATOR, Buffers.POOL)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    }

    SocketAddress local(Path socket) {
        return epoll ? new DomainSocketAddress(socket.toString()) : UnixDomainSocketAddress.of(socket);
    }
}
