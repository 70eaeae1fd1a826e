package dev.pairvm.mirror.arbiter;

import dev.pairvm.api.mirror.ArbiterRecord;

/** How a read ended. */
public sealed interface ReadResult {
    /**
     * The newest record.
     *
     * @param version opaque; what a compare-and-swap is conditional on
     * @param uid of the object in the store: another uid is another history
     */
    record Read(ArbiterRecord arbiter, String version, String uid) implements ReadResult {}

    /** The object does not exist: the arbiter is lost. Never a fresh start; only the operator's provisioning makes one. */
    record Missing() implements ReadResult {}

    /** The object exists but holds no record. {@code why} names the field. Nobody may promote on it. */
    record Malformed(String why) implements ReadResult {}

    /** No answer that counts within the limit: network, TLS, overload, or no right to read. */
    record Unreachable(String why) implements ReadResult {}
}
