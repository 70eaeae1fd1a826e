package dev.pairvm.mirror.guest;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;

/**
 * Writes overlays into the image that a failover left without doing it itself, because its QEMU died. In a QEMU that is started for
 * nothing else ({@link StartMode#COMMIT}). On the event loop.
 */
final class OverlayCommit implements ColoWatcher {
    private final ColoPort port;
    private final OverlayFiles overlays;
    private final List<ColoStandby.Disk> disks;
    private final ColoLimits limits;
    private final Waits waits;

    OverlayCommit(ColoPort port, OverlayFiles overlays, List<ColoStandby.Disk> disks, ColoLimits limits) {
        this.port = port;
        this.overlays = overlays;
        this.disks = disks;
        this.limits = limits;
        this.waits = new Waits(port);
    }

    /** The overlays stay as they are whatever happens, until the image has everything. No QEMU is left, either way. */
    CompletableFuture<Void> commit() {
        CompletableFuture<Void> result = new CompletableFuture<>();
        commitAll().whenComplete((_, failure) -> {
            port.watch(null);
            port.kill().whenComplete((_, _) -> {
                try {
                    if (failure == null) {
                        overlays.delete(
                                disks.stream().map(ColoStandby.Disk::name).toList());
                        result.complete(null);
                    } else {
                        result.completeExceptionally(new GuestException(ColoActive.message(failure)));
                    }
                } catch (GuestException e) {
                    result.completeExceptionally(e);
                }
            });
        });
        return result;
    }

    private CompletableFuture<Void> commitAll() {
        return port.prepare(StartMode.COMMIT).thenCompose(up -> {
            try {
                // A mirror that is restarted meanwhile must not take this QEMU for one that can boot the guest.
                port.markTwin();
            } catch (GuestException e) {
                return CompletableFuture.failedFuture(e);
            }
            port.watch(this);
            CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
            for (int i = 0; i < disks.size(); i++) {
                int disk = i;
                all = all.thenCompose(before -> commit(disk));
            }
            return all;
        });
    }

    private CompletableFuture<Void> commit(int disk) {
        String job = "commit" + disk;
        CompletableFuture<QmpEvent> ready = event("BLOCK_JOB_READY", job);
        CompletableFuture<QmpEvent> over = event("BLOCK_JOB_COMPLETED", job);
        over.thenAccept(early -> {
            if (!ready.isDone()) {
                ready.completeExceptionally(failure(disk, early));
            }
        });
        return step(QmpCommand.of("block-commit")
                        .with("job-id", job)
                        .with("device", OverlayNodes.active(disk))
                        .with("base-node", OverlayNodes.base(disk)))
                .thenCompose(begun -> ready)
                .thenCompose(copied -> step(QmpCommand.of("job-complete").with("id", job)))
                .thenCompose(told -> over)
                .thenCompose(done -> done.data().has("error")
                        ? CompletableFuture.failedFuture(failure(disk, done))
                        : CompletableFuture.completedFuture(null));
    }

    private GuestException failure(int disk, QmpEvent event) {
        return new GuestException("the overlays of disk " + disks.get(disk).name() + " can not be committed: "
                + event.data().path("error").asText("ended early"));
    }

    private CompletableFuture<QmpEvent> event(String name, String job) {
        Predicate<QmpEvent> wanted = event -> event.name().equals(name)
                && event.data().path("device").asText().equals(job);
        return waits.event(name + " of " + job, limits.commit(), wanted);
    }

    private CompletableFuture<Void> step(QmpCommand command) {
        return waits.orGivenUp(port.execute(command, limits.command())).thenApply(done -> null);
    }

    @Override
    public void heard(QmpEvent event) {
        waits.heard(event);
    }

    @Override
    public void ended(GuestException why) {
        waits.giveUp(why);
    }
}
