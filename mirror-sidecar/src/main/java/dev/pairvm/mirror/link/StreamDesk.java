package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelInitializer;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Byte streams inside the link, by name, and their joints to local Unix sockets: how QEMU's migration reaches the other host
 * without leaving the pair's TLS. One side {@link #serve serves} a name by connecting to a socket (QEMU with {@code -incoming});
 * the other {@link #listen listens} on a socket whose every connection becomes a stream (QEMU's {@code migrate}). Event loop only.
 */
public final class StreamDesk {
    private static final Logger LOG = LoggerFactory.getLogger(StreamDesk.class);
    /** A socket that is not there yet is tried again after this. */
    private static final long AGAIN_MILLIS = 10;

    private final LinkTransport transport;
    private final Function<CopyId, @Nullable StreamMux> links;
    private final Map<String, StreamChannel.Acceptor> acceptors = new HashMap<>();

    StreamDesk(LinkTransport transport, Function<CopyId, @Nullable StreamMux> links) {
        this.transport = transport;
        this.links = links;
    }

    StreamChannel.@Nullable Acceptor acceptor(String name) {
        return acceptors.get(name);
    }

    /** Takes streams of this name from any peer; replaces who took them before. */
    public void accept(String name, StreamChannel.Acceptor acceptor) {
        acceptors.put(name, acceptor);
    }

    /** Takes no more streams of this name; those there are go on. */
    public void withdraw(String name) {
        acceptors.remove(name);
    }

    /**
     * Opens a stream.
     *
     * @throws IllegalStateException if there is no link to the peer, it knows no streams, or it has too many
     */
    public StreamChannel open(CopyId peer, String name, StreamChannel.Handler handler) {
        StreamMux link = links.apply(peer);
        if (link == null) {
            throw new IllegalStateException("no link to copy " + peer);
        }
        return link.open(name, handler);
    }

    /** Takes streams of this name by connecting each to the Unix socket {@code socket}, which may come to be before the first stream. */
    public void serve(String name, Path socket) {
        serve(name, socket, 0);
    }

    /**
     * The same for a socket that may come to be while the stream waits.
     *
     * @param millis how long a stream waits at most; it is refused then
     */
    public void serve(String name, Path socket, long millis) {
        accept(name, incoming -> {
            SocketRelay relay = new SocketRelay();
            relay.streamIs(incoming.stream());
            connect(name, socket, incoming, relay, System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis));
            return relay;
        });
    }

    private void connect(
            String name, Path socket, StreamChannel.Incoming incoming, SocketRelay relay, long untilNanos) {
        if (relay.isOver()) {
            return; // the peer gave it up meanwhile
        }
        transport
                .localDialer()
                .handler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        SocketRelay.configure(channel);
                    }
                })
                .connect(transport.local(socket))
                .addListener((ChannelFutureListener) done -> {
                    if (done.isSuccess()) {
                        // Only now: a relay belongs to one channel, and would take a failed attempt for the socket's
                        // end.
                        done.channel().pipeline().addLast(relay);
                        incoming.accept();
                        relay.socketConnected(done.channel());
                    } else if (System.nanoTime() - untilNanos < 0) {
                        done.channel()
                                .eventLoop()
                                .schedule(
                                        () -> connect(name, socket, incoming, relay, untilNanos),
                                        AGAIN_MILLIS,
                                        TimeUnit.MILLISECONDS);
                    } else {
                        LOG.warn(
                                "stream {} refused, {} can not be connected: {}",
                                name,
                                socket,
                                done.cause().toString());
                        incoming.refuse("the local socket can not be connected: "
                                + done.cause().getMessage());
                    }
                });
    }

    /**
     * Listens on the Unix socket {@code socket}, replacing a stale one; each connection becomes a stream of this name to the peer, or
     * is closed if there is no link.
     *
     * @return the listening channel, to be closed when no longer wanted; fails if the path can not be bound
     */
    public Future<Channel> listen(Path socket, CopyId peer, String name) {
        var listening = transport.localAcceptor().childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel connected) {
                SocketRelay relay = new SocketRelay();
                SocketRelay.configure(connected);
                connected.pipeline().addLast(relay);
                try {
                    relay.streamIs(open(peer, name, relay));
                    relay.socketConnected(connected);
                } catch (IllegalStateException e) {
                    LOG.warn("connection to {} closed: {}", socket, e.getMessage());
                    connected.close();
                }
            }
        });
        var bound = listening.config().group().next().<Channel>newPromise();
        try {
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            return bound.setFailure(e);
        }
        listening.bind(transport.local(socket)).addListener(done -> {
            if (done.isSuccess()) {
                bound.setSuccess(((io.netty.channel.ChannelFuture) done).channel());
            } else {
                bound.setFailure(done.cause());
            }
        });
        return bound;
    }
}
