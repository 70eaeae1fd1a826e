package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The standby's side of level 3: a twin that executes what the guest executes, and can become the guest. {@link StandbyPhase} draws
 * where it may be and what each failure leads to. Called on the event loop; futures complete there and fail with
 * {@link GuestException}.
 *
 * <p>Decides nothing about who may run: {@link #takeOver} is for whoever has won the epoch.
 */
public final class ColoStandby implements ColoWatcher {
    private static final Logger LOG = LoggerFactory.getLogger(ColoStandby.class);
    private static final Duration POLL = Duration.ofMillis(10);
    private static final Duration COMMIT_POLL = Duration.ofMillis(100);

    /**
     * One disk of the machine.
     *
     * @param name of its export
     * @param sizeBytes of the image; the overlays must have the same
     */
    public record Disk(String name, long sizeBytes) {}

    /** Hears what becomes of a twinning, on the event loop. */
    public interface Listener {
        /** It is somewhere else. */
        void moved(StandbyPhase now);

        /**
         * An overlay has passed its bound. The active is to take a checkpoint ({@link ColoActive#checkpointNow}), which empties it.
         * Told once for each overlay and checkpoint.
         */
        void overlayLarge(String disk);

        /**
         * No checkpoint came within {@link ColoLimits#checkpoint} after that. The twin is to be abandoned before its storage is full.
         */
        void overlayFull(String disk);

        /**
         * The twin's guest panicked, and a checkpoint went over it as if nothing were wrong. A checkpoint brings what changed since the last
         * one: a page that was wrong before stays wrong, so the next panic follows. Either the active's guest panicked too, and is started
         * anew, or this is no twin of it. It is to be abandoned; one that is begun anew gets all of the memory.
         */
        void diverged();
    }

    private final ColoPort port;
    private final TwinSockets sockets;
    private final OverlayFiles overlays;
    private final List<Disk> disks;
    private final long overlayBytes;
    private final ColoLimits limits;
    private final Listener listener;
    private final Waits waits;
    private final CompletableFuture<Void> committed = new CompletableFuture<>();
    private StandbyPhase phase = new StandbyPhase.Idle();
    private boolean inColo;
    private long resumptions;
    private boolean held;

    /** @param overlayBytes bound of one overlay's file, from 1 MiB; see {@link Listener#overlayLarge} */
    ColoStandby(
            ColoPort port,
            TwinSockets sockets,
            OverlayFiles overlays,
            List<Disk> disks,
            long overlayBytes,
            ColoLimits limits,
            Listener listener) {
        if (overlayBytes < 1 << 20) {
            throw new IllegalArgumentException("an overlay's bound must be at least 1 MiB, got " + overlayBytes);
        }
        this.port = port;
        this.sockets = sockets;
        this.overlays = overlays;
        this.disks = List.copyOf(disks);
        this.overlayBytes = overlayBytes;
        this.limits = limits;
        this.listener = listener;
        this.waits = new Waits(port);
    }

    /** Where it is. */
    public StandbyPhase phase() {
        return phase;
    }

    /**
     * Completes when the image has everything that the overlays had, so that the guest can be protected again; fails when they still
     * hold what the image lacks. Only after {@link #takeOver}.
     */
    public CompletableFuture<Void> committed() {
        return committed.copy();
    }

    private void to(StandbyPhase next) {
        if (!phase.mayBecome(next)) {
            throw new IllegalStateException("a twinning's standby side can not go from " + phase + " to " + next);
        }
        boolean same = phase.equals(next);
        phase = next;
        if (!same) {
            LOG.info("level 3, standby: {}", next);
            listener.moved(next);
        }
    }

    private CompletableFuture<JsonNode> step(QmpCommand command) {
        return waits.orGivenUp(port.execute(command, limits.command()));
    }

    private CompletableFuture<Void> steps(List<QmpCommand> commands) {
        CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
        for (QmpCommand each : commands) {
            all = all.thenCompose(before -> step(each)).thenApply(done -> null);
        }
        return all;
    }

    // ------------------------------------------------------------------------------------------------------- begin

    /**
     * Puts a QEMU that waits for its twin's state in the place of the one that waits to boot. Before: this mirror listens at
     * {@link TwinSockets#copied} and {@link TwinSockets#answers} and serves its disks to the new QEMU, writes and all.
     *
     * @return completes when {@link TwinSockets#ram} and {@link TwinSockets#disk} can be connected to; fails when there is no QEMU
     *     any more, so that a standby of level 2 can be prepared
     */
    public CompletableFuture<Void> awaitTwin() {
        to(new StandbyPhase.Preparing());
        CompletableFuture<Void> result = new CompletableFuture<>();
        prepare().whenComplete((_, failure) -> {
            if (failure == null && phase instanceof StandbyPhase.Preparing) {
                to(new StandbyPhase.Waiting());
                result.complete(null);
            } else {
                String why = failure == null ? "abandoned meanwhile" : ColoActive.message(failure);
                fail(why);
                port.kill()
                        .whenComplete((_, _) ->
                                result.completeExceptionally(new GuestException("no twin can be awaited: " + why)));
            }
        });
        return result;
    }

    private CompletableFuture<Void> prepare() {
        try {
            overlays.prepare();
        } catch (GuestException e) {
            return CompletableFuture.failedFuture(e);
        }
        return waits.orGivenUp(port.prepare(StartMode.BOOT))
                .thenCompose(ready -> makeOverlays())
                .thenCompose(made -> {
                    port.watch(null);
                    return waits.orGivenUp(port.prepare(StartMode.TWIN));
                })
                .thenCompose(up -> {
                    try {
                        port.markTwin();
                    } catch (GuestException e) {
                        return CompletableFuture.failedFuture(e);
                    }
                    port.watch(this);
                    port.inColo(true);
                    return steps(parts());
                });
    }

    CompletableFuture<Void> makeOverlays() {
        port.watch(this);
        OverlayMaker maker = new OverlayMaker(port, waits, limits);
        CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
        for (Disk disk : disks) {
            all = all.thenCompose(before -> maker.make(overlays.hidden(disk.name()), disk.sizeBytes()))
                    .thenCompose(made -> maker.make(overlays.active(disk.name()), disk.sizeBytes()));
        }
        return all;
    }

    private List<QmpCommand> parts() {
        List<QmpCommand> all = new ArrayList<>(List.of(ColoCommands.pauseAtPanic(false)));
        all.addAll(ColoCommands.standbyParts(sockets));
        all.add(ColoCommands.capabilities(true, false));
        all.add(ColoCommands.serveDisks(sockets));
        for (int i = 0; i < disks.size(); i++) {
            all.add(ColoCommands.serveDisk(i, disks.get(i).name()));
            all.add(threshold(OverlayNodes.file(OverlayNodes.active(i)), overlayBytes));
            all.add(threshold(OverlayNodes.file(OverlayNodes.hidden(i)), overlayBytes));
        }
        all.add(ColoCommands.listen(sockets));
        return all;
    }

    private static QmpCommand threshold(String node, long bytes) {
        return QmpCommand.of("block-set-write-threshold")
                .with("node-name", node)
                .with("write-threshold", bytes);
    }

    // -------------------------------------------------------------------------------------------------- what happens

    @Override
    public void heard(QmpEvent event) {
        waits.heard(event);
        switch (event.name()) {
            case "MIGRATION" -> migration(event.data().path("status").asText());
            case "RESUME" -> resumed();
            case "COLO_EXIT" -> {
                if (phase instanceof StandbyPhase.Running running) {
                    to(new StandbyPhase.Severed(running.crashed()));
                }
            }
            case "GUEST_PANICKED" -> {
                switch (phase) {
                    case StandbyPhase.Running _ -> to(new StandbyPhase.Running(true));
                    case StandbyPhase.Severed _ -> to(new StandbyPhase.Severed(true));
                    default -> {}
                }
            }
            case "BLOCK_WRITE_THRESHOLD" -> large(event.data().path("node-name").asText());
            default -> {}
        }
    }

    private void migration(String status) {
        switch (status) {
            case "active" -> {
                if (phase instanceof StandbyPhase.Waiting) {
                    to(new StandbyPhase.Receiving());
                }
            }
            case "colo" -> inColo = true;
            case "failed", "cancelled" -> {
                if (phase instanceof StandbyPhase.Waiting || phase instanceof StandbyPhase.Receiving) {
                    fail("the guest's state did not arrive: migration " + status);
                }
            }
            default -> {}
        }
    }

    /** Memory and devices are here, and the overlays are in place: from the first resumption on it is whole, at each moment. */
    private void resumed() {
        if (inColo && (phase instanceof StandbyPhase.Receiving || phase instanceof StandbyPhase.Running)) {
            resumptions++;
            boolean crashed = phase instanceof StandbyPhase.Running before && before.crashed();
            to(new StandbyPhase.Running(false));
            if (crashed) {
                listener.diverged();
            }
        }
    }

    /** QEMU tells once; a checkpoint empties the file, so the next time counts again. */
    private void large(String node) {
        for (int i = 0; i < disks.size(); i++) {
            if (node.equals(OverlayNodes.file(OverlayNodes.active(i)))
                    || node.equals(OverlayNodes.file(OverlayNodes.hidden(i)))) {
                String disk = disks.get(i).name();
                listener.overlayLarge(disk);
                long before = resumptions;
                port.later(limits.checkpoint(), () -> {
                    if (phase instanceof StandbyPhase.Running && resumptions == before) {
                        listener.overlayFull(disk);
                    }
                });
                port.execute(threshold(node, overlayBytes), limits.command()).exceptionally(failure -> {
                    LOG.warn("the bound of overlay {} is not watched any more: {}", node, ColoActive.message(failure));
                    return null;
                });
            }
        }
    }

    @Override
    public void ended(GuestException why) {
        if (!phase.isOver()) {
            fail(String.valueOf(why.getMessage()));
            waits.giveUp(why);
        }
    }

    private void fail(String why) {
        boolean uncommitted = switch (phase) {
            case StandbyPhase.TakingOver _, StandbyPhase.Committing _ -> true;
            default -> false;
        };
        if (phase.isOver()) {
            return;
        }
        port.watch(null);
        port.inColo(false);
        to(new StandbyPhase.Failed(why, uncommitted));
        if (uncommitted) {
            committed.completeExceptionally(new GuestException(
                    why + "; acknowledged writes are in " + overlays.directory() + " and not in the image"));
        }
    }

    // ------------------------------------------------------------------------------------------------- stand still

    /**
     * The twin's guest stands still until {@link #goOn}, or until it takes over. While nobody compares what it sends, all of that is lost;
     * TCP sends it again after 0.2 s, and after twice as long each time: a guest that stood still meanwhile is heard at once when it takes
     * over. Idempotent; only where it runs as a twin, also as one that lost its active.
     */
    public void hold() {
        if (!held && (phase instanceof StandbyPhase.Running || phase instanceof StandbyPhase.Severed)) {
            held = true;
            tell("stop");
        }
    }

    /** Takes {@link #hold} back. */
    public void goOn() {
        if (held) {
            held = false;
            if (phase instanceof StandbyPhase.Running || phase instanceof StandbyPhase.Severed) {
                tell("cont");
            }
        }
    }

    private void tell(String command) {
        port.execute(QmpCommand.of(command), limits.command()).exceptionally(failure -> {
            LOG.warn("the twin did not take {}: {}", command, ColoActive.message(failure));
            return MissingNode.getInstance();
        });
    }

    // ---------------------------------------------------------------------------------------------------- take over

    /**
     * The twin becomes the guest. Before: the epoch is won and durable, the taps are attached and the gate is open, and this mirror
     * serves its disks, for QEMU waits for what its twin's writes are to be written onto.
     *
     * @return completes when the guest runs here; its writes may still be in the overlays, see {@link #committed}. Fails when it
     *     does not: kill QEMU; if {@link StandbyPhase.Failed#uncommitted}, the overlays come first, else boot from the disks
     */
    public CompletableFuture<Void> takeOver() {
        if (!phase.canTakeOver()) {
            return CompletableFuture.failedFuture(
                    new GuestException("there is no whole twin here that could take over: " + phase));
        }
        boolean crashed = switch (phase) {
            case StandbyPhase.Running running -> running.crashed();
            case StandbyPhase.Severed severed -> severed.crashed();
            default -> false;
        };
        try {
            // Invariant: whatever the twin acknowledges as the guest, a mark says where it is before it is
            // acknowledged.
            overlays.markUncommitted();
            port.markGuest();
        } catch (GuestException e) {
            return CompletableFuture.failedFuture(e);
        }
        to(new StandbyPhase.TakingOver());
        CompletableFuture<Void> result = new CompletableFuture<>();
        // Cut first: an active whose host died in the middle of a checkpoint leaves QEMU waiting for the rest, with its
        // main loop.
        ColoWayOut.cut(port, ColoCommands.cutStandby(sockets), limits)
                // Before it runs as the guest: frames that still went to the comparison would be lost, and
                // TCP waits twice as long each time that is so.
                .thenCompose(cut -> ColoWayOut.all(port, ColoCommands.ownVoice(sockets), limits))
                .thenCompose(heard -> firmly(ColoCommands.stopServingDisks()))
                .thenCompose(stopped -> step(ColoCommands.lostHeartbeat()))
                .thenCompose(told ->
                        untilAlone(System.nanoTime() + limits.switching().toNanos()))
                .thenCompose(alone -> ColoWayOut.all(port, ColoCommands.removeStandbyParts(sockets), limits))
                .thenCompose(free -> ColoWayOut.all(
                        port,
                        List.of(
                                ColoCommands.capabilities(false, false),
                                ColoCommands.pauseAtPanic(true),
                                ColoCommands.announce()),
                        limits))
                .whenComplete((_, failure) -> {
                    if (failure == null && phase instanceof StandbyPhase.TakingOver) {
                        port.inColo(false);
                        port.tookOver(crashed);
                        to(new StandbyPhase.Committing());
                        watchCommit();
                        result.complete(null);
                    } else {
                        String why = failure == null ? "QEMU is gone" : ColoActive.message(failure);
                        fail(why);
                        result.completeExceptionally(new GuestException("the twin did not take over: " + why));
                    }
                });
        return result;
    }

    private CompletableFuture<JsonNode> firmly(QmpCommand command) {
        return waits.orGivenUp(ColoWayOut.firmly(port, command, limits));
    }

    private CompletableFuture<JsonNode> ask(String query) {
        return waits.orGivenUp(ColoWayOut.ask(port, query, limits));
    }

    private CompletableFuture<Boolean> untilAlone(long endNanos) {
        return waits.orGivenUp(Polling.until(port::later, POLL, () -> isAlone(endNanos)));
    }

    private CompletableFuture<Optional<Boolean>> isAlone(long endNanos) {
        return ask("query-colo-status")
                .thenCompose(colo -> ask("query-status").thenCompose(status -> {
                    if (colo.path("mode").asText().equals("none")
                            && status.path("status").asText().equals("running")) {
                        return Polling.now(true);
                    }
                    if (System.nanoTime() - endNanos > 0) {
                        return CompletableFuture.failedFuture(new GuestException("QEMU is still "
                                + colo.path("mode").asText() + ", "
                                + status.path("status").asText() + " after "
                                + limits.switching().toMillis() + " ms"));
                    }
                    return Polling.notYet();
                }));
    }

    // ------------------------------------------------------------------------------------------------------- commit

    private void watchCommit() {
        CommitWatch watch = new CommitWatch(port, disks.size(), limits);
        watch.untilDone(COMMIT_POLL).whenComplete((_, failure) -> {
            if (!(phase instanceof StandbyPhase.Committing)) {
                return;
            }
            if (failure != null) {
                fail(ColoActive.message(failure));
                return;
            }
            try {
                overlays.delete(disks.stream().map(Disk::name).toList());
            } catch (GuestException e) {
                fail(String.valueOf(e.getMessage()));
                return;
            }
            port.watch(null);
            to(new StandbyPhase.Done());
            committed.complete(null);
        });
    }

    /**
     * For a mirror that was restarted and found a QEMU that was a twin, or is the guest since a failover. What follows is
     * {@link #takeOver}, {@link #abandon}, or nothing but {@link #committed}.
     *
     * @param isGuest whether QEMU is out of the twinning, so that only the commit may be left
     */
    void found(boolean isGuest) {
        port.watch(this);
        if (isGuest) {
            to(new StandbyPhase.Committing());
            watchCommit();
        } else {
            inColo = true;
            port.inColo(true);
            to(new StandbyPhase.Severed(false));
        }
    }

    /** Ends the twin, which must not have begun to take over. Completes when QEMU is gone; does not fail. */
    public CompletableFuture<Void> abandon() {
        if (phase instanceof StandbyPhase.TakingOver || phase instanceof StandbyPhase.Committing) {
            return CompletableFuture.failedFuture(
                    new GuestException("what runs here is the guest, or becomes it; it is not a twin to be abandoned"));
        }
        if (!phase.isOver()) {
            port.watch(null);
            port.inColo(false);
            to(new StandbyPhase.Abandoned());
            waits.giveUp(new GuestException("abandoned by order"));
        }
        return port.kill();
    }
}
