package dev.pairvm.mirror.arbiter;

/** How a compare-and-swap ended, as far as can be known. */
public sealed interface CasResult {
    /** The store confirmed it. {@code version} is the new one. */
    record Applied(String version) implements CasResult {}

    /** Refused: the version had moved. {@code now} was read after the refusal. */
    record Conflict(ReadResult.Read now) implements CasResult {}

    /** The object does not exist. */
    record Missing() implements CasResult {}

    /**
     * Not known: a time-out, a connection lost after sending, a server error, an answer that can not be read. It may have been
     * applied, or may be applied yet; an unchanged version read afterwards does not mean that it failed.
     */
    record Unresolved(String why) implements CasResult {}

    /** It certainly never left this host. */
    record Unreachable(String why) implements CasResult {}
}
