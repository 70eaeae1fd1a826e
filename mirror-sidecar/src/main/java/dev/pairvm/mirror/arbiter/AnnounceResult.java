package dev.pairvm.mirror.arbiter;

/** How {@link Arbiter#announceAddresses} ended. */
public sealed interface AnnounceResult {
    /** The store has them. */
    record Announced() implements AnnounceResult {}

    /** Not, or not known; harmless to try again. */
    record NotAnnounced(String why) implements AnnounceResult {}
}
