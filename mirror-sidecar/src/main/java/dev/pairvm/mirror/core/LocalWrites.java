package dev.pairvm.mirror.core;

/**
 * Counts writes begun on the local store and not yet answered. A stuck write can land late: a copy must not follow a new session
 * before the writes of the old one have come back.
 */
final class LocalWrites {
    private int outstanding;

    void begun() {
        outstanding++;
    }

    void ended() {
        outstanding--;
        ProtocolBugException.check(outstanding >= 0, "every local write is answered once", outstanding);
    }

    boolean none() {
        return outstanding == 0;
    }
}
