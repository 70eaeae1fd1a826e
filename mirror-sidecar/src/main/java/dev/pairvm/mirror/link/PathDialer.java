package dev.pairvm.mirror.link;

import dev.pairvm.mirror.core.Event.LinkDown.Cause;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoop;
import io.netty.handler.ssl.SslHandler;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Keeps one connection to one address of a peer: dials, and dials again after a pause that doubles up to a limit, with jitter so
 * that two mirrors that lost a switch together do not return in step. Event loop only.
 */
final class PathDialer {
    /** A SYN into a dead network is given up and sent afresh, so that a path that is back is found soon. */
    static final int CONNECT_MILLIS = 1_000;

    private static final int FIRST_PAUSE_MILLIS = 20;
    private static final int LONGEST_PAUSE_MILLIS = 500;
    /** A refused certificate does not mend itself in half a second. */
    private static final int REFUSED_PAUSE_MILLIS = 2_000;

    /** What the dialer needs of its peer. */
    interface Owner {
        @Nullable
        SslHandler clientTls(Channel channel, PeerAddress address);

        /** Makes the connection's object and remembers it as this dialer's. */
        LinkConnection connecting(PathDialer dialer, Channel channel);
    }

    private final LinkTransport transport;
    private final EventLoop loop;
    private final PeerAddress address;
    private final Owner owner;
    private @Nullable LinkConnection connection;
    private int failures;
    private boolean stopped;

    PathDialer(LinkTransport transport, EventLoop loop, PeerAddress address, Owner owner) {
        this.transport = transport;
        this.loop = loop;
        this.address = address;
        this.owner = owner;
    }

    PeerAddress address() {
        return address;
    }

    @Nullable
    LinkConnection connection() {
        return connection;
    }

    void dial() {
        if (stopped || connection != null) {
            return;
        }
        transport
                .dialer(CONNECT_MILLIS)
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        LinkConnection made = owner.connecting(PathDialer.this, channel);
                        connection = made;
                        made.install(owner.clientTls(channel, address));
                    }
                })
                .connect(address.socket())
                .addListener(connected -> {
                    LinkConnection made = connection;
                    if (connected.isSuccess()) {
                        return;
                    }
                    if (made == null) {
                        ended(Cause.LOST, null); // no socket could be made: too many open files
                    } else {
                        made.exceptionCaught(made.channel().pipeline().firstContext(), connected.cause());
                    }
                });
    }

    /** The connection has greeted: the next failure starts with a short pause again. */
    void succeeded() {
        failures = 0;
    }

    /** The connection is over; dials again. */
    void ended(Cause cause, LinkListener.@Nullable Refusal refusal) {
        connection = null;
        if (stopped) {
            return;
        }
        int pause = refusal != null && cause != Cause.LOST
                ? REFUSED_PAUSE_MILLIS
                : Math.min(LONGEST_PAUSE_MILLIS, FIRST_PAUSE_MILLIS << Math.min(failures, 10));
        failures++;
        int jittered = pause / 2 + ThreadLocalRandom.current().nextInt(pause + 1);
        loop.schedule(this::dial, jittered, TimeUnit.MILLISECONDS);
    }

    /** No more attempts; a connection that is up stays. */
    void stop() {
        stopped = true;
    }
}
