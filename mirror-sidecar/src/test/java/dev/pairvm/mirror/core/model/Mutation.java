package dev.pairvm.mirror.core.model;

/** A rule of the protocol switched off. */
enum Mutation {
    NONE,
    /** M1: acknowledge without the peer while the shrink that drops it is in doubt. */
    ACK_DURING_UNCONFIRMED_SHRINK,
    /** M2: shrink without compare-and-swap. */
    SHRINK_WITHOUT_CAS,
    /** M3: the peer applies frames of an old session. */
    NO_SESSION_CHECK,
    /** M4: a joiner's acknowledgement is not needed before its grow is confirmed. */
    JOINER_NOT_REQUIRED,
    /** M5: serve after a restart without reconciling with the in-sync peer. */
    SERVE_UNRECONCILED,
    /** M6: promote a copy that is not listed in sync. */
    PROMOTE_NOT_IN_SYNC,
    /** M7: promote without compare-and-swap. */
    PROMOTE_WITHOUT_CAS,
    /** M8: an unchanged version after a time-out is taken for a failed compare-and-swap. */
    UNCHANGED_MEANS_FAILED,
    /** M9: a restarted active does not raise the epoch. */
    START_WITHOUT_CAS
}
