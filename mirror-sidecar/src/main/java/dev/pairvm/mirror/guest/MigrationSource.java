package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.channel.EventLoop;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The side of a live migration that gives the guest away.
 *
 * <pre>
 * start(socket) -&gt; RAM moves while the guest runs -&gt; the guest stands still, its I/O is drained and flushed; it can still go on here
 *     finish()  -&gt; the guest is the other side's; this QEMU is MovedAway
 *     cancel()  -&gt; the guest goes on here (also before start() completed)
 * </pre>
 *
 * The disks are not moved: each side's NBD exports are local. Called on the event loop.
 *
 * <p>The guest is stopped by this class, not by QEMU's own estimate: with {@code downtime-limit} 0 QEMU goes on copying until what
 * is left fits the wished pause, then {@code stop} and a last pass. QEMU's own switch of a running guest leaves stale pages behind
 * under TCG (its last two synchronisations of the dirty bitmap do not reset translated stores).
 */
public final class MigrationSource {
    private static final int POLL_MILLIS = 5;
    /** After the guest was stopped the rest fits; this only keeps QEMU from waiting for a better moment. */
    private static final int DOWNTIME_AFTER_STOP_MILLIS = 10_000;
    /** Bytes a second; the link is the limit, not QEMU. */
    private static final long BANDWIDTH = 10L << 30;
    /** Before QEMU has measured its throughput: what any link moves in a moment. */
    private static final long SMALL_BYTES = 32L << 20;

    /** The guest that moves, and its QEMU, as {@link GuestControl} has them. */
    interface Port {
        CompletableFuture<JsonNode> execute(String name, ObjectNode arguments);

        /** Asks again until the answer pleases, for at most the time of one command. */
        CompletableFuture<JsonNode> repeat(String query, Function<JsonNode, Boolean> enough);

        /** Hears the statuses of a migration, and {@code failed} if QEMU ends. One at a time. */
        void onMigration(@Nullable Consumer<String> statuses);

        /** The guest is the other side's. */
        void movedAway();

        CompletableFuture<Void> startOrResume();
    }

    private final Port guest;
    private final EventLoop loop;
    private final CompletableFuture<Void> paused = new CompletableFuture<>();
    private final CompletableFuture<Void> completed = new CompletableFuture<>();
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private Duration downtime = Duration.ZERO;
    private long remainingBytes = -1;
    /** From the moment at which QEMU is told to stop the guest, or has done so by itself, there is nothing to watch. */
    private boolean switching;

    private CompletableFuture<?> stopped = CompletableFuture.completedFuture(null);

    MigrationSource(Port guest, EventLoop loop) {
        this.guest = guest;
        this.loop = loop;
    }

    /** The same on both sides. */
    static ObjectNode capabilities() {
        ObjectNode arguments = JsonNodeFactory.instance.objectNode();
        ArrayNode all = arguments.putArray("capabilities");
        for (String name : List.of("events", "pause-before-switchover", "return-path")) {
            all.addObject().put("capability", name).put("state", true);
        }
        return arguments;
    }

