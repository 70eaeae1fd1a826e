package dev.pairvm.mirror.nbd;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client: its receive buffer, first its {@link Handshake}, then its {@link Transmission}. Reads from the socket only while
 * there is room for what a client may have under way, and while the client takes the answers.
 */
final class NbdConnection extends ChannelInboundHandlerAdapter {
    /** Holds a burst of 32 writes of 4 KiB, and any option with room to spare; larger payloads bypass it. */
    static final int INBOUND_BYTES = 160 << 10;

    private static final Logger LOG = LoggerFactory.getLogger(NbdConnection.class);

    private final Channel channel;
    private final NbdLimits limits;
    private final OpenExports open;
    private final ByteBuf inbound;
    private final Replies replies;
    private final Handshake handshake;
    private final Runnable left;
    private @Nullable Transmission transmission;
    private @Nullable ScheduledFuture<?> deadline;
    private boolean parsing;
    private boolean closing;

    /** {@code left} runs once, when the connection is gone and everything that it had under way has ended. */
    NbdConnection(Channel channel, NbdExports exports, NbdLimits limits, OpenExports open, Runnable left) {
        this.left = left;
        this.channel = channel;
        this.limits = limits;
        this.open = open;
        this.inbound = channel.alloc().directBuffer(INBOUND_BYTES, INBOUND_BYTES);
        this.replies = new Replies(channel);
        this.handshake = new Handshake(exports, replies);
    }

    /** Where the next bytes of the socket go: into a payload that is being received, else into the common buffer. */
    ByteBuf nextReceiveBuffer() {
        Transmission current = transmission;
        ByteBuf payload = current == null ? null : current.payloadBeingReceived();
        if (payload != null && !inbound.isReadable()) {
            return payload.retain();
        }
        if (inbound.isReadable()) {
            inbound.discardReadBytes();
        } else {
            inbound.clear();
        }
        return inbound.retain();
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        deadline = context.executor()
                .schedule(
                        () -> {
                            LOG.warn(
                                    "NBD client did not choose an export within {}, closing it",
                                    limits.handshakeTimeout());
                            channel.close();
                        },
                        limits.handshakeTimeout().toMillis(),
                        TimeUnit.MILLISECONDS);
        handshake.greet();
        replies.flush();
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object received) {
        // The bytes are where nextReceiveBuffer wanted them; only the reference comes back here.
        ((ByteBuf) received).release();
        parse();
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        replies.flush();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
        if (channel.isWritable()) {
            parse();
            replies.flushLater();
        }
    }

    /** A request has ended: there may be room again. */
    void requestEnded() {
        if (!parsing) {
            parse();
            replies.flushLater();
        }
    }

    private void parse() {
        if (parsing || closing || !channel.isActive()) {
            return;
        }
        parsing = true;
        try {
            boolean more = true;
            while (more && !closing) {
                more = channel.isWritable() && step();
            }
        } finally {
            parsing = false;
        }
        if (!closing) {
            boolean room = channel.isWritable() && (transmission == null || transmission.mayReceive());
            if (channel.config().isAutoRead() != room) {
                channel.config().setAutoRead(room);
            }
        }
    }

    /** Consumes one option or request; false when more bytes or more room are needed. */
    private boolean step() {
        Transmission current = transmission;
        if (current != null) {
            return switch (current.consume(inbound)) {
                case AGAIN -> true;
                case WAIT -> false;
                case CLOSE -> close(false);
                case CLOSE_WHEN_DONE -> close(true);
            };
        }
        return switch (handshake.consume(inbound)) {
            case AGAIN -> true;
            case NEED_MORE -> false;
            case CLOSE -> close(false);
            case AGREED -> {
                cancelDeadline();
                Handshake.Agreement agreement = handshake.agreement();
                LOG.debug("NBD client opened export {}", agreement.export().name());
                transmission = new Transmission(this, channel.alloc(), replies, agreement, limits);
                open.opened(agreement.export());
                yield true;
            }
        };
    }

    private boolean close(boolean afterRequests) {
        closing = true;
        channel.config().setAutoRead(false);
        replies.flush();
        Transmission current = transmission;
        if (!afterRequests || current == null || current.isIdle()) {
            // Behind the answers that are still on their way.
            channel.writeAndFlush(channel.alloc().buffer(0)).addListener(sent -> channel.close());
        }
        return false;
    }

    /** Whether the client has said goodbye and only waits for its last answers. */
    boolean isClosing() {
        return closing;
    }

    boolean hasOpen(String export) {
        Transmission current = transmission;
        return current != null && current.export().name().equals(export);
    }

    /** Reads no further request and ends the connection behind the last answer. */
    void sendAway() {
        if (!closing) {
            close(true);
        }
    }

    /** Ends the connection at once. */
    void abort() {
        closing = true;
        channel.close();
    }

    /** The last request of a client that has said goodbye is answered. */
    void lastRequestEnded() {
        close(false);
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        cancelDeadline();
        closing = true;
        Transmission current = transmission;
        replies.release();
        if (current == null) {
            left.run();
        } else {
            current.disconnected();
            open.closed(current.export());
        }
    }

    /** The client is gone, and so is all that it had under way. */
    void orphansEnded() {
        left.run();
    }

    /** Whether the client has not chosen an export yet. */
    boolean isShakingHands() {
        return transmission == null && !closing;
    }

    /** Makes room for another client: this one takes too long to choose. */
    void giveWay() {
        LOG.warn("NBD client that has not chosen an export gives way to another");
        abort();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        inbound.release();
        if (transmission == null) {
            left.run(); // also for one that was closed before it ever was active
        }
    }

    private void cancelDeadline() {
        ScheduledFuture<?> current = deadline;
        if (current != null) {
            current.cancel(false);
            deadline = null;
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        if (cause instanceof IOException) {
            LOG.debug("NBD client lost: {}", cause.getMessage());
        } else {
            LOG.error("closing an NBD connection because of a bug", cause);
        }
        channel.close();
    }
}
