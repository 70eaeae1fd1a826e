package dev.pairvm.mirror.core;

/** How far level 3 is at the active. {@link Twin} draws how one follows from another. */
public enum TwinStage {
    /** No twin. */
    NONE,
    /** The two QEMUs are being brought together; the peer would boot. */
    STARTING,
    /** They run as twins; the record does not say so for certain. */
    RECORDING,
    /** The peer may take over. */
    RUNNING,
    /** The peer shall take over: the guest's QEMU is dead here, or stands still. */
    HANDING_OVER,
    /** It shall not any more; the record may still say that it may. */
    WITHDRAWING
}
