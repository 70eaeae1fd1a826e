package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The active's side of level 3: the guest that runs here gets a twin, while it runs. {@link ActivePhase} draws where it may be and
 * what each failure leads to. Called on the event loop; futures complete there and fail with {@link GuestException}.
 *
 * <p>This class decides nothing about who may run. Until {@link #protect} has completed no twin counts, and a start that fails is
 * taken back by itself. After that the guest goes on alone only when it is told to: a twin may have been made the guest elsewhere.
 *
 * <p>The guest is stopped by this class, not by QEMU's own estimate, as in {@link MigrationSource}: with QEMU's own switch under
 * TCG half of the twins begin with stale pages. Only a guest that left nothing to move is stopped by QEMU: with {@code
 * downtime-limit} 0 its last look at the dirty bitmap then found no page at all.
 */
public final class ColoActive implements ColoWatcher {
    private static final Logger LOG = LoggerFactory.getLogger(ColoActive.class);
    private static final Duration POLL = Duration.ofMillis(5);
    /** The first packets after the start are let out by the first checkpoint. */
    private static final Duration FIRST_INTERVAL = Duration.ofMillis(20);
    /** Once the guest stands still the rest fits; this only keeps QEMU from waiting for a better moment. */
    private static final Duration DOWNTIME_AFTER_STOP = Duration.ofSeconds(10);
    /** What any link moves in a moment. QEMU's measure of the throughput is of no use while there is little to move. */
    private static final long SMALL_BYTES = 4L << 20;

    private static final Duration LEAST_INTERVAL = Duration.ofMillis(10);
    private static final Duration MOST_INTERVAL = Duration.ofMinutes(1);

    /** Hears what becomes of a twinning, on the event loop. */
    public interface Listener {
        /** It is somewhere else. */
        void moved(ActivePhase now);

        /** No checkpoint ended for so long although one was due. Told once for each such time. */
        void checkpointOverdue(Duration age);
    }

    private final ColoPort port;
    private final TwinSockets sockets;
    private final ColoLimits limits;
    private final Listener listener;
    private final Waits waits;
    private final Checkpoints checkpoints;
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private ActivePhase phase = new ActivePhase.Idle();
    private Duration interval = FIRST_INTERVAL;
    private boolean overdueTold;
    private boolean dissolving;
    private long stillSinceNanos;
    private Duration startPause = Duration.ZERO;

    ColoActive(ColoPort port, TwinSockets sockets, ColoLimits limits, Listener listener) {
        this.port = port;
        this.sockets = sockets;
        this.limits = limits;
        this.listener = listener;
        this.waits = new Waits(port);
        this.checkpoints = new Checkpoints(System::nanoTime, FIRST_INTERVAL);
    }

    /** Where it is. */
    public ActivePhase phase() {
        return phase;
    }

    /** Checkpoints since the twinning began. */
    public Checkpoints.Figures checkpoints() {
        return checkpoints.figures();
    }

    /** Longest time that the guest stood still while the twinning was begun. */
    Duration startPause() {
        return startPause;
    }

    /** Completes when the twinning is over and the guest runs here, unpaired; fails when it is over otherwise. */
    public CompletableFuture<Void> ended() {
        return ended.copy();
    }

    private void to(ActivePhase next) {
        if (!phase.mayBecome(next)) {
            throw new IllegalStateException("a twinning's active side can not go from " + phase + " to " + next);
        }
        boolean same = phase.getClass() == next.getClass();
        phase = next;
        if (!same) {
            LOG.info("level 3, active: {}", next);
            listener.moved(next);
        }
    }

    // ------------------------------------------------------------------------------------------------------- begin

    /**
     * Gives the guest a twin. Before: {@link ColoStandby#awaitTwin} has completed, the sockets are joined, and this mirror's writes
     * to its peer go to {@link TwinSockets#disk}, or the twin's disk is not this one's.
     *
     * @param downtime pause of the guest to aim for at the switch
     * @param wishedInterval at most so long from checkpoint to checkpoint, from 10 ms to a minute
     * @param compareTimeout how long a packet waits for the twin's before it counts as different
     * @return completes when the first checkpoint has ended, so that the twin may be recorded as the one to take over; fails when
     *     the guest runs on unpaired, or, if the message says so, must be killed
     */
    public CompletableFuture<Void> protect(Duration downtime, Duration wishedInterval, Duration compareTimeout) {
        checkInterval(wishedInterval);
        if (port.hasUncommittedOverlays()) {
            return CompletableFuture.failedFuture(new GuestException(
                    "the overlays of the last failover are not committed yet; this image is not whole without them"));
        }
        to(new ActivePhase.Preparing());
        port.watch(this);
        port.inColo(true);
        CompletableFuture<Void> result = new CompletableFuture<>();
        prepare(compareTimeout)
                .thenCompose(ready -> move(downtime))
                .thenCompose(small -> switchOver())
                .thenCompose(switched -> enter(wishedInterval))
                .whenComplete((_, failure) -> {
                    if (failure == null) {
                        to(new ActivePhase.Running());
                        LOG.info("level 3 began; the guest stood still for {} ms", startPause.toMillis());
                        watchAge();
                        result.complete(null);
                    } else {
                        String why = "level 3 did not begin: " + message(failure);
                        takeBack(why)
                                .whenComplete((_, stuck) -> result.completeExceptionally(
                                        new GuestException(stuck == null ? why : why + "; " + message(stuck))));
                    }
                });
        return result;
    }

    /** With a compare timeout of half a second. */
    CompletableFuture<Void> protect(Duration downtime, Duration wishedInterval) {
        return protect(downtime, wishedInterval, Duration.ofMillis(500));
    }

    private static void checkInterval(Duration interval) {
        if (interval.compareTo(LEAST_INTERVAL) < 0 || interval.compareTo(MOST_INTERVAL) > 0) {
            throw new IllegalArgumentException("the interval of checkpoints must be from " + LEAST_INTERVAL.toMillis()
                    + " to " + MOST_INTERVAL.toMillis() + " ms, got " + interval.toMillis());
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

    private CompletableFuture<Void> prepare(Duration compareTimeout) {
        return step(QmpCommand.of("qom-list").with("path", "/objects"))
                .thenCompose(objects -> {
                    Set<String> there = new HashSet<>();
                    objects.forEach(each -> there.add(each.path("name").asText()));
                    List<Boolean> rewriters = new ArrayList<>();
                    for (int i = 0; i < sockets.cards(); i++) {
                        rewriters.add(there.contains(ColoCommands.rewriter(i)));
                    }
                    return steps(List.of(ColoCommands.pauseAtPanic(false)))
                            .thenCompose(set -> steps(ColoCommands.activeParts(sockets, rewriters, compareTimeout)));
                })
                .thenCompose(made -> steps(List.of(
                        ColoCommands.capabilities(true, true),
                        ColoCommands.checkpointDelay(FIRST_INTERVAL),
                        ColoCommands.unlimitedBandwidth(),
                        ColoCommands.downtime(Duration.ZERO))));
    }

    private CompletableFuture<QmpEvent> move(Duration downtime) {
        to(new ActivePhase.MovingMemory(-1));
        // QEMU switches by itself when nothing at all is left to move, as with a guest that is idle.
        CompletableFuture<QmpEvent> paused =
                waits.event("the move to reach pre-switchover", limits.move(), is("pre-switchover"));
        long end = System.nanoTime() + limits.move().toNanos();
        return step(ColoCommands.move(sockets))
                .thenCompose(begun -> untilSmall(downtime, paused, end))
                .thenCompose(small -> paused.isDone() ? CompletableFuture.completedFuture(null) : stopGuest())
                .thenCompose(still -> waits.within(limits.switching(), paused));
    }

    private CompletableFuture<Void> stopGuest() {
        return steps(List.of(QmpCommand.of("stop"), ColoCommands.downtime(DOWNTIME_AFTER_STOP)));
    }

    private CompletableFuture<Boolean> untilSmall(
            Duration downtime, CompletableFuture<QmpEvent> paused, long endNanos) {
        return waits.orGivenUp(Polling.until(port::later, POLL, () -> isSmall(downtime, paused, endNanos)));
    }

    private CompletableFuture<Optional<Boolean>> isSmall(
            Duration downtime, CompletableFuture<QmpEvent> paused, long endNanos) {
        if (!(phase instanceof ActivePhase.MovingMemory)) {
            return CompletableFuture.failedFuture(new GuestException("the move of the guest's memory was given up"));
        }
        return step(QmpCommand.of("query-migrate")).thenCompose(answer -> {
            if (paused.isDone()) {
                return Polling.now(true);
            }
            String status = answer.path("status").asText("none");
            if (!List.of("setup", "active", "pre-switchover").contains(status)) {
                return CompletableFuture.failedFuture(
                        new GuestException("the move of the guest's memory is " + status));
            }
            JsonNode ram = answer.path("ram");
            long remaining = ram.path("remaining").asLong(-1);
            if (phase instanceof ActivePhase.MovingMemory) {
                to(new ActivePhase.MovingMemory(remaining));
            }
            double bytesPerMilli = ram.path("mbps").asDouble(0) * 125;
            double small = Math.max(bytesPerMilli * downtime.toMillis(), SMALL_BYTES);
            if (status.equals("active")
                    && ram.path("dirty-sync-count").asInt() >= 2
                    && remaining >= 0
                    && remaining <= small) {
                return Polling.now(true);
            }
            if (System.nanoTime() - endNanos > 0) {
                return CompletableFuture.failedFuture(new GuestException(
                        "the guest's memory changes faster than it can be moved in the time allowed"));
            }
            return Polling.notYet();
        });
    }

    private CompletableFuture<Void> switchOver() {
        to(new ActivePhase.PreSwitchover());
        return steps(ColoCommands.activeFilters(sockets, true));
    }

    private CompletableFuture<Void> enter(Duration wishedInterval) {
        CompletableFuture<QmpEvent> running =
                waits.event("the guest to go on with its twin", limits.switching(), named("RESUME"));
        to(new ActivePhase.Entering());
        return step(ColoCommands.goOnFromSwitch())
                .thenCompose(going -> running)
                .thenCompose(begun -> firstCheckpoint())
                .thenCompose(done -> interval(wishedInterval))
                .thenApply(set -> null);
    }

    private CompletableFuture<QmpEvent> firstCheckpoint() {
        return waits.event("the first checkpoint", limits.checkpoint(), event -> checkpoints.completed() > 0);
    }

    private static Predicate<QmpEvent> is(String status) {
        return event -> event.name().equals("MIGRATION")
                && event.data().path("status").asText().equals(status);
    }

    private static Predicate<QmpEvent> named(String name) {
        return event -> event.name().equals(name);
    }

    // --------------------------------------------------------------------------------------------------- meanwhile

    /** The time from checkpoint to checkpoint, from 10 ms to a minute. Also takes one at once. */
    public CompletableFuture<Void> interval(Duration wished) {
        checkInterval(wished);
        return step(ColoCommands.checkpointDelay(wished)).thenApply(set -> {
            interval = wished;
            checkpoints.interval(wished);
            return null;
        });
    }

    /** Takes a checkpoint at once: the overlays of the standby are emptied by it. */
    public CompletableFuture<Void> checkpointNow() {
        return interval(interval);
    }

    /** Whether QEMU's monitor thread answers at all: it does while QEMU's main loop waits for a peer. Fails when QEMU stands still. */
    public CompletableFuture<Void> answers() {
        return port.executeOutOfBand(QmpCommand.of("query-yank"), limits.outOfBand())
                .thenApply(answered -> null);
    }

    /**
     * Takes a checkpoint before the guest is stopped on purpose, so that no frame waits in the comparison. Completes as it ends, in the same
     * turn of the loop; fails if none ended in time.
     */
    public CompletableFuture<Void> lastCheckpoint() {
        long before = checkpoints.completed();
        CompletableFuture<QmpEvent> last =
                waits.event("the last checkpoint", limits.lastCheckpoint(), event -> checkpoints.completed() > before);
        checkpointNow().whenComplete((_, refused) -> {
            if (refused != null) {
                last.completeExceptionally(refused);
            }
        });
        return last.thenApply(ended -> null);
    }

    private void watchAge() {
        if (phase instanceof ActivePhase.Running) {
            Duration age = checkpoints.age();
            boolean overdue = age.compareTo(interval.plus(limits.checkpoint())) > 0;
            if (overdue && !overdueTold) {
                listener.checkpointOverdue(age);
            }
            overdueTold = overdue;
        }
        if (phase.mayHaveTwin()) {
            port.later(limits.checkpoint().dividedBy(4), this::watchAge);
        }
    }

    @Override
    public void heard(QmpEvent event) {
        // The pauses of the start are no checkpoints.
        if (phase.mayHaveTwin()) {
            checkpoints.heard(event);
        }
        countStartPause(event.name());
        waits.heard(event);
        switch (event.name()) {
            case "COLO_EXIT" -> lostPeer(event);
            case "MIGRATION" -> {
                String status = event.data().path("status").asText();
                if (status.equals("failed") || status.equals("cancelled")) {
                    interruptStart("the move of the guest's memory " + status);
                }
            }
            case "GUEST_PANICKED" -> interruptStart("the guest crashed meanwhile");
            case "SHUTDOWN" -> interruptStart("the guest switched itself off meanwhile");
            default -> {}
        }
    }

    private void countStartPause(String event) {
        if (event.equals("STOP") && !phase.mayHaveTwin()) {
            stillSinceNanos = System.nanoTime();
        } else if (event.equals("RESUME") && stillSinceNanos != 0) {
            Duration pause = Duration.ofNanos(System.nanoTime() - stillSinceNanos);
            stillSinceNanos = 0;
            startPause = pause.compareTo(startPause) > 0 ? pause : startPause;
        }
    }

    private void lostPeer(QmpEvent event) {
        if (event.data().path("reason").asText().equals("request")) {
            return; // answers our own word
        }
        switch (phase) {
            case ActivePhase.Running _, ActivePhase.StoodDown _ -> {
                to(new ActivePhase.Broken("QEMU lost its twin"));
                if (dissolving) {
                    waits.giveUp(new GuestException("QEMU lost its twin"));
                }
            }
            case ActivePhase.Entering _ -> interruptStart("QEMU lost its twin");
            default -> {}
        }
    }

    /** While it is being begun; whoever waits fails, and the start is taken back. */
    private void interruptStart(String why) {
        switch (phase) {
            case ActivePhase.Preparing _,
                    ActivePhase.MovingMemory _,
                    ActivePhase.PreSwitchover _,
                    ActivePhase.Entering _ -> waits.giveUp(new GuestException(why));
            default -> {}
        }
    }

    @Override
    public void ended(GuestException why) {
        if (!(phase instanceof ActivePhase.Ended)) {
            over(ActivePhase.Outcome.GONE, message(why));
            waits.giveUp(why);
        }
    }

    // --------------------------------------------------------------------------------------------------------- end

    /**
     * The standby, or the way to it, is dead or frozen: the guest goes on here, unpaired, whatever QEMU was doing. Before: the
     * record says that no twin may take over, and this mirror waits for no write of the standby any more.
     *
     * @return as {@link #ended}
     */
    public CompletableFuture<Void> carryOnAlone() {
        return end("the twin is gone", true);
    }

    /**
     * Level 3 to 2, on purpose. Before: the record says that no twin may take over, and this mirror's writes go to the peer mirror
     * again. After: the standby's QEMU is to be killed.
     *
     * <p>Takes a last checkpoint. Frames that wait for the twin's are let out by it; without it they would come out behind younger ones only
     * when everything is taken down, and their TCP connections would wait for them.
     *
     * @return as {@link #ended}
     */
    public CompletableFuture<Void> dissolve() {
        if (!(phase instanceof ActivePhase.Running) || dissolving) {
            return end("level 3 is given up", false);
        }
        dissolving = true;
        // What the guest sends goes straight out from here on; what waits in the comparison the checkpoint lets out. A
        // peer
        // that does not answer any more holds up QEMU's main loop, and every command with it: it is cut off.
        steps(ColoCommands.activeFilters(sockets, false))
                .thenCompose(direct -> lastCheckpoint())
                .whenComplete((_, none) -> end("level 3 is given up", none != null));
        return ended();
    }

    private CompletableFuture<Void> end(String why, boolean cut) {
        switch (phase) {
            case ActivePhase.Idle _ -> over(ActivePhase.Outcome.ALONE, why);
            case ActivePhase.Running _, ActivePhase.Broken _ -> {
                to(new ActivePhase.Ending(why));
                leave(why, cut);
            }
            case ActivePhase.StoodDown _ -> {
                port.thaw();
                to(new ActivePhase.Ending(why));
                leave(why, cut);
            }
            case ActivePhase.Preparing _,
                    ActivePhase.MovingMemory _,
                    ActivePhase.PreSwitchover _,
                    ActivePhase.Entering _ -> interruptStart(why);
            case ActivePhase.BackingOut _, ActivePhase.Ending _, ActivePhase.Ended _ -> {}
        }
        return ended();
    }

    private CompletableFuture<Void> takeBack(String why) {
        switch (phase) {
            case ActivePhase.Preparing _, ActivePhase.MovingMemory _, ActivePhase.PreSwitchover _ ->
                to(new ActivePhase.BackingOut(why));
            case ActivePhase.Entering _ -> to(new ActivePhase.Ending(why));
            default -> {
                return ended(); // QEMU is gone
            }
        }
        LOG.warn("{}", why);
        leave(why, true);
        return ended();
    }

    private void leave(String why, boolean cut) {
        ColoWayOut out = new ColoWayOut(port, sockets, limits);
        out.leave(cut)
                .exceptionallyCompose(slow -> {
                    LOG.warn("the twinning's end takes too long ({}); QEMU is cut off from the peer", message(slow));
                    return phase instanceof ActivePhase.Ended ? CompletableFuture.failedFuture(slow) : out.leave(true);
                })
                .whenComplete((_, failure) -> {
                    if (phase instanceof ActivePhase.Ended) {
                        return;
                    }
                    if (failure == null) {
                        over(ActivePhase.Outcome.ALONE, why);
                    } else {
                        over(ActivePhase.Outcome.STUCK, "QEMU must be killed: " + message(failure));
                    }
                });
    }

    private void over(ActivePhase.Outcome outcome, String why) {
        port.watch(null);
        port.inColo(false);
        to(new ActivePhase.Ended(outcome, why));
        if (outcome == ActivePhase.Outcome.ALONE) {
            ended.complete(null);
        } else {
            ended.completeExceptionally(new GuestException(why));
        }
    }

    /**
     * Planned switchover: stops QEMU in the kernel; nothing of the guest gets out from here on. Before: this mirror holds the
     * guest's writes. {@link #goOn} takes it back; killing QEMU makes it final.
     */
    public void standDown() {
        to(new ActivePhase.StoodDown());
        port.freeze();
    }

    /** Takes {@link #standDown} back. The twin must not have taken over. */
    public void goOn() {
        if (phase instanceof ActivePhase.StoodDown) {
            port.thaw();
            to(new ActivePhase.Running());
        }
    }

    /**
     * For a mirror that was restarted and found a QEMU in a twinning: its relays died with its earlier life, so the peer is lost.
     * What follows is {@link #carryOnAlone}, or the kill.
     */
    void found() {
        port.watch(this);
        port.inColo(true);
        to(new ActivePhase.Broken("this mirror was restarted"));
    }

    static String message(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return String.valueOf(cause.getMessage());
    }
}
