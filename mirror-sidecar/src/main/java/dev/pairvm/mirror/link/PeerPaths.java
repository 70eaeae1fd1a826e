package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Event.LinkDown.Cause;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The paths to one peer. Every announced address is a path with a connection of its own; one of them is the <em>carrier</em> of
 * frames, the others stand by, greeted and pinged. The side that dials chooses; the other follows its SELECT. When the carrier
 * ends, or beacons show that its path is silent while another is not, frames move: the listener hears a link-down and a link-up
 * in the same turn, and the core resumes its session's work at once. Nothing is sent again here: what was not acknowledged the core
 * sends again, and it alone knows what that is. Event loop only.
 */
final class PeerPaths {
    /** After a drop, or a link that ended soon: no storm of links that both sides throw away. */
    private static final long FIRST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LASTED_NANOS = TimeUnit.SECONDS.toNanos(2);
    /** Three delayed acknowledgements' time; while beacons are heard, a host that is there has acknowledged long before. */
    private static final long STALL_NANOS = TimeUnit.MILLISECONDS.toNanos(120);
    /** After a move the peer's beacons may still speak of the path before. */
    private static final long SETTLING_NANOS = TimeUnit.MILLISECONDS.toNanos(300);
    /** When a peer appears, its best path may take this much longer than another; after a loss nothing is waited for. */
    private static final long FIRST_CHOICE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    /** How long a better path must be up before frames move back to it. */
    private static final long RETURN_NANOS = TimeUnit.SECONDS.toNanos(30);
    /** How long unsent bytes of a silent path are kept, in case only its acknowledgements were late. */
    private static final int LINGER_MILLIS = 1_000;

    private final CopyId peer;
    private final boolean dials;
    private final LinkCore core;
    private final Map<PeerAddress, PathDialer> dialers = new LinkedHashMap<>();
    private final List<LinkConnection> greeted = new ArrayList<>();
    private @Nullable LinkConnection carrier;
    private @Nullable StreamMux streams;
    private long carrierSince;
    private long chooseNotBefore;
    private long pause = FIRST_PAUSE_NANOS;
    private long betterSince;
    private long lostAt = -LASTED_NANOS;
    private boolean choosing;

    /** What the paths of all peers share. */
    interface LinkCore {
        PathDialer newDialer(PeerPaths paths, PeerAddress address);

        MonotonicClock clock();

        LinkListener listener();

        Beacons beacons();

        LinkTraffic traffic();

        StreamMux newStreams(LinkConnection carrier, CopyId peer);

        void schedule(Runnable task, long nanos);
    }

    PeerPaths(CopyId peer, CopyId self, LinkCore core) {
        this.peer = peer;
        this.dials = self.compareTo(peer) > 0;
        this.core = core;
    }

    CopyId peer() {
        return peer;
    }

    @Nullable
    LinkConnection carrier() {
        return carrier;
    }

    @Nullable
    StreamMux streams() {
        return streams;
    }

    List<LinkConnection> greeted() {
        return greeted;
    }

    /** The peer's addresses, best first. An address that is gone is not dialed again; its connection stays while it lives. */
    void setAddresses(List<PeerAddress> addresses) {
        if (!dials) {
            return;
        }
        Map<PeerAddress, PathDialer> kept = new LinkedHashMap<>();
        for (PeerAddress address : addresses) {
            PathDialer dialer = dialers.remove(address);
            kept.put(address, dialer != null ? dialer : core.newDialer(this, address));
        }
        dialers.values().forEach(PathDialer::stop);
        dialers.clear();
        dialers.putAll(kept);
        dialers.values().forEach(PathDialer::dial);
    }

    void stop() {
        dialers.values().forEach(PathDialer::stop);
    }

    /** Addresses with a greeted connection; on the side that is dialed, where the connections come from. */
    List<String> pathsUp() {
        return greeted.stream().map(this::pathOf).toList();
    }

    private String pathOf(LinkConnection connection) {
        for (PathDialer dialer : dialers.values()) {
            if (dialer.connection() == connection) {
                return dialer.address().toString();
            }
        }
        return connection.channel().remoteAddress() instanceof java.net.InetSocketAddress from
                ? from.getAddress().getHostAddress()
                : String.valueOf(connection.channel().remoteAddress());
    }

    void connectionGreeted(LinkConnection connection) {
        greeted.add(connection);
        dialers.values().stream()
                .filter(dialer -> dialer.connection() == connection)
                .forEach(PathDialer::succeeded);
        core.listener().pathsChanged(peer);
        chooseIfNone();
    }

    void connectionClosed(LinkConnection connection, Cause cause, String why, LinkListener.@Nullable Refusal refusal) {
        boolean was = greeted.remove(connection);
        dialers.values().stream()
                .filter(dialer -> dialer.connection() == connection)
                .forEach(dialer -> dialer.ended(cause, refusal));
        if (connection == carrier) {
            carrierLost(cause, why);
        }
        if (was) {
            core.listener().pathsChanged(peer);
        }
        chooseIfNone();
    }

    /** The core wants this link gone. */
    void drop(String why) {
        LinkConnection dropped = carrier;
        if (dropped != null) {
            detach();
            backOff();
            dropped.close(Cause.CLOSED_HERE, why);
            core.schedule(() -> core.listener().linkDown(peer, Cause.CLOSED_HERE, why), 0);
        }
    }

