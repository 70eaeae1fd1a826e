package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** One host's QEMU and its event loop, as the two sides of a twinning use them. Everything on that loop. */
interface ColoPort {
    /** In band: carried out by QEMU's main loop, in order. Fails with {@link QmpException} or {@link GuestException}. */
    CompletableFuture<JsonNode> execute(QmpCommand command, Duration limit);

    /** Out of band: carried out although the main loop hangs. Fails likewise. */
    CompletableFuture<JsonNode> executeOutOfBand(QmpCommand command, Duration limit);

    /** Who hears QEMU's events from now on; one at a time, null for nobody. */
    void watch(@Nullable ColoWatcher watcher);

    /** Runs something later, on the event loop. */
    void later(Duration delay, Runnable task);

    /** Whether a twinning is on: its pauses are checkpoints, and no resumption after one means that a guest was cured. */
    void inColo(boolean on);

    /** Whether a failover's overlays here are not in the image yet. */
    boolean hasUncommittedOverlays();

    /** A QEMU that was started like this, and waits: the one that is there, or a new one in its place. */
    CompletableFuture<Void> prepare(StartMode mode);

    /** Durable: what runs is a twin. Before it can execute anything. */
    void markTwin() throws GuestException;

    /** Durable: what runs is the guest, from now on. Before the first thing that can not be taken back. */
    void markGuest() throws GuestException;

    /** The twin has become the guest, and runs; or, if so, what it runs is a kernel that has panicked. */
    void tookOver(boolean crashed);

    /** SIGSTOP. */
    void freeze();

    /** SIGCONT. */
    void thaw();

    /** SIGKILL; completes when the kernel confirms it. Does not fail. */
    CompletableFuture<Void> kill();
}