    private static ObjectNode parameters(long downtimeMillis) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("downtime-limit", downtimeMillis)
                .put("max-bandwidth", BANDWIDTH);
    }

    /**
     * Begins to move RAM.
     *
     * @param socket a unix socket that leads to the target's, through the mirrors' link
     * @param wishedDowntime pause of the guest to aim for
     * @param limit time for the live phase; after it the migration is cancelled
     * @return completes when the guest is paused for the switch and its I/O is drained; fails with {@link GuestException} when it
     *     goes on here
     */
    public CompletableFuture<Void> start(Path socket, Duration wishedDowntime, Duration limit) {
        downtime = wishedDowntime;
        guest.onMigration(this::heard);
        ObjectNode uri = JsonNodeFactory.instance.objectNode().put("uri", "unix:" + socket);
        guest.execute("migrate-set-capabilities", capabilities())
                .thenCompose(set -> guest.execute("migrate-set-parameters", parameters(0)))
                .thenCompose(set -> guest.execute("migrate", uri))
                .whenComplete((begun, failure) -> {
                    if (failure == null) {
                        watch(System.nanoTime() + limit.toNanos());
                    } else {
                        giveUp("migration could not begin: " + failure.getMessage());
                    }
                });
        return paused;
    }

    private void heard(String status) {
        switch (status) {
            case "pre-switchover" -> {
                switching = true;
                // Safety: QEMU may have stopped an idle guest by itself while its order to stop was on the way. It
                // flushes the disks when it takes that order, and would wait for ever, deaf, at disks that are no
                // more served; so nobody hears that the guest is paused before that is over.
                stopped.thenRun(() -> paused.complete(null));
            }
            case "completed" -> {
                guest.onMigration(null);
                guest.movedAway();
                completed.complete(null);
            }
            case "failed", "cancelled" -> {
                guest.onMigration(null);
                ended.complete(null);
                GuestException failure = new GuestException("migration " + status);
                completed.completeExceptionally(failure);
                if (!paused.isDone()) {
                    letRunAgain().whenComplete((running, ignored) -> paused.completeExceptionally(failure));
                }
            }
            default -> {
                // setup, active, device, cancelling: on its way
            }
        }
    }

    private void watch(long endNanos) {
        if (isDecided()) {
            return;
        }
        if (System.nanoTime() - endNanos > 0) {
            giveUp("the guest's memory changes faster than it can be moved in the time allowed");
            return;
        }
        execute("query-migrate").whenComplete((answer, failure) -> {
            if (isDecided()) {
                return; // the answer is older than that
            }
            if (failure != null) {
                giveUp("QEMU does not say how far the migration is: " + failure.getMessage());
            } else if (fits(answer)) {
                stopGuest();
            } else {
                loop.schedule(() -> watch(endNanos), POLL_MILLIS, TimeUnit.MILLISECONDS);
            }
        });
    }

    private boolean isDecided() {
        return paused.isDone() || ended.isDone() || switching;
    }

    private CompletableFuture<JsonNode> execute(String name) {
        return guest.execute(name, JsonNodeFactory.instance.objectNode());
    }

    private boolean fits(JsonNode answer) {
        JsonNode ram = answer.path("ram");
        remainingBytes = ram.path("remaining").asLong(-1);
        double bytesPerMilli = ram.path("mbps").asDouble(0) * 125;
        double small = bytesPerMilli > 0 ? bytesPerMilli * downtime.toMillis() : SMALL_BYTES;
        return answer.path("status").asText().equals("active")
                && ram.path("dirty-sync-count").asInt() >= 2
                && remainingBytes >= 0
                && remainingBytes <= small;
    }

    /** Not the fence of an old active: here the mirror serves the guest's I/O, so that {@code stop} has nothing to wait for. */
    private void stopGuest() {
        switching = true;
        CompletableFuture<JsonNode> stopping = execute("stop")
                .thenCompose(still -> guest.execute("migrate-set-parameters", parameters(DOWNTIME_AFTER_STOP_MILLIS)));
        stopped = stopping;
        stopping.whenComplete((set, failure) -> {
            if (failure != null) {
                giveUp("the guest could not be stopped for the switch: " + failure.getMessage());
            }
        });
    }

    private void giveUp(String why) {
        cancel().whenComplete((running, failure) -> paused.completeExceptionally(
                new GuestException(failure == null ? why : why + "; " + failure.getMessage())));
    }

    /** After {@link #start}: hands the guest over for good. Completes when the target has everything. */
    public CompletableFuture<Void> finish(Duration limit) {
        ObjectNode arguments = JsonNodeFactory.instance.objectNode().put("state", "pre-switchover");
        CompletableFuture<Void> late = new CompletableFuture<>();
        late.orTimeout(limit.toMillis(), TimeUnit.MILLISECONDS);
        return guest.execute("migrate-continue", arguments)
                .thenCompose(going -> completed.applyToEither(
                        late.exceptionallyCompose(timeout -> CompletableFuture.failedFuture(
                                new GuestException("the guest was not taken over within " + limit.toMillis() + " ms"))),
                        done -> done));
    }

    /** Gives up; completes when the guest runs here again. Fails if it is too late or QEMU is gone. */
    public CompletableFuture<Void> cancel() {
        return execute("migrate_cancel").thenCompose(accepted -> letRunAgain());
    }

    private CompletableFuture<Void> letRunAgain() {
        return guest.repeat(
                        "query-migrate", answer -> switch (answer.path("status").asText("none")) {
                            case "none", "failed", "cancelled", "completed" -> true;
                            default -> false;
                        })
                // Never on a guest that went over: the other side may be running it.
                .thenCompose(settled -> settled.path("status").asText().equals("completed")
                        ? CompletableFuture.failedFuture(new GuestException("too late: the guest has gone to the peer"))
                        : guest.startOrResume());
    }

    /** Bytes of RAM still to be moved when last asked, -1 before the start. */
    public long remainingBytes() {
        return remainingBytes;
    }
}
