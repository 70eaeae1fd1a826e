package dev.pairvm.mirror.guest;

/** What a QEMU is started for. */
public enum StartMode {
    /** To boot the guest when it is told to continue. */
    BOOT,
    /** To take over a guest that runs elsewhere, by live migration ({@code -incoming defer}). */
    INCOMING,
    /**
     * To become the twin of a guest that runs elsewhere and goes on there (level 3): as {@code INCOMING}, with overlays between the
     * guest's disks and this copy's. Its guest executes, but does not count until it takes over.
     */
    TWIN,
    /** For no guest: to write the overlays of a failover into this copy's image, after the QEMU that had to do it died. */
    COMMIT
}
