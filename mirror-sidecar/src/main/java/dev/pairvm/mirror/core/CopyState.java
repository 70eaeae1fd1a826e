package dev.pairvm.mirror.core;

/** State of this side's copy as its superblock says it (DRBD's words in brackets). */
public enum CopyState {
    /** Never formatted, or the volume was replaced (Diskless, Inconsistent). */
    BLANK,
    /** Being filled: neither old nor new (Inconsistent, SyncTarget). */
    SYNCING,
    /** Consistent but old (Outdated). */
    STALE,
    /** Held every acknowledged write when it was last sealed; promotable only if the arbiter record agrees (UpToDate). */
    IN_SYNC,
    /** The device failed a write, a flush or a metadata write (Failed). */
    FAILED
}
