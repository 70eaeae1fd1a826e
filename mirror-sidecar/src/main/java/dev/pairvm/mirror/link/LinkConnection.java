package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Event.LinkDown.Cause;
import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.epoll.EpollTcpInfo;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.ReferenceCountUtil;
import java.security.cert.X509Certificate;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;

/**
 * One TLS connection to one peer: handshake, greeting, then frames. Ends exactly once, with a cause and a clause for the log. Event
 * loop only.
 */
final class LinkConnection extends ChannelInboundHandlerAdapter implements FrameDecoder.Sink {
    /** From the TCP connection to the greeting. */
    static final int GREETING_MILLIS = 3_000;

    /** How long a refused peer may take to read why. */
    private static final int FAREWELL_MILLIS = 500;

    private static final double SMOOTHING = 0.125; // RFC 6298's alpha

    /** Who made the connection and hears of it. */
    interface Owner {
        /** What this side says first. */
        LinkFrame.Greeting greeting();

        /** The peer has greeted; answers why it is refused, or null to go on. */
        @Nullable
        Refused greeted(LinkConnection connection, LinkFrame.Greeting greeting);

        /** The dialer chose this connection. */
        void selected(LinkConnection connection);

        /** A frame of the core. */
        void message(LinkConnection connection, Message message, @Nullable ByteBuf payload);

        /** A frame of a stream. */
        void streamFrame(LinkConnection connection, LinkFrame frame, @Nullable ByteBuf payload);

        void writabilityChanged(LinkConnection connection, boolean writable);

        /** Over; nothing more comes from it. {@code refusal} is there if it ended by one. */
        void closed(LinkConnection connection, Cause cause, String why, LinkListener.@Nullable Refusal refusal);
    }

    /** Why a greeting is not liked. */
    record Refused(LinkListener.Refusal reason, String sentence) {}

    private final Owner owner;
    private final MonotonicClock clock;
    private final Channel channel;
    private final FrameDecoder decoder;
    private final LinkConfig config;
    private final LinkTraffic traffic;
    private final boolean dialed;
    private LinkFrame.@Nullable Greeting peer;
    private boolean heard;
    private long lastHeardAt;
    private double roundTripNanos = -1;
    private final EpollTcpInfo tcpInfo = new EpollTcpInfo();
    private long unackedSince;
    private boolean handshaken;
    private final Runnable flush = this::flush;
    private boolean flushing;
    private boolean over;
    private Cause cause = Cause.CLOSED_BY_PEER;
    private String why = "the peer closed it";
    private LinkListener.@Nullable Refusal refusal;

    LinkConnection(
            Owner owner,
            LinkConfig config,
            MonotonicClock clock,
            Channel channel,
            LinkTraffic traffic,
            boolean dialed) {
        this.owner = owner;
        this.config = config;
        this.decoder = new FrameDecoder(this, config.speaks());
        this.clock = clock;
        this.channel = channel;
        this.traffic = traffic;
        this.dialed = dialed;
        this.lastHeardAt = clock.nanos();
    }

    /** Puts the connection's handlers behind {@code tls}; it is absent on a plain link. */
    void install(@Nullable SslHandler tls) {
        if (tls != null) {
            tls.setHandshakeTimeoutMillis(2L * GREETING_MILLIS); // the greeting is waited for below, and comes after
            tls.setCloseNotifyFlushTimeoutMillis(500);
            channel.pipeline().addLast(tls);
        }
        channel.pipeline().addLast(decoder, this);
        channel.eventLoop()
                .schedule(
                        () -> {
                            if (peer == null) {
                                refuse(LinkListener.Refusal.SILENT, "no greeting within " + GREETING_MILLIS + " ms");
                            }
                        },
                        GREETING_MILLIS,
                        TimeUnit.MILLISECONDS);
    }

    boolean isDialed() {
        return dialed;
    }

    /** The copy that the certificate names; only after the handshake. */
    CertificateIdentity certificate() {
        try {
            var session = channel.pipeline().get(SslHandler.class).engine().getSession();
            return CertificateIdentity.of((X509Certificate) session.getPeerCertificates()[0]);
        } catch (SSLPeerUnverifiedException e) {
            return new CertificateIdentity.Unknown("it showed no certificate");
        }
    }

    LinkFrame.@Nullable Greeting peer() {
        return peer;
    }

    @Nullable
    CopyId peerCopy() {
        return peer == null ? null : peer.copy();
    }

    Channel channel() {
        return channel;
    }

    /** Smoothed, -1 before the first. */
    long roundTripNanos() {
        return (long) roundTripNanos;
    }

    // ------------------------------------------------------------------------------------------------------ sending