    private void carrierLost(Cause cause, String why) {
        detach();
        backOff();
        core.listener().linkDown(peer, cause, why);
    }

    private void detach() {
        carrier = null;
        lostAt = core.clock().nanos();
        StreamMux ended = streams;
        streams = null;
        if (ended != null) {
            ended.close("the link ended");
        }
    }

    /** A link that lasted is chosen anew at once, one that did not after a pause that doubles. */
    private void backOff() {
        long now = core.clock().nanos();
        if (now - carrierSince > LASTED_NANOS) {
            pause = FIRST_PAUSE_NANOS;
            chooseNotBefore = now;
        } else {
            chooseNotBefore = now + pause;
            pause = Math.min(LONGEST_PAUSE_NANOS, pause * 2);
        }
    }

    private void chooseIfNone() {
        if (!dials || carrier != null || greeted.isEmpty()) {
            return;
        }
        long now = core.clock().nanos();
        if (!choosing && now - lostAt > LASTED_NANOS && !greeted.contains(firstConnection())) {
            chooseNotBefore = Math.max(chooseNotBefore, now + FIRST_CHOICE_NANOS);
        }
        choosing = true;
        long wait = chooseNotBefore - now;
        if (wait > 0) {
            core.schedule(this::chooseIfNone, wait);
            return;
        }
        LinkConnection best = best();
        if (best != null) {
            best.send(new LinkFrame.Select());
            carry(best);
        }
    }

    private @Nullable LinkConnection firstConnection() {
        return dialers.values().stream().findFirst().map(PathDialer::connection).orElse(null);
    }

    /** The first path, in the order announced, whose connection is up and whose beacons are not known to be silent. */
    private @Nullable LinkConnection best() {
        LinkConnection fallback = greeted.isEmpty() ? null : greeted.getFirst();
        for (PathDialer dialer : dialers.values()) {
            LinkConnection connection = dialer.connection();
            if (connection != null
                    && greeted.contains(connection)
                    && core.beacons().path(connection) != Beacons.Path.SILENT) {
                return connection;
            }
        }
        return fallback;
    }

    /** The dialer has chosen this connection. */
    void selected(LinkConnection connection) {
        if (carrier == connection) {
            return;
        }
        if (carrier != null) {
            retire(carrier, "the peer moved to another path");
        }
        carry(connection);
    }

    private void carry(LinkConnection connection) {
        carrier = connection;
        choosing = false;
        core.beacons().stalled(false);
        carrierSince = core.clock().nanos();
        betterSince = 0;
        streams = core.newStreams(connection, peer);
        LinkFrame.Greeting greeting = Objects.requireNonNull(connection.peer());
        core.listener()
                .linkUp(new LinkListener.PeerUp(
                        peer,
                        pathOf(connection),
                        greeting.life(),
                        connection.agreedVersion(),
                        connection.agreedFeatures()));
        if (!connection.isWritable()) {
            core.listener().writabilityChanged(peer, false);
        }
    }

    /** Frames leave this connection; it stands by, unless bytes are stuck in it. */
    private void retire(LinkConnection old, String why) {
        detach();
        core.listener().linkDown(peer, Cause.LOST, why);
        core.schedule(
                () -> {
                    if (old != carrier && old.channel().unsafe().outboundBuffer() != null && stuck(old)) {
                        old.close(Cause.LOST, "its path is silent");
                    }
                },
                TimeUnit.MILLISECONDS.toNanos(LINGER_MILLIS));
    }

    private static boolean stuck(LinkConnection old) {
        var buffer = old.channel().unsafe().outboundBuffer();
        return buffer != null && buffer.totalPendingWriteBytes() > 0;
    }

    /** Now and then: is the carrier's path silent while another is not, or has a better one been up for long? */
    void check(long now) {
        LinkConnection current = carrier;
        if (current == null || !core.beacons().areWith(peer)) {
            return;
        }
        boolean stalled = current.isStalled(now, STALL_NANOS);
        core.beacons().stalled(stalled);
        if (!dials || greeted.size() < 2) {
            return;
        }
        stalled |= core.beacons().peerStalled() && now - carrierSince > SETTLING_NANOS;
        Beacons.Path path = core.beacons().path(current);
        if (stalled || path == Beacons.Path.SILENT) {
            LinkConnection other = firstAlive(current, stalled);
            if (other != null) {
                move(other, stalled ? "its bytes are not acknowledged" : "its path is silent, another is not");
            }
            return;
        }
        LinkConnection better = best();
        if (better == null || better == current || core.beacons().path(better) != Beacons.Path.HEARD) {
            betterSince = 0;
        } else if (betterSince == 0) {
            betterSince = now;
        } else if (now - betterSince > RETURN_NANOS) {
            move(better, "a better path has been up for " + TimeUnit.NANOSECONDS.toSeconds(RETURN_NANOS) + " s");
        }
    }

    private @Nullable LinkConnection firstAlive(LinkConnection except, boolean perhapsUnknown) {
        for (LinkConnection each : greeted) {
            Beacons.Path path = core.beacons().path(each);
            if (each != except && (path == Beacons.Path.HEARD || (perhapsUnknown && path == Beacons.Path.UNKNOWN))) {
                return each;
            }
        }
        return null;
    }

    private void move(LinkConnection to, String why) {
        LinkConnection old = Objects.requireNonNull(carrier);
        retire(old, why);
        to.send(new LinkFrame.Select());
        carry(to);
        core.traffic().pathSwitched();
    }
}
