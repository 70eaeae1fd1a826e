package dev.pairvm.mirror.guest;

import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Starts, continues, freezes, kills and re-adopts the guest's QEMU.
 *
 * <p>Called on the event loop; futures complete on it and fail with {@link GuestException}. At most one of {@code prepareStandby},
 * {@code prepareIncoming}, {@code startOrResume}, {@code powerDown}, {@code reset} is under way at a time; a second fails.
 * {@code freeze}, {@code thaw} and {@code kill} are always allowed, {@code kill} ends what is under way.
 */
public final class GuestControl implements AutoCloseable {

    /**
     * @param command builds QEMU's arguments
     * @param files the directory shared with QEMU's container
     * @param events hears what happens
     */
    public GuestControl(QemuCommandLine command, GuestFiles files, EventLoop loop, Consumer<GuestEvent> events) {
        throw new UnsupportedOperationException();
    }

    /** The state now. */
    public GuestState state() {
        throw new UnsupportedOperationException();
    }

    /**
     * First call of a life: finds a QEMU that an earlier life of this mirror left, and connects to its monitor. Nothing is
     * started or stopped.
     *
     * @return the state found; {@link GuestState#isGuestAlive()} is the answer to "did the guest survive"
     */
    public CompletableFuture<GuestState> adopt() {
        throw new UnsupportedOperationException();
    }

    /** A paused QEMU that can boot the guest at once. Idempotent: one that is ready or starting is left alone. */
    public CompletableFuture<Void> prepareStandby() {
        throw new UnsupportedOperationException();
    }

    /** A QEMU that waits for the guest by live migration, in place of one that waits to boot. */
    public CompletableFuture<MigrationTarget> prepareIncoming() {
        throw new UnsupportedOperationException();
    }

    /**
     * Lets the guest run: starts a QEMU where there is none, continues one that waits, leaves one that runs alone, and announces
     * the guest's addresses. The gate must be open and the taps attached before.
     */
    public CompletableFuture<Void> startOrResume() {
        throw new UnsupportedOperationException();
    }

    /** Moves the guest to the peer; see {@link MigrationSource}. Only while it runs. */
    public MigrationSource migrate() {
        throw new UnsupportedOperationException();
    }

    /** Sends the guest's addresses to the network again (gratuitous ARP/RARP by QEMU). */
    public CompletableFuture<Void> announce() {
        throw new UnsupportedOperationException();
    }

    /**
     * Stops QEMU in the kernel (SIGSTOP), now; it keeps its state. May be called from any thread. A QEMU that is starting is
     * stopped as soon as its process appears.
     */
    public void freeze() {
        throw new UnsupportedOperationException();
    }

    /** Lets a frozen QEMU go on (SIGCONT). */
    public void thaw() {
        throw new UnsupportedOperationException();
    }

    /**
     * Kills every QEMU of this machine in this pod and completes when the kernel confirms that none is left and the launcher has
     * no request that would start one. Never fails: it tries until it is done.
     */
    public CompletableFuture<Void> kill() {
        throw new UnsupportedOperationException();
    }

    /** Presses the power button, waits for the guest, and ends QEMU; kills it after {@code grace}. Completes when it is gone. */
    public CompletableFuture<Void> powerDown(Duration grace) {
        throw new UnsupportedOperationException();
    }

    /** Resets the machine as its reset button does, and lets it run; also after a crash or a power-off by the guest. */
    public CompletableFuture<Void> reset() {
        throw new UnsupportedOperationException();
    }

    /** Lets go of QEMU, which lives on. */
    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }
}
