package dev.pairvm.mirror.guest;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * Waits for the end of the commit that a failover began, by looking at QEMU's block graph, and then lets go of the overlays. On the
 * event loop.
 */
final class CommitWatch {
    private final ColoPort port;
    private final int disks;
    private final ColoLimits limits;
    private final long endNanos;

    CommitWatch(ColoPort port, int disks, ColoLimits limits) {
        this.port = port;
        this.disks = disks;
        this.limits = limits;
        this.endNanos = System.nanoTime() + limits.commit().toNanos();
    }

    CompletableFuture<Void> untilDone(Duration poll) {
        return Polling.until(port::later, poll, this::isDone).thenCompose(done -> release());
    }

    private CompletableFuture<Optional<Boolean>> isDone() {
        return ColoWayOut.ask(port, "x-debug-query-block-graph", limits).thenCompose(graph -> {
            boolean done = true;
            for (int i = 0; i < disks; i++) {
                try {
                    switch (OverlayNodes.commit(i, graph)) {
                        case DONE -> {}
                        case RUNNING -> done = false;
                        case FAILED -> {
                            return CompletableFuture.failedFuture(new GuestException(
                                    "the commit of disk " + i + " ended before its end; QEMU's own log has the error"));
                        }
                    }
                } catch (GuestException e) {
                    return CompletableFuture.failedFuture(e);
                }
            }
            if (done) {
                return Polling.now(true);
            }
            return System.nanoTime() - endNanos > 0
                    ? CompletableFuture.failedFuture(new GuestException("the overlays were not committed within "
                            + limits.commit().toMillis() + " ms; QEMU still serves the guest from them"))
                    : Polling.notYet();
        });
    }

    /** QEMU would keep the files open, and a later twinning the names. */
    private CompletableFuture<Void> release() {
        CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
        for (int i = 0; i < disks; i++) {
            for (String overlay : new String[] {OverlayNodes.active(i), OverlayNodes.hidden(i)}) {
                for (String node : new String[] {overlay, OverlayNodes.file(overlay)}) {
                    all = all.thenCompose(before -> ColoWayOut.firmly(
                                    port, QmpCommand.of("blockdev-del").with("node-name", node), limits))
                            .thenApply(gone -> null);
                }
            }
        }
        return all;
    }
}
