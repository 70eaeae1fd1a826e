package dev.pairvm.mirror.guest;

import java.util.Optional;

/** What happened to the guest; told to the engine once, in order. */
public sealed interface GuestEvent {
    /** QEMU is there, paused. */
    record BecameReady(StartMode mode) implements GuestEvent {}

    /** The guest's processors run. */
    record Ran() implements GuestEvent {}

    /** The guest rebooted itself; there is nothing to do. */
    record Rebooted() implements GuestEvent {}

    /**
     * The guest is switched off; QEMU waits.
     *
     * @param byGuest false: it followed {@link GuestControl#powerDown}
     */
    record PoweredOff(boolean byGuest) implements GuestEvent {}

    /** The guest crashed; QEMU waits, paused. {@code what} is for people. */
    record Crashed(String what) implements GuestEvent {}

    /**
     * QEMU ended without being told to.
     *
     * @param status as a shell's: 128 + signal, 254 when its container ended, empty when unknown
     */
    record QemuExited(Optional<Integer> status, boolean wasGuest) implements GuestEvent {}

    /** QEMU lives but its monitor was lost; it is being connected again. */
    record MonitorLost(String why) implements GuestEvent {}

    /** The monitor answers again. */
    record MonitorRegained() implements GuestEvent {}

    /** QEMU could not be started or adopted. {@code why} names the fact and the way out. */
    record StartFailed(String why) implements GuestEvent {}
}
