package dev.pairvm.mirror.guest;

/**
 * In which state the guest's QEMU is.
 *
 * <pre>
 * Absent ----&gt; Starting ----&gt; Ready ----&gt; Running &lt;----&gt; (reset by the guest: stays Running)
 *   ^             |             |           |  \
 *   |             v             v           v   v
 *   +---------- Dead &lt;------------------- PoweredOff, Crashed     each of the five with a process may be Frozen and thawed,
 *                                                                 and ends in Dead when the process ends
 * </pre>
 */
public sealed interface GuestState {
    /** No QEMU, and none was asked for. */
    record Absent() implements GuestState {}

    /** The launcher was asked; QEMU does not answer yet. */
    record Starting(long run, StartMode mode) implements GuestState {}

    /**
     * QEMU is there and the guest has not executed an instruction: paused before boot, or waiting for a live migration; or
     * it is a twin ({@link StartMode#TWIN}): what executes there does not count.
     */
    record Ready(long run, int pid, StartMode mode) implements GuestState {}

    /** The guest runs, as far as QEMU knows; it may be waiting for I/O. */
    record Running(long run, int pid) implements GuestState {}

    /** QEMU is stopped by a signal. {@code before} is where it goes when it is thawed. */
    record Frozen(long run, int pid, GuestState before) implements GuestState {}

    /** The guest switched itself off, or was told to and did. QEMU still holds the machine. */
    record PoweredOff(long run, int pid) implements GuestState {}

    /** The guest's kernel panicked, or QEMU could not go on with it. QEMU still holds the machine, paused. */
    record Crashed(long run, int pid, String what) implements GuestState {}

    /** The guest went over to the peer by live migration; what is left here must not run again. */
    record MovedAway(long run, int pid) implements GuestState {}

    /** QEMU's process is gone. {@code why} is a sentence; {@code expected} tells an order from an accident. */
    record Dead(long run, String why, boolean expected) implements GuestState {}

    /** Whether a process of this state exists that was ever let run as the guest. */
    default boolean isGuestAlive() {
        return switch (this) {
            case Running _, PoweredOff _, Crashed _ -> true;
            case Frozen frozen -> frozen.before().isGuestAlive();
            case Absent _, Starting _, Ready _, MovedAway _, Dead _ -> false;
        };
    }
}
