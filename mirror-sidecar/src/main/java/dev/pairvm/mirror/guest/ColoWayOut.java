package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Out of a twinning, or of its beginning, from wherever QEMU is: afterwards the guest runs here unpaired, nothing of the
 * twinning is left, and QEMU can be used for another one or for a live migration.
 *
 * <p>A refusal means that what was to be undone is not there, and is no failure. Silence is one. The monitor may come back.
 */
final class ColoWayOut {
    private static final Duration POLL = Duration.ofMillis(5);
    private static final Duration MONITOR_RETRY = Duration.ofMillis(50);

    private final ColoPort port;
    private final TwinSockets sockets;
    private final ColoLimits limits;

    ColoWayOut(ColoPort port, TwinSockets sockets, ColoLimits limits) {
        this.port = port;
        this.sockets = sockets;
        this.limits = limits;
    }

    /**
     * @param cut shut QEMU's connections to the peer first: a frozen one blocks QEMU's main loop, and with it every other command
     * @return completes when the guest runs or is what it was by itself: powered off, crashed
     */
    CompletableFuture<Void> leave(boolean cut) {
        CompletableFuture<Void> out = CompletableFuture.completedFuture(null);
        if (cut) {
            out = cut(port, ColoCommands.cutActive(sockets), limits);
        }
        return out
                // What the guest sends goes straight out from here on.
                .thenCompose(free -> all(ColoCommands.activeFilters(sockets, false)))
                .thenCompose(direct -> untilSettled(deadline()))
                .thenCompose(settled -> untilRunning(deadline()))
                .thenCompose(running -> all(ColoCommands.removeActiveParts(sockets)))
                .thenCompose(removed ->
                        all(List.of(ColoCommands.capabilities(false, false), ColoCommands.pauseAtPanic(true))));
    }

    /** All beside each other; none is waited for longer than the limit, and none has to succeed. */
    static CompletableFuture<Void> cut(ColoPort port, List<QmpCommand> yanks, ColoLimits limits) {
        return CompletableFuture.allOf(yanks.stream()
                .map(each -> port.executeOutOfBand(each, limits.outOfBand())
                        .exceptionally(absent -> MissingNode.getInstance()))
                .toArray(CompletableFuture[]::new));
    }

    private long deadline() {
        return System.nanoTime() + limits.switching().toNanos();
    }

    private CompletableFuture<Void> all(List<QmpCommand> commands) {
        return all(port, commands, limits);
    }

    /** One after the other, firmly. */
    static CompletableFuture<Void> all(ColoPort port, List<QmpCommand> commands, ColoLimits limits) {
        CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
        for (QmpCommand each : commands) {
            all = all.thenCompose(before -> firmly(port, each, limits)).thenApply(done -> null);
        }
        return all;
    }

    /** Missing where it was refused; again while the monitor is away. */
    static CompletableFuture<JsonNode> firmly(ColoPort port, QmpCommand command, ColoLimits limits) {
        return repeated(
                        port,
                        command,
                        limits,
                        System.nanoTime() + limits.command().toNanos())
                .exceptionallyCompose(failure -> cause(failure) instanceof QmpException.Refused
                        ? CompletableFuture.completedFuture(MissingNode.getInstance())
                        : CompletableFuture.failedFuture(failure));
    }

    /** A question: not to know is a failure. Again while the monitor is away. */
    static CompletableFuture<JsonNode> ask(ColoPort port, String query, ColoLimits limits) {
        return repeated(
                port,
                QmpCommand.of(query),
                limits,
                System.nanoTime() + limits.command().toNanos());
    }

    private static CompletableFuture<JsonNode> repeated(
            ColoPort port, QmpCommand command, ColoLimits limits, long endNanos) {
        return Polling.until(
                port::later,
                MONITOR_RETRY,
                () -> port.execute(command, limits.command())
                        .thenApply(Optional::of)
                        .exceptionallyCompose(failure ->
                                cause(failure) instanceof QmpException.Lost && System.nanoTime() - endNanos < 0
                                        ? Polling.notYet()
                                        : CompletableFuture.failedFuture(failure)));
    }

    private static Throwable cause(Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }

    /** Until no migration is under way, telling QEMU each time what ends what it is in. */
    private CompletableFuture<Boolean> untilSettled(long endNanos) {
        return Polling.until(
                port::later,
                POLL,
                () -> ask(port, "query-migrate", limits).thenCompose(answer -> {
                    String status = answer.path("status").asText("none");
                    return switch (status) {
                        case "none", "failed", "cancelled", "completed" -> Polling.now(true);
                        case "colo" ->
                            firmly(port, ColoCommands.lostHeartbeat(), limits)
                                    .thenCompose(told -> again("the twinning", status, endNanos));
                        case "cancelling", "device" -> again("the migration", status, endNanos);
                        default ->
                            firmly(port, QmpCommand.of("migrate_cancel"), limits)
                                    .thenCompose(told -> again("the migration", status, endNanos));
                    };
                }));
    }

    /** Never on a guest that went over: the other side may be running it. */
    private CompletableFuture<Boolean> untilRunning(long endNanos) {
        return Polling.until(
                port::later,
                POLL,
                () -> ask(port, "query-status", limits).thenCompose(answer -> {
                    String status = answer.path("status").asText();
                    return switch (status) {
                        case "running", "shutdown", "guest-panicked", "internal-error" -> Polling.now(true);
                        case "postmigrate" ->
                            CompletableFuture.failedFuture(new GuestException(
                                    "the guest has gone to the peer, what is left here must not run"));
                        case "colo", "finish-migrate" -> again("the guest", status, endNanos);
                        default ->
                            firmly(port, QmpCommand.of("cont"), limits)
                                    .thenCompose(told -> again("the guest", status, endNanos));
                    };
                }));
    }

    private CompletableFuture<Optional<Boolean>> again(String what, String status, long endNanos) {
        return System.nanoTime() - endNanos > 0
                ? CompletableFuture.failedFuture(new GuestException(what + " is still " + status + " after "
                        + limits.switching().toMillis() + " ms"))
                : Polling.notYet();
    }
}
