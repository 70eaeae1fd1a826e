package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends and hears beacons on a thread and a socket of their own, over every path at once: a data path that is wedged must not
 * silence them, nor may they hide it, so they carry the age of the event loop's last turn and of the oldest local I/O. Datagrams: a
 * lost one costs one interval, where a TCP stream would hold back the later ones for a retransmission time-out.
 *
 * <p>A beacon answers the newest heard from the peer; if this side grants, the answer extends the peer's lease to its own send time
 * plus the lease (the leases of PacificA, MSR-TR-2008-25, section 2.3, with beacons in both directions). Public methods may be called from any thread and do not block.
 */
public final class Beacons {
    private static final Logger LOG = LoggerFactory.getLogger(Beacons.class);
    private static final int MOST_MILLIS = 1 << 20;
    /**
     * An event loop that has not come round for so long is as good as a dead process, and its beacons cease: whoever hears them would go on
     * counting on a side that does nothing. Well above the pauses that heal by themselves (a collection, a burst of handshakes), well
     * below the 10 s after which {@code /livez} has the process ended.
     */
    static final long STUCK_NANOS = TimeUnit.SECONDS.toNanos(3);

    /** What beacons say of a path. */
    enum Path {
        /** Both directions carry beacons. */
        HEARD,
        /** At least one direction does not, while another path does. */
        SILENT,
        /** No session, or silence on all paths. */
        UNKNOWN
    }

    private final long intervalNanos;
    private final MonotonicClock clock;
    private final Executor loop;
    private final LinkListener listener;
    private final Runnable heardOnLoop;
    private final Secret key = Secret.random();
    private final Beacon.Seal ownSeal = new Beacon.Seal(key); // beacon thread only
    private final DatagramChannel socket;
    private final Selector selector;
    private final Thread thread;
    private final ByteBuffer out = ByteBuffer.allocateDirect(Beacon.BYTES);
    private final ByteBuffer in = ByteBuffer.allocateDirect(Beacon.BYTES + 1);

    /** Of this process' life: a lease granted in an earlier session runs on. */
    private final AtomicLong grantedHeardAt = new AtomicLong();

    private volatile List<PeerAddress> own = List.of();
    private volatile @Nullable Target target;
    private volatile long loopTickAt;
    private volatile long oldestIoSince;
    private volatile long epoch;
    private volatile boolean stalled;
    private volatile long sent;
    private volatile long received;
    private volatile long refused;
    private volatile boolean closed;
    /** Tests cut paths by this: answers whether a beacon to the peer's address i is lost. */
    volatile IntPredicate lost = i -> false;

    /** Whom beacons go to and come from, in one session. */
    private record Target(CopyId peer, BeaconSession session, Beacon.Seal peerSeal, List<PeerAddress> to, int port) {}

    Beacons(LinkConfig config, MonotonicClock clock, Executor loop, LinkListener listener, Runnable heardOnLoop)
            throws IOException {
        this.heardOnLoop = heardOnLoop;
        this.intervalNanos = TimeUnit.MILLISECONDS.toNanos(config.beaconMillis());
        this.clock = clock;
        this.loop = loop;
        this.listener = listener;
        this.loopTickAt = clock.nanos();
        selector = Selector.open();
        socket = DatagramChannel.open();
        socket.bind(new InetSocketAddress(config.port()));
        socket.configureBlocking(false);
        socket.register(selector, SelectionKey.OP_READ);
        thread = Thread.ofPlatform().name("beacons").daemon(true).unstarted(this::run);
        thread.start();
    }

    int port() {
        try {
            return ((InetSocketAddress) socket.getLocalAddress()).getPort();
        } catch (IOException e) {
            throw new IllegalStateException("beacon socket is closed", e);
        }
    }

    Secret key() {
        return key;
    }

    void own(List<PeerAddress> addresses) {
        own = List.copyOf(addresses);
    }

