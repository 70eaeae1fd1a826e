package dev.pairvm.mirror.core;

/** Sentences for what is wrong with the arbiter, each with the way out. */
final class ArbiterTrouble {
    private ArbiterTrouble() {}

    static String sentence(Problem.Kind kind, String why) {
        return switch (kind) {
            case ARBITER_UNREACHABLE ->
                "The arbiter does not answer (" + why
                        + "); nothing stops, but a further fault would suspend the machine.";
            case ARBITER_LOST ->
                "The arbiter record is lost (" + why
                        + "); nothing is started or promoted on a new one. Restore the Lease.";
            case ARBITER_MALFORMED -> "The arbiter record can not be read (" + why + "); restore the Lease.";
            case ARBITER_ROLLBACK ->
                "The arbiter record was restored from an older state (" + why
                        + "); this side neither starts nor promotes. Decide which copy is right and set the epoch above both.";
            case DISK_LOST,
                    FOREIGN_DISK,
                    DISK_FAILED,
                    PEER_NOT_USABLE,
                    SUSPENDED,
                    PEER_SLOW,
                    DISK_NOT_GROWN,
                    TWIN_FAILED -> why;
        };
    }
}