    /** Sends a frame of the core; {@code payload}'s reference passes to the connection. */
    void send(Message message, @Nullable ByteBuf payload) {
        ByteBuf head;
        try {
            head = MessageCodec.encode(channel.alloc(), message, payload);
        } catch (RuntimeException e) {
            ReferenceCountUtil.release(payload);
            throw e;
        }
        write(head, payload);
    }

    void send(LinkFrame frame) {
        write(LinkFrameCodec.encode(channel.alloc(), frame, null), null);
    }

    /** Sends a stream's piece; {@code sent} runs when it has left for the kernel, or never will. */
    void sendPiece(LinkFrame.StreamData frame, ByteBuf payload, Runnable sent) {
        ByteBuf head = LinkFrameCodec.encode(channel.alloc(), frame, payload);
        traffic.sent(head.readableBytes() + payload.readableBytes());
        channel.write(head, channel.voidPromise());
        channel.write(payload).addListener(done -> sent.run());
        flushSoon();
    }

    private void write(ByteBuf head, @Nullable ByteBuf payload) {
        traffic.sent(head.readableBytes() + (payload == null ? 0 : payload.readableBytes()));
        channel.write(head, channel.voidPromise());
        if (payload != null) {
            channel.write(payload, channel.voidPromise());
        }
        flushSoon();
    }

    /** One flush for everything written in this turn of the loop: one TLS record and one system call for many frames. */
    private void flushSoon() {
        if (!flushing) {
            flushing = true;
            channel.eventLoop().execute(flush);
        }
    }

    private void flush() {
        flushing = false;
        channel.flush();
    }

    boolean holdsFrames() {
        return flushing;
    }

    boolean isWritable() {
        return channel.isWritable();
    }

    // ------------------------------------------------------------------------------------------------------- ending

    /** Closes from this side, telling the peer. */
    void close(Cause because, String clause) {
        end(because, clause, null);
        if (channel.isActive() && peer != null) {
            send(new LinkFrame.Bye(clause));
            channel.flush();
        }
        channel.close();
    }

    private void refuse(LinkListener.Refusal reason, String clause) {
        if (!over) {
            end(reason == LinkListener.Refusal.SILENT ? Cause.LOST : Cause.CLOSED_HERE, clause, reason);
            if (handshaken) {
                channel.writeAndFlush(LinkFrameCodec.encode(channel.alloc(), new LinkFrame.Bye(clause), null))
                        .addListener(ChannelFutureListener.CLOSE);
                channel.eventLoop().schedule(() -> channel.close(), FAREWELL_MILLIS, TimeUnit.MILLISECONDS);
            } else {
                channel.close();
            }
        }
    }

    private void end(Cause because, String clause, LinkListener.@Nullable Refusal reason) {
        if (over) {
            return;
        }
        over = true;
        cause = because;
        why = clause;
        refusal = reason;
        decoder.stop();
        // later: whoever closed it must not be called back from within
        channel.eventLoop().execute(() -> owner.closed(this, cause, why, refusal));
    }

    /** Called by the link's tick: a connection on which nothing at all arrives is dead, pings would have come. */
    void checkSilence(long now, long limitNanos, boolean loopWasLate) {
        if (heard || loopWasLate || peer == null) {
            heard = false;
            lastHeardAt = now;
        } else if (now - lastHeardAt > limitNanos) {
            end(Cause.LOST, "nothing was heard for " + TimeUnit.NANOSECONDS.toMillis(now - lastHeardAt) + " ms", null);
            channel.close();
        }
    }

    /**
     * Whether the kernel has had no acknowledgement for sent bytes in this time, while some wait for one: the path is cut in at
     * least one direction. Only where the kernel tells (epoll); a peer whose process stands still acknowledges all the same.
     */
    boolean isStalled(long now, long limitNanos) {
        if (!(channel instanceof EpollSocketChannel socket) || over) {
            return false;
        }
        socket.tcpInfo(tcpInfo);
        long silentNanos = TimeUnit.MILLISECONDS.toNanos(tcpInfo.lastAckRecv());
        if (tcpInfo.unacked() == 0 || unackedSince == 0 || silentNanos < now - unackedSince) {
            unackedSince = now;
            return false;
        }
        return now - unackedSince > limitNanos;
    }

    void ping(long now) {
        if (peer != null && !over && channel.isWritable()) {
            send(new LinkFrame.Ping(now));
        }
    }

    // ------------------------------------------------------------------------------------------------ from the channel