    /** Beacons of a session flow from now; the same session again only changes whether this side grants. */
    void begin(CopyId peer, long session, boolean granting, LinkFrame.Greeting greeting) {
        Target current = target;
        if (current != null
                && current.session().session() == session
                && current.peer().equals(peer)) {
            current.session().setGranting(granting);
            return;
        }
        endGrants(current);
        target = new Target(
                peer,
                new BeaconSession(session, intervalNanos, granting, grantedHeardAt),
                new Beacon.Seal(greeting.beaconKey()),
                greeting.addresses(),
                greeting.beaconPort());
        selector.wakeup();
    }

    /** The peer announced other addresses within the session. */
    void moved(CopyId peer, LinkFrame.Greeting greeting) {
        Target current = target;
        if (current != null && current.peer().equals(peer)) {
            target = new Target(
                    peer,
                    current.session(),
                    new Beacon.Seal(greeting.beaconKey()),
                    greeting.addresses(),
                    greeting.beaconPort());
        }
    }

    /**
     * Takes effect before it returns: no beacon that is decided on after it grants anything.
     *
     * @return receive time of the newest beacon that was granted in this process' life, nanoseconds of the clock; 0 if none
     */
    public long stopGranting() {
        endGrants(target);
        return grantedHeardAt.get();
    }

    /** The session is over. */
    public void stop() {
        endGrants(target);
        target = null;
    }

    /** Also of a session that is replaced: its last beacon may be in the making on the other thread. */
    private static void endGrants(@Nullable Target ended) {
        if (ended != null) {
            ended.session().stopGranting();
        }
    }

    /** The event loop turns; call it from there, at least once per beacon. Beacons cease 3 s after the last call. */
    public void loopTicked() {
        loopTickAt = clock.nanos();
    }

    /** Since when the oldest unanswered local I/O waits, nanoseconds of the clock; 0 if there is none. */
    public void oldestIoSince(long nanos) {
        oldestIoSince = nanos;
    }

    /** How long the oldest unanswered local I/O has been waiting, nanoseconds; 0 if there is none. */
    public long oldestIoNanos() {
        long since = oldestIoSince;
        return since == 0 ? 0 : Math.max(0, clock.nanos() - since);
    }

    /** The highest epoch known here, for the peer's information. */
    public void epoch(long known) {
        epoch = known;
    }

    /** Smoothed round trip in nanoseconds, absent before the first measurement of the session. */
    public OptionalLong roundTripNanos() {
        Target current = target;
        long nanos = current == null ? -1 : current.session().roundTripNanos();
        return nanos < 0 ? OptionalLong.empty() : OptionalLong.of(nanos);
    }

    /** Counts since the start, and the longest gap between two beacons heard in the running session. */
    public Counts counts() {
        Target current = target;
        return new Counts(
                sent, received, refused, current == null ? 0 : current.session().longestGapNanos());
    }

    /** {@code refused} were no beacons, not authentic, or of another session. */
    public record Counts(long sent, long received, long refused, long longestGapNanos) {}

    /** Whether beacons flow with this peer. */
    boolean areWith(CopyId peer) {
        Target current = target;
        return current != null && current.peer().equals(peer);
    }

    /** Frames to the peer are not acknowledged; the next beacons say so, for the peer may be the one who chooses paths. */
    void stalled(boolean now) {
        stalled = now;
    }

    boolean peerStalled() {
        Target current = target;
        return current != null && current.session().peerStalled();
    }

    Path path(LinkConnection connection) {
        Target current = target;
        if (current == null || !current.peer().equals(connection.peerCopy())) {
            return Path.UNKNOWN;
        }
        int to = indexOf(current.to(), connection.channel().remoteAddress());
        int from = indexOf(own, connection.channel().localAddress());
        return current.session().path(to, from, clock.nanos());
    }

    private static int indexOf(List<PeerAddress> addresses, java.net.@Nullable SocketAddress address) {
        if (address instanceof InetSocketAddress socket) {
            InetAddress host = socket.getAddress();
            for (int i = 0; i < addresses.size(); i++) {
                if (addresses.get(i).inet().equals(host)) {
                    return i;
                }
            }
        }
        return -1;
    }

