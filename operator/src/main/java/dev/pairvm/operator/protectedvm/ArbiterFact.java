package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.ArbiterRecord;

/** What is known of the arbiter Lease. */
public sealed interface ArbiterFact {
    /** There is none. */
    record Missing() implements ArbiterFact {}

    /**
     * There is one that can not be read, or that belongs to another machine.
     *
     * @param ours whether it is this machine's
     */
    record Damaged(String why, boolean ours) implements ArbiterFact {}

    /**
     * This machine's record.
     *
     * @param uid uid of the Lease
     */
    record Known(ArbiterRecord arbiter, String uid) implements ArbiterFact {}
}
