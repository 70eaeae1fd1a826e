package dev.pairvm.mirror.core;

/**
 * The rules of the protocol that must not be relaxed, one method each. Production uses them as they are; the tests relax one at a
 * time and show that the simulator then finds lost or ghost data, which is the evidence that it would find a bug there.
 */
class Rules {
    static final Rules STRICT = new Rules();

    /** While a shrink is in doubt, the copy that it removes still counts. */
    boolean unconfirmedShrinkCounts() {
        return true;
    }

    /** While a grow is in doubt, the copy that it adds already counts. */
    boolean unconfirmedGrowCounts() {
        return true;
    }

    /** Frames and acknowledgements of another session are refused. */
    boolean checksSession() {
        return true;
    }

    /** A restarted active compares its activity log with the in-sync peer before it serves. */
    boolean reconcilesBeforeServing() {
        return true;
    }

    /** Only a copy that the record lists in sync is promoted. */
    boolean promotesOnlyInSync() {
        return true;
    }

    /** An unchanged version after a timed-out compare-and-swap proves nothing. */
    boolean unchangedVersionProvesNothing() {
        return true;
    }

    /** Overlapping requests wait for each other. */
    boolean locksRanges() {
        return true;
    }

    /** Resync locks the range it compares. */
    boolean resyncLocksRanges() {
        return true;
    }

    /** Verification locks the range it compares. */
    boolean verifyLocksRanges() {
        return true;
    }

    /** An extent is hot durably before it is written. */
    boolean heatsBeforeWriting() {
        return true;
    }

    /** A flush is done when the peer's is. */
    boolean flushesPeer() {
        return true;
    }

    /** A standby asks for promotion only when its promise has run out. */
    boolean keepsPromise() {
        return true;
    }

    /** An active serves only under a lease. */
    boolean needsLease() {
        return true;
    }

    /** A peer that restarted lost its cache: it is not simply continued. */
    boolean distrustsNewLife() {
        return true;
    }

    /** Chunks not yet durable on a lost peer are dirty. */
    boolean remembersUnflushed() {
        return true;
    }

    /** A joining copy is sealed durably before it is listed in sync. */
    boolean sealsBeforeGrow() {
        return true;
    }

    /** A copy that missed writes which no bitmap names is filled whole. */
    boolean distrustsOldData() {
        return true;
    }

    /** An active whose copy failed goes on only when the record does not list that copy any more. */
    boolean recordsFailedCopy() {
        return true;
    }

    /** This side's disk grows only when its follower's has. */
    boolean growsFollowerFirst() {
        return true;
    }

    /** A copy that is filled is as large as its lead, whatever it was. */
    boolean fillsToOwnSize() {
        return true;
    }

    /** A filled copy compares also what its own activity log names. */
    boolean comparesReturningLog() {
        return true;
    }

    /** The guest speaks freely only when the record is known not to let its twin take over. */
    boolean withdrawsTwinFirst() {
        return true;
    }

    /** Nobody is listed in sync while acknowledged writes are in overlays that the image does not have yet. */
    boolean growsOnlyWhenCommitted() {
        return true;
    }

    /** A twin takes over only when the record says so. */
    boolean takesOverOnlyWhenRecorded() {
        return true;
    }
}
