package dev.pairvm.mirror.guest;

/** What a QEMU is started for. */
public enum StartMode {
    /** To boot the guest when it is told to continue. */
    BOOT,
    /** To take over a guest that runs elsewhere, by live migration ({@code -incoming defer}). */
    INCOMING
}