    @Override
    public void channelActive(ChannelHandlerContext context) {
        if (config.plain()) {
            handshaken = true;
            send(owner.greeting());
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (event instanceof SslHandshakeCompletionEvent handshake) {
            if (handshake.isSuccess()) {
                handshaken = true;
                send(owner.greeting());
            } else {
                handshakeFailed(handshake.cause());
            }
        }
    }

    private void handshakeFailed(Throwable failure) {
        HandshakeVerdict verdict = HandshakeVerdict.of(failure);
        end(verdict.cause(), verdict.why(), verdict.refusal());
        channel.close();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        end(Cause.CLOSED_BY_PEER, "the peer closed it", null);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
        if (!over) {
            handshakeFailed(failure);
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
        if (!over) {
            owner.writabilityChanged(this, channel.isWritable());
        }
    }

    // ------------------------------------------------------------------------------------------------ from the decoder

    @Override
    public void arrived(int bytes) {
        heard = true;
        traffic.received(bytes);
    }

    @Override
    public boolean isGreeted() {
        return peer != null;
    }

    @Override
    public long agreedFeatures() {
        LinkFrame.Greeting greeting = peer;
        return greeting == null ? 0 : greeting.features() & config.features();
    }

    /** The newest version that both sides speak; only of a connection that has greeted. */
    int agreedVersion() {
        return config.speaks().common(Objects.requireNonNull(peer).speaks()).orElseThrow();
    }

    /** Whether it has ended already, although its owner may hear of that later. */
    boolean isOver() {
        return over;
    }

    @Override
    public void malformed(MalformedFrameException what) {
        refuse(LinkListener.Refusal.MALFORMED, String.valueOf(what.getMessage()));
    }

    @Override
    public void message(Message message, @Nullable ByteBuf payload) {
        traffic.frameReceived();
        owner.message(this, message, payload);
    }

    @Override
    public void linkFrame(LinkFrame frame, @Nullable ByteBuf payload) {
        traffic.frameReceived();
        switch (frame) {
            case LinkFrame.Greeting greeting -> greeted(greeting);
            case LinkFrame.ForeignGreeting(int version) ->
                refuse(
                        LinkListener.Refusal.VERSION,
                        "it speaks version " + version + " of the link at least, this mirror " + config.speaks()
                                + ": bring both to the same release");
            case LinkFrame.Select() -> {
                if (dialed) {
                    refuse(LinkListener.Refusal.MALFORMED, "SELECT came from the side that was dialed");
                } else {
                    owner.selected(this);
                }
            }
            case LinkFrame.Ping(long sentAt) -> send(new LinkFrame.Pong(sentAt));
            case LinkFrame.Pong(long sentAt) -> measured(clock.nanos() - sentAt);
            case LinkFrame.Bye(String clause) -> {
                end(Cause.CLOSED_BY_PEER, "the peer closed it: " + printable(clause), null);
                channel.close();
            }
            case LinkFrame.StreamOpen open -> owner.streamFrame(this, open, null);
            case LinkFrame.StreamOpened opened -> owner.streamFrame(this, opened, null);
            case LinkFrame.StreamData data -> owner.streamFrame(this, data, payload);
            case LinkFrame.StreamCredit credit -> owner.streamFrame(this, credit, null);
            case LinkFrame.StreamEnd end -> owner.streamFrame(this, end, null);
            case LinkFrame.StreamReset reset -> owner.streamFrame(this, reset, null);
        }
    }

    private void greeted(LinkFrame.Greeting greeting) {
        boolean again = peer != null;
        if (again && !greeting.copy().equals(peerCopy())) {
            refuse(LinkListener.Refusal.MALFORMED, "a second greeting names another copy");
            return;
        }
        Refused refused = owner.greeted(this, greeting);
        if (refused != null) {
            refuse(refused.reason(), refused.sentence());
        }
    }

    /** The owner likes it. */
    void accept(LinkFrame.Greeting greeting) {
        peer = greeting;
    }

    /** There are too many connections, and this one has not greeted. */
    void giveWay() {
        refuse(LinkListener.Refusal.TOO_MANY, "it had not greeted, and there are too many connections");
    }

    /** The peer broke the rules of streams. */
    void streamMisused(String clause) {
        refuse(LinkListener.Refusal.MALFORMED, clause);
    }

    private void measured(long nanos) {
        if (nanos >= 0 && nanos < TimeUnit.MINUTES.toNanos(1)) {
            roundTripNanos = roundTripNanos < 0 ? nanos : roundTripNanos + SMOOTHING * (nanos - roundTripNanos);
        }
    }

    private static String printable(String text) {
        return text.replaceAll("\\p{Cntrl}", " ");
    }

    @Override
    public String toString() {
        return (dialed ? "to " : "from ") + channel.remoteAddress();
    }
}
