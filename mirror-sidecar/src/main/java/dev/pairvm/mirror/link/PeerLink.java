package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Event.LinkDown.Cause;
import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The link to the other mirrors of this machine, over TCP with TLS 1.3 and certificates on both sides. Listens on all interfaces;
 * of two mirrors the one with the higher copy name dials, every announced address of the other. Per peer one connection carries
 * frames, in order, and the others stand by ({@link PeerPaths}).
 *
 * <p>Everything but the constructor on the event loop handed in. Bounds: {@value #MOST_CONNECTIONS} connections, frames as in
 * {@link FrameHeader}, unsent bytes as {@link LinkConfig} says (a signal, not a limit: the core's window is the limit).
 */
public final class PeerLink implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PeerLink.class);

    private static final int MOST_CONNECTIONS = 32;
    /** Pace of pings, and of looking for silence; while beacons are heard, paths are looked at with each of them. */
    private static final long TICK_MILLIS = 1_000;

    /** Half-open connections go after this; in a session beacons have told long before. */
    private static final long SILENCE_NANOS = TimeUnit.SECONDS.toNanos(4);
    /** A tick as late as this means that this process stood still, not that the peer did. */
    private static final long LATE_NANOS = TimeUnit.MILLISECONDS.toNanos(TICK_MILLIS + 250);
    /** The same refusal is told again only so often. */
    private static final long REFUSAL_QUIET_NANOS = TimeUnit.SECONDS.toNanos(60);

    private static final int MOST_REFUSALS_REMEMBERED = 256;

    /** EOPNOTSUPP. */
    private static final int NOT_SUPPORTED = 95;

    private final LinkConfig config;
    private final LinkTls tls;
    private final EventLoop loop;
    private final MonotonicClock clock;
    private final LinkListener listener;
    private final LinkTransport transport;
    private final Beacons beacons;
    private final StreamDesk streams;
    private final LinkTraffic traffic = new LinkTraffic();
    private final Map<CopyId, PeerPaths> peers = new TreeMap<>();
    private final Set<LinkConnection> connections = new LinkedHashSet<>();
    private final Map<String, Long> refusalsTold = new LinkedHashMap<>();
    private final long life = new SecureRandom().nextLong();
    private final Sharing sharing = new Sharing();
    private List<PeerAddress> own = List.of();
    private @Nullable Channel acceptor;
    private long lastTickAt;
    private boolean closed;

    /**
     * Prepares the link and starts the beacon thread; nothing listens or dials yet.
     *
     * @throws LinkSetupException if TLS material or the UDP port can not be used
     */
    public PeerLink(LinkConfig config, TlsFiles tls, EventLoop loop, MonotonicClock clock, LinkListener listener)
            throws LinkSetupException {
        this.config = config;
        this.tls = new LinkTls(tls, config.machineUid(), config.self());
        this.loop = loop;
        this.clock = clock;
        this.listener = listener;
        if (config.plain()) {
            LOG.warn("the link is in the clear and believes whoever connects: for benchmarks on one host only");
        }
        this.transport = new LinkTransport(loop);
        this.streams = new StreamDesk(transport, this::streamsTo);
        try {
            this.beacons = new Beacons(config, clock, loop, listener, this::checkPaths);
        } catch (IOException e) {
            throw new LinkSetupException(
                    "UDP port " + config.port() + " can not be used for beacons: " + e.getMessage(), e);
        }
    }

    /** Listens; gives the TCP port. */
    public Future<Integer> listen() {
        Promise<Integer> port = loop.newPromise();
        transport
                .acceptor()
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        accepted(channel);
                    }
                })
                .bind(config.port())
                .addListener(done -> {
                    if (done.isSuccess()) {
                        Channel bound = ((ChannelFuture) done).channel();
                        acceptor = bound;
                        lastTickAt = clock.nanos();
                        loop.scheduleAtFixedRate(this::tick, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
                        port.setSuccess(((InetSocketAddress) bound.localAddress()).getPort());
                    } else {
                        port.setFailure(done.cause());
                    }
                });
        return port;
    }

    /** Where this mirror can be reached, best path first, at most eight; told to every peer. */
    public void announce(List<PeerAddress> addresses) {
        if (addresses.size() > LinkFrameCodec.MOST_ADDRESSES) {
            throw new IllegalArgumentException(
                    "at most " + LinkFrameCodec.MOST_ADDRESSES + " addresses, got " + addresses);
        }
        if (!own.equals(addresses)) {
            own = List.copyOf(addresses);
            beacons.own(own);
            connections.stream().filter(LinkConnection::isGreeted).forEach(each -> each.send(sharing.greeting()));
        }
    }

    /**
     * The other mirrors and where they can be reached, as the arbiter record says; a copy that is not in it is no longer dialed. This
     * one's own entry is passed over.
     */
    public void peers(Map<CopyId, List<PeerAddress>> known) {
        known.forEach((copy, addresses) -> {
            if (!copy.equals(config.self())) {
                paths(copy).setAddresses(addresses);
            }
        });
        peers.forEach((copy, paths) -> {
            if (!known.containsKey(copy)) {
                paths.setAddresses(List.of());
            }
        });
    }

    private PeerPaths paths(CopyId copy) {
        return peers.computeIfAbsent(copy, peer -> new PeerPaths(peer, config.self(), sharing));
    }

    /** Sends a frame without payload. Without a link it is dropped, and the answer is false. */
    public boolean send(CopyId peer, Message message) {
        return sendTo(peer, message, null);
    }

    /** Sends a frame with its payload, whose reference passes to the link in any case. Without a link both are dropped. */
    public boolean send(CopyId peer, Message message, ByteBuf payload) {
        return sendTo(peer, message, payload);
    }

    private boolean sendTo(CopyId peer, Message message, @Nullable ByteBuf payload) {
        LinkConnection carrier = carrier(peer);
        if (carrier == null) {
            ReferenceCountUtil.release(payload);
            return false;
        }
        if (message instanceof Message.Read read && (carrier.agreedFeatures() & LinkFrame.Feature.READS) == 0) {
            // A peer of an earlier release would end the link over it, and with that the pair. It can not read for us:
            // said in its place.
            loop.execute(() -> {
                if (carrier(peer) == carrier) {
                    listener.messageReceived(
                            peer,
                            new Message.ReadFailed(read.epoch(), read.session(), read.seq(), NOT_SUPPORTED),
                            null);
                }
            });
            return true;
        }
        carrier.send(message, payload);
        return true;
    }

    /** Whether frames wait for the end of this turn of the loop, to leave in one piece; the task that sends them is queued. */
    public boolean holdsFrames() {
        for (PeerPaths paths : peers.values()) {
            LinkConnection carrier = paths.carrier();
            if (carrier != null && carrier.holdsFrames()) {
                return true;
            }
        }
        return false;
    }

    private @Nullable LinkConnection carrier(CopyId peer) {
        PeerPaths paths = peers.get(peer);
        return paths == null ? null : paths.carrier();
    }

    private @Nullable StreamMux streamsTo(CopyId peer) {
        PeerPaths paths = peers.get(peer);
        return paths == null ? null : paths.streams();
    }

    /** Whether a link is up and has room below its high-water mark. */
    public boolean isWritable(CopyId peer) {
        LinkConnection carrier = carrier(peer);
        return carrier != null && carrier.isWritable();
    }

    /** Whether a link is up. */
    public boolean isUp(CopyId peer) {
        return carrier(peer) != null;
    }

    /** Stops or resumes reading from the peer: back-pressure for a store that is behind. */
    public void setReading(CopyId peer, boolean reading) {
        LinkConnection carrier = carrier(peer);
        if (carrier != null) {
            carrier.channel().config().setAutoRead(reading);
        }
    }

    /** Closes the link to this peer; the listener hears {@link Cause#CLOSED_HERE} later, and a new link follows after a pause. */
    public void drop(CopyId peer, String why) {
        PeerPaths paths = peers.get(peer);
        if (paths != null) {
            paths.drop(why);
        }
    }

    /** Beacons of this session flow from now; again for the same session: changes whether this side grants. */
    public void setBeacons(CopyId peer, long session, boolean granting) {
        LinkConnection carrier = carrier(peer);
        LinkFrame.Greeting greeting = carrier == null ? null : carrier.peer();
        if (greeting != null) {
            beacons.begin(peer, session, granting, greeting);
        }
    }

    /** Stop granting, stop beacons, and what the loop tells them; see there. */
    public Beacons beacons() {
        return beacons;
    }

    /** Byte streams inside the link. */
    public StreamDesk streams() {
        return streams;
    }

    /** Counters since the start. */
    public LinkTraffic traffic() {
        return traffic;
    }

    /** Paths to this peer with a connection that is up. */
    public List<String> pathsUp(CopyId peer) {
        PeerPaths paths = peers.get(peer);
        return paths == null ? List.of() : paths.pathsUp();
    }

    /** Smoothed round trip in nanoseconds, by beacons in a session, else by pings. */
    public OptionalLong roundTripNanos(CopyId peer) {
        OptionalLong measured = beacons.roundTripNanos();
        LinkConnection carrier = carrier(peer);
        if (measured.isPresent() || carrier == null || carrier.roundTripNanos() < 0) {
            return measured;
        }
        return OptionalLong.of(carrier.roundTripNanos());
    }

    /** Closes every connection, telling peers, and stops listening, dialing and beacons. */
    @Override
    public void close() {
        closed = true;
        if (acceptor != null) {
            acceptor.close();
        }
        peers.values().forEach(PeerPaths::stop);
        for (LinkConnection connection : new ArrayList<>(connections)) {
            connection.close(Cause.CLOSED_HERE, "this mirror stops");
        }
        beacons.close();
    }

    // --------------------------------------------------------------------------------------------------- connections

    private void accepted(Channel channel) {
        if (closed) {
            channel.close();
            return;
        }
        if (connections.size() >= MOST_CONNECTIONS) {
            makeRoom();
        }
        LinkConnection connection = connection(channel, new Connected(null), false);
        connection.install(config.plain() ? null : tls.server().newHandler(channel.alloc()));
    }

    /** Strangers that open connections and say nothing must not keep a peer out: the one that has been silent longest goes. */
    private void makeRoom() {
        connections.stream()
                // Those that are over leave the set only after this turn, in which many may be accepted.
                .filter(each -> !each.isDialed() && !each.isGreeted() && !each.isOver())
                .findFirst()
                .ifPresent(LinkConnection::giveWay);
    }

    /** Connections that are there, greeted or not. */
    int connections() {
        return connections.size();
    }

    private LinkConnection connection(Channel channel, Connected owner, boolean dialed) {
        channel.config()
                .setOption(
                        ChannelOption.WRITE_BUFFER_WATER_MARK,
                        new WriteBufferWaterMark(config.lowWaterBytes(), config.highWaterBytes()));
        LinkConnection connection = new LinkConnection(owner, config, clock, channel, traffic, dialed);
        connections.add(connection);
        return connection;
    }

    private void tick() {
        long now = clock.nanos();
        boolean late = now - lastTickAt > LATE_NANOS;
        lastTickAt = now;
        for (LinkConnection connection : List.copyOf(connections)) {
            connection.checkSilence(now, SILENCE_NANOS, late);
            connection.ping(now);
        }
    }

    /** A beacon was heard: only then can one path be silent while another is not. */
    private void checkPaths() {
        long now = clock.nanos();
        peers.values().forEach(paths -> paths.check(now));
    }

    private void tellRefusal(LinkListener.Refusal reason, String sentence) {
        long now = clock.nanos();
        Long told = refusalsTold.get(sentence);
        if (told == null || now - told > REFUSAL_QUIET_NANOS) {
            if (refusalsTold.size() >= MOST_REFUSALS_REMEMBERED) {
                refusalsTold.clear();
            }
            refusalsTold.put(sentence, now);
            LOG.warn("{}", sentence);
        }
        listener.refused(reason, sentence);
    }

    /** What the paths of all peers share. */
    private final class Sharing implements PeerPaths.LinkCore {
        LinkFrame.Greeting greeting() {
            return new LinkFrame.Greeting(
                    config.speaks(),
                    config.features(),
                    config.machineUid(),
                    config.self(),
                    life,
                    beacons.port(),
                    beacons.key(),
                    own);
        }

        @Override
        public PathDialer newDialer(PeerPaths paths, PeerAddress address) {
            return new PathDialer(transport, loop, address, new PathDialer.Owner() {
                @Override
                public @Nullable SslHandler clientTls(Channel channel, PeerAddress to) {
                    return config.plain() ? null : tls.client().newHandler(channel.alloc(), to.host(), to.port());
                }

                @Override
                public LinkConnection connecting(PathDialer dialer, Channel channel) {
                    return connection(channel, new Connected(paths), true);
                }
            });
        }

        @Override
        public MonotonicClock clock() {
            return clock;
        }

        @Override
        public LinkListener listener() {
            return listener;
        }

        @Override
        public Beacons beacons() {
            return beacons;
        }

        @Override
        public LinkTraffic traffic() {
            return traffic;
        }

        @Override
        public StreamMux newStreams(LinkConnection carrier, CopyId peer) {
            return new StreamMux(carrier, peer, streams::acceptor);
        }

        @Override
        public void schedule(Runnable task, long nanos) {
            loop.schedule(task, nanos, TimeUnit.NANOSECONDS);
        }
    }

    /** Hears of one connection; on the side that is dialed it learns from the greeting whose it is. */
    private final class Connected implements LinkConnection.Owner {
        private @Nullable PeerPaths paths;

        Connected(@Nullable PeerPaths paths) {
            this.paths = paths;
        }

        @Override
        public LinkFrame.Greeting greeting() {
            return sharing.greeting();
        }

        @Override
        public LinkConnection.@Nullable Refused greeted(LinkConnection connection, LinkFrame.Greeting greeting) {
            LinkConnection.Refused refused = judge(connection, greeting);
            if (refused != null) {
                return refused;
            }
            boolean first = !connection.isGreeted();
            connection.accept(greeting);
            PeerPaths known = paths == null ? paths(greeting.copy()) : paths;
            paths = known;
            if (!greeting.addresses().isEmpty()) {
                known.setAddresses(greeting.addresses());
            }
            if (first) {
                known.connectionGreeted(connection);
            } else {
                beacons.moved(greeting.copy(), greeting);
            }
            return null;
        }

        /** Without TLS the greeting is believed, as far as it is of this machine. */
        private CertificateIdentity ofThisMachine(LinkFrame.Greeting greeting) {
            return new CertificateIdentity.OfCopy(config.machineUid(), greeting.copy());
        }

        private LinkConnection.@Nullable Refused judge(LinkConnection connection, LinkFrame.Greeting greeting) {
            CertificateIdentity named = new CertificateIdentity.OfCopy(greeting.machineUid(), greeting.copy());
            CertificateIdentity certificate = config.plain() ? ofThisMachine(greeting) : connection.certificate();
            if (!certificate.equals(named)) {
                return new LinkConnection.Refused(
                        LinkListener.Refusal.IDENTITY,
                        "it greets as copy " + greeting.copy() + " but its certificate is of " + certificate);
            }
            if (config.speaks().common(greeting.speaks()).isEmpty()) {
                return new LinkConnection.Refused(
                        LinkListener.Refusal.VERSION,
                        "it speaks " + greeting.speaks() + " of the link, this mirror " + config.speaks()
                                + ": bring both to the same release");
            }
            if (paths != null && !paths.peer().equals(greeting.copy())) {
                return new LinkConnection.Refused(
                        LinkListener.Refusal.IDENTITY,
                        "copy " + greeting.copy() + " answered at an address of copy " + paths.peer());
            }
            if (!connection.isDialed() && greeting.copy().compareTo(config.self()) < 0) {
                return new LinkConnection.Refused(
                        LinkListener.Refusal.IDENTITY,
                        "copy " + greeting.copy() + " dialed copy " + config.self() + "; the higher name dials");
            }
            return null;
        }

        @Override
        public void selected(LinkConnection connection) {
            if (paths != null) {
                paths.selected(connection);
            }
        }

        @Override
        public void message(LinkConnection connection, Message message, @Nullable ByteBuf payload) {
            PeerPaths known = paths;
            if (known != null && known.carrier() == connection) {
                listener.messageReceived(known.peer(), message, payload);
            } else {
                ReferenceCountUtil.release(payload); // of a link that has ended
            }
        }

        @Override
        public void streamFrame(LinkConnection connection, LinkFrame frame, @Nullable ByteBuf payload) {
            StreamMux mux = paths != null && paths.carrier() == connection ? paths.streams() : null;
            if (mux == null) {
                ReferenceCountUtil.release(payload);
            } else {
                mux.frame(frame, payload);
            }
        }

        @Override
        public void writabilityChanged(LinkConnection connection, boolean writable) {
            PeerPaths known = paths;
            if (known != null && known.carrier() == connection) {
                listener.writabilityChanged(known.peer(), writable);
            }
        }

        @Override
        public void closed(LinkConnection connection, Cause cause, String why, LinkListener.@Nullable Refusal refusal) {
            connections.remove(connection);
            if (refusal != null) {
                tellRefusal(refusal, "connection " + who(connection) + " refused: " + why);
            } else {
                LOG.debug("connection {} ended: {}, {}", connection, cause, why);
            }
            if (paths != null) {
                paths.connectionClosed(connection, cause, why, refusal);
            }
        }

        /** Without the port of an accepted one, which is another each time. */
        private String who(LinkConnection connection) {
            return !connection.isDialed() && connection.channel().remoteAddress() instanceof InetSocketAddress from
                    ? "from " + from.getAddress().getHostAddress()
                    : connection.toString();
        }
    }
}
