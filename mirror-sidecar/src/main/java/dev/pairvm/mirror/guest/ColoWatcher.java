package dev.pairvm.mirror.guest;

/** Hears one QEMU during a twinning, on the event loop. */
interface ColoWatcher {
    /** QEMU reported something. */
    void heard(QmpEvent event);

    /** QEMU is gone; nothing follows. */
    void ended(GuestException why);
}