    void close() {
        closed = true;
        selector.wakeup();
    }

    // ------------------------------------------------------------------------------------------------- beacon thread

    private void run() {
        long n = 0;
        long nextAt = clock.nanos();
        @Nullable Target before = null;
        while (!closed) {
            try {
                Target now = target;
                if (now != null && (before == null || now.session() != before.session())) {
                    nextAt = clock.nanos(); // the first beacon of a session at once
                }
                before = now;
                await(now == null ? 0 : Math.max(1, TimeUnit.NANOSECONDS.toMillis(nextAt - clock.nanos() + 500_000)));
                boolean heard = hearAll();
                long time = clock.nanos();
                // Awake for the peer's beacon and soon due: now, and from now in step with it. One side's timer then
                // wakes
                // both, and what is granted is as young as the way across, not up to an interval older.
                boolean early = heard && nextAt - time <= intervalNanos / 2;
                if (now != null && now == target && (early || time >= nextAt)) {
                    if (time - loopTickAt < STUCK_NANOS) {
                        sendAll(now, ++n, time);
                    }
                    nextAt = early ? time + intervalNanos : Math.max(nextAt + intervalNanos, time + intervalNanos / 2);
                }
            } catch (IOException | RuntimeException e) {
                if (!closed) { // a loop that has ended takes no more events
                    LOG.warn("beacon socket failed, goes on: {}", e.toString());
                }
            }
        }
        try (selector) {
            socket.close();
        } catch (IOException e) {
            LOG.debug("beacon socket closed with {}", e.toString());
        }
    }

    /** 0: until there is something to hear or a session. */
    private void await(long millis) throws IOException {
        selector.select(millis);
        selector.selectedKeys().clear();
    }

    /** Whether a beacon of the session came that is newer than all before. */
    private boolean hearAll() throws IOException {
        boolean news = false;
        for (int i = 0; i < 64; i++) { // a flood must not keep this thread from sending
            in.clear();
            if (socket.receive(in) == null) {
                break;
            }
            in.flip();
            news |= hear();
        }
        return news;
    }

    private boolean hear() {
        Target current = target;
        Beacon beacon = current == null ? null : Beacon.read(in, current.peerSeal());
        if (current == null
                || beacon == null
                || beacon.session() != current.session().session()) {
            refused = refused + 1;
            return false;
        }
        received = received + 1;
        BeaconSession session = current.session();
        boolean news = session.isNews(beacon);
        if (session.heard(beacon, clock.nanos())) {
            loop.execute(() -> {
                BeaconSession.Heard heard = session.takeHeard();
                if (heard != null) {
                    listener.beaconHeard(heard.event(), heard.health());
                    heardOnLoop.run();
                }
            });
        }
        return news;
    }

    private void sendAll(Target to, long n, long now) {
        Beacon beacon = to.session()
                .next(
                        n,
                        now,
                        stalled,
                        epoch,
                        ageMillis(now, loopTickAt),
                        oldestIoSince == 0 ? 0 : ageMillis(now, oldestIoSince));
        beacon.write(out, ownSeal);
        List<PeerAddress> addresses = to.to();
        for (int i = 0; i < addresses.size(); i++) {
            if (!lost.test(i)) {
                Beacon.readdress(out, i);
                send(new InetSocketAddress(addresses.get(i).inet(), to.port()));
            }
        }
    }

    private void send(InetSocketAddress address) {
        try {
            socket.send(out, address);
            sent = sent + 1;
        } catch (IOException e) {
            LOG.debug("no beacon to {}: {}", address, e.toString()); // an unreachable network: silence says it all
        }
    }

    private static int ageMillis(long now, long then) {
        return (int) Math.clamp(TimeUnit.NANOSECONDS.toMillis(now - then), 0, MOST_MILLIS);
    }
}
