package dev.pairvm.mirror.core;

import java.util.Map;

/**
 * Something an administrator should know; stays until {@link Effect.ClearProblem}. At most one per kind.
 *
 * @param kind from a closed set; its name in CamelCase becomes the reason in the report
 * @param message one sentence with the way out
 * @param facts the numbers and names behind it
 */
public record Problem(Kind kind, String message, Map<String, String> facts) {
    /** Kinds of problem. */
    public enum Kind {
        /** The last exchange with the arbiter failed. */
        ARBITER_UNREACHABLE,
        /** The arbiter record does not exist, or is another object than the one pinned. Never a fresh start. */
        ARBITER_LOST,
        /** The arbiter record can not be read. */
        ARBITER_MALFORMED,
        /** The record's epoch is lower than one seen before: it was restored from a backup. */
        ARBITER_ROLLBACK,
        /** The record names this copy active, but its disks are blank. */
        DISK_LOST,
        /** The disks belong to another machine or copy. */
        FOREIGN_DISK,
        /** A write, a flush or a metadata write failed on this copy; it is out. */
        DISK_FAILED,
        /** The peer's copy is not usable: blank though listed, of other lineage, or its disk failed. */
        PEER_NOT_USABLE,
        /** Guest I/O is held because neither the peer nor the arbiter gives leave. */
        SUSPENDED,
        /** The peer was dropped because its acknowledgements were late. */
        PEER_SLOW,
        /** A disk was to grow, and a copy's volume can not hold it. */
        DISK_NOT_GROWN,
        /** The guest's twin ended by itself or could not be begun (level 3); the machine is at level 2 meanwhile. */
        TWIN_FAILED
    }

    /** Copies the facts. */
    public Problem {
        facts = Map.copyOf(facts);
    }
}
