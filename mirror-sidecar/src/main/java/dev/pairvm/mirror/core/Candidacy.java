package dev.pairvm.mirror.core;

/**
 * When a copy without a lead may ask for promotion: not before a grace after the last beacon it granted (its promise), nor, since a
 * restarted mirror has forgotten its promises, before a grace after its own start; and longer where a return of the active is
 * likely. Data safety does not hang on any of it; the old active's gate does.
 */
final class Candidacy {
    private static final long NANOS_PER_MILLI = 1_000_000;

    private final Side side;
    /** The promise of an earlier life, as far as it can reach. */
    private final long firstPromise;

    private long promiseUntil;
    private long notBefore;
    /** A recorded active that comes and goes without leading is waited for until then, and no longer. */
    private long returnsUntil;

    private boolean activeIsBack;
    private long stopToken;
    private boolean stopped = true;
    private long lastHeard;
    private long readToken;

    Candidacy(Side side) {
        this.side = side;
        firstPromise = side.out.after(side.config.timing().graceMillis());
        promiseUntil = firstPromise;
        notBefore = side.out.after(side.config.waits().standbyReturnsMillis());
        returnsUntil = notBefore;
    }

    /** Follows a lead, and grants. */
    void granting() {
        stopped = false;
        readToken = 0;
        lastHeard = side.out.now();
    }

    void heard(long receivedAt) {
        lastHeard = Math.max(lastHeard, receivedAt);
    }

    /** Whether the lead has been silent for a grace. */
    boolean silent() {
        return side.out.now() - lastHeard > side.config.timing().graceMillis() * NANOS_PER_MILLI;
    }

    /** The session is over; a lead whose process ended on a living host gets time to restart. */
    void lost(boolean processEnded) {
        stopped = false;
        stopToken = side.out.token();
        side.out.emit(new Effect.StopGranting(stopToken));
        side.out.emit(new Effect.StopBeacons());
        promiseUntil = side.out.after(side.config.timing().graceMillis());
        notBefore = processEnded ? side.out.after(side.config.waits().peerRestartMillis()) : 0;
        returnsUntil = side.out.after(side.config.waits().standbyReturnsMillis());
        activeIsBack = false;
    }

    /**
     * The recorded active has greeted this side, which follows nobody: it lives and is about to lead again. Without this a link that
     * moved to another path while a restarted active was attaching looked like a dead host.
     */
    void activeGreeted() {
        activeIsBack = true;
        waitForReturn();
    }

    /** Its link is gone before it led. */
    void activeGone(boolean processEnded) {
        if (activeIsBack) {
            activeIsBack = false;
            if (processEnded) {
                waitForReturn();
            } else {
                notBefore = side.out.after(side.config.timing().graceMillis());
            }
        }
    }

    private void waitForReturn() {
        long back = side.out.after(side.config.waits().peerRestartMillis());
        notBefore = Math.max(notBefore, Math.min(back, returnsUntil));
    }

    void stopped(Event.GrantingStopped event) {
        if (event.token() == stopToken) {
            stopped = true;
            long kept = event.lastHeardAt() + side.config.timing().graceMillis() * NANOS_PER_MILLI;
            promiseUntil = Math.max(firstPromise, kept);
        }
    }

    /** This side led until now: whoever leads next gets time to come. */
    void ledUntilNow() {
        stopped = true;
        promiseUntil = side.out.after(side.config.timing().graceMillis());
        notBefore = side.out.after(side.config.waits().standbyReturnsMillis());
        returnsUntil = notBefore;
        activeIsBack = false;
        readToken = 0;
    }

    boolean due() {
        long now = side.out.now();
        return !side.rules.keepsPromise() || stopped && now >= promiseUntil && now >= notBefore;
    }

    /** Reads the record for the decision: a read made before it was due does not count. */
    void ask() {
        if (readToken == 0) {
            readToken = side.desk.readAfresh();
        }
    }

    /** Whether this read was made for the decision. */
    boolean mayDecideOn(long token) {
        return readToken != 0 && token >= readToken && due();
    }

    void asked() {
        readToken = 0;
    }
}
