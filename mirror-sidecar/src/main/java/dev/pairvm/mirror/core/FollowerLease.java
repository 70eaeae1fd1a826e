package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.CopyId;
import org.jspecify.annotations.Nullable;

/**
 * What beacons say of the follower: the lease that it grants, and whether it is silent. A beacon sent at {@code t} (own clock) that it
 * answered with a grant lets this side serve until {@code t + lease}; it promised to wait a grace from a later moment.
 */
final class FollowerLease {
    private static final long NANOS_PER_MILLI = 1_000_000;
    /** Beacons missed before the follower is suspected. */
    private static final int SUSPECT_BEACONS = 5;
    /** A gap between own ticks above this says that this side was the slow one (Lifeguard). */
    private static final long LATE_TICK_NANOS = 100 * NANOS_PER_MILLI;

    private final Side side;
    private long until;
    private @Nullable CopyId from;
    private long lastHeard;
    private long lastTick;
    private long trustUntil;

    FollowerLease(Side side) {
        this.side = side;
    }

    long until() {
        return until;
    }

    boolean holds() {
        return side.out.now() < until;
    }

    /** What another copy granted is no lease of this one. */
    void attaching(CopyId peer) {
        if (!peer.equals(from)) {
            from = peer;
            until = 0;
        }
    }

    void attached() {
        lastHeard = side.out.now();
    }

    /** Whether it granted anything. */
    boolean heard(Event.BeaconHeard beacon) {
        lastHeard = Math.max(lastHeard, beacon.receivedAt());
        if (beacon.grantedSentAt() == 0) {
            return false;
        }
        until = Math.max(until, beacon.grantedSentAt() + side.config.timing().leaseMillis() * NANOS_PER_MILLI);
        return true;
    }

    void tick() {
        long now = side.out.now();
        if (now - lastTick > LATE_TICK_NANOS) {
            trustUntil = now + side.config.timing().beaconMillis() * NANOS_PER_MILLI;
        }
        lastTick = now;
    }

    /** Whether this side has ticked long enough to judge the other. */
    boolean mayJudge() {
        return side.out.now() >= trustUntil;
    }

    boolean silent() {
        long patience = SUSPECT_BEACONS * side.config.timing().beaconMillis() * NANOS_PER_MILLI;
        return side.out.now() - lastHeard > patience;
    }
}
