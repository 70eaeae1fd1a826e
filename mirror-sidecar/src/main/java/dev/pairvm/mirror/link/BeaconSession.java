package dev.pairvm.mirror.link;

import dev.pairvm.mirror.core.Event;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * What this side knows of the beacons of one session, and the promise it makes by them. Guarded by its own monitor: the beacon
 * thread and the event loop meet here, and nowhere else; nothing in here blocks.
 */
final class BeaconSession {
    /** Silence of a path, in intervals, after which it counts as silent. Two beacons lost, and half an interval of jitter. */
    private static final double SILENT_AFTER = 2.5;
    /** How fresh the newest beacon on any path must be for silence on another to mean that path. */
    private static final double FRESH = 1.5;

    private static final double SMOOTHING = 0.125;

    private final long session;
    private final long intervalNanos;
    private final AtomicLong grantedHeardAt;
    private final long[] heardOn = new long[8];
    private boolean granting;
    private long newestN;
    private long newestSentAt;
    private long newestHeardAt;
    private long firstHeardAt;
    private int peersMask;
    private boolean peerStalled;
    private double roundTripNanos = -1;
    private long longestGapNanos;
    private @Nullable Heard waiting;

    /** What the event loop will be told: the newest of what was heard since it last listened. */
    record Heard(Event.BeaconHeard event, LinkListener.PeerHealth health) {}

    /** {@code grantedHeardAt} outlives the session: a promise given in an earlier one binds still. */
    BeaconSession(long session, long intervalNanos, boolean granting, AtomicLong grantedHeardAt) {
        this.session = session;
        this.grantedHeardAt = grantedHeardAt;
        this.intervalNanos = intervalNanos;
        this.granting = granting;
    }

    long session() {
        return session;
    }

    synchronized void setGranting(boolean granting) {
        this.granting = granting;
    }

    /** From here no beacon grants; a grant that is still on its way to the socket was noted when it was decided. */
    synchronized void stopGranting() {
        granting = false;
    }

    /** Decides what the next beacon says; a grant is noted before it can leave this host. */
    synchronized Beacon next(long n, long now, boolean stalled, long epoch, int tickAgeMillis, int oldestIoMillis) {
        boolean grants = granting && newestSentAt != 0;
        if (grants) {
            grantedHeardAt.accumulateAndGet(newestHeardAt, Math::max);
        }
        long hold = newestHeardAt == 0 ? 0 : now - newestHeardAt;
        return new Beacon(
                0,
                grants,
                stalled,
                heardMask(now),
                n,
                now,
                newestSentAt,
                hold,
                session,
                epoch,
                tickAgeMillis,
                oldestIoMillis);
    }

    private int heardMask(long now) {
        int mask = 0;
        for (int i = 0; i < heardOn.length; i++) {
            if (heardOn[i] != 0 && now - heardOn[i] <= SILENT_AFTER * intervalNanos) {
                mask |= 1 << i;
            }
        }
        return mask;
    }

    /** Whether it was sent after all that were heard. */
    synchronized boolean isNews(Beacon beacon) {
        return beacon.n() > newestN;
    }

    /** Takes an authentic beacon of this session. Answers whether the loop must be woken: something new waits for it. */
    synchronized boolean heard(Beacon beacon, long now) {
        if (beacon.to() < heardOn.length && beacon.n() + 2 >= newestN) {
            heardOn[beacon.to()] = now;
        }
        if (beacon.n() <= newestN) {
            return false; // the copy on another path, or a late one
        }
        if (newestHeardAt == 0) {
            firstHeardAt = now;
        } else {
            longestGapNanos = Math.max(longestGapNanos, now - newestHeardAt);
        }
        newestN = beacon.n();
        newestSentAt = beacon.sentAt();
        newestHeardAt = now;
        peersMask = beacon.heardMask();
        peerStalled = beacon.stalled();
        measure(now - beacon.echoSentAt() - beacon.holdNanos(), beacon.echoSentAt() != 0);
        long granted = beacon.granted() ? beacon.echoSentAt() : 0;
        boolean wake = waiting == null;
        if (waiting != null) {
            granted = Math.max(granted, waiting.event().grantedSentAt());
        }
        waiting = new Heard(
                new Event.BeaconHeard(session, now, granted),
                new LinkListener.PeerHealth(beacon.epoch(), beacon.loopTickAgeMillis(), beacon.oldestIoMillis()));
        return wake;
    }

    private void measure(long nanos, boolean possible) {
        if (possible && nanos >= 0 && nanos < 60_000_000_000L) {
            roundTripNanos = roundTripNanos < 0 ? nanos : roundTripNanos + SMOOTHING * (nanos - roundTripNanos);
        }
    }

    synchronized @Nullable Heard takeHeard() {
        Heard taken = waiting;
        waiting = null;
        return taken;
    }

    /** State of the path that goes out to the peer's address {@code to} and comes in at this side's {@code from}; -1: not known. */
    synchronized Beacons.Path path(int to, int from, long now) {
        if (to < 0 || newestHeardAt == 0 || now - newestHeardAt > FRESH * intervalNanos) {
            return Beacons.Path.UNKNOWN;
        }
        boolean out = (peersMask >> to & 1) != 0;
        boolean in = from < 0 || (heardMask(now) >> from & 1) != 0;
        if (out && in) {
            return Beacons.Path.HEARD;
        }
        // One path is always the first to be heard; the others have as long as any silence takes to count.
        return now - firstHeardAt <= SILENT_AFTER * intervalNanos ? Beacons.Path.UNKNOWN : Beacons.Path.SILENT;
    }

    /** Whether the peer said last that its frames are not acknowledged. */
    synchronized boolean peerStalled() {
        return peerStalled;
    }

    synchronized long roundTripNanos() {
        return (long) roundTripNanos;
    }

    synchronized long longestGapNanos() {
        return longestGapNanos;
    }

    @Override
    public synchronized String toString() {
        return "session " + Long.toHexString(session) + " heard " + Arrays.toString(heardOn);
    }
}
