package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.channel.EventLoop;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts, continues, freezes, kills and re-adopts the guest's QEMU.
 *
 * <p>Called on the event loop; futures complete on it and fail with {@link GuestException}. At most one of {@code prepareStandby},
 * {@code prepareIncoming}, {@code startOrResume}, {@code powerDown}, {@code reset} is under way at a time; a second one begins when
 * the first has ended, well or not. {@code freeze}, {@code thaw} and {@code kill} are always allowed, {@code kill} ends what is
 * under way.
 */
public final class GuestControl implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(GuestControl.class);
    /** How often QEMU is asked again while something is awaited. */
    private static final Duration POLL = Duration.ofMillis(10);
    /** Commands that change nothing on a disk. */
    static final Duration COMMAND_LIMIT = Duration.ofSeconds(10);

    private static final Duration ANNOUNCE_LIMIT = Duration.ofSeconds(2);

    private final GuestFiles files;
    private final EventLoop loop;
    private final GuestMark mark;
    private final GuestTracker tracker;
    private final QemuLife qemu;
    private CompletableFuture<?> operation = CompletableFuture.completedFuture(null);

    /**
     * @param command builds QEMU's arguments
     * @param files the directory shared with QEMU's container
     * @param events hears what happens
     */
    public GuestControl(QemuCommandLine command, GuestFiles files, EventLoop loop, Consumer<GuestEvent> events) {
        this.files = files;
        this.loop = loop;
        this.mark = new GuestMark(files.guestMark());
        this.tracker = new GuestTracker(mark, events);
        this.qemu = new QemuLife(command, files, loop, tracker);
    }

    /** The state now. */
    public GuestState state() {
        return qemu.state();
    }

    // ------------------------------------------------------------------------------------------------------ adoption

    /**
     * First call of a life: finds a QEMU that an earlier life of this mirror left, and connects to its monitor. Nothing is
     * started or stopped, but a request that the launcher has not begun is taken back.
     *
     * @return the state found; {@link GuestState#isGuestAlive()} is the answer to "did the guest survive"
     */
    public CompletableFuture<GuestState> adopt() {
        return qemu.adopt();
    }

    // ---------------------------------------------------------------------------------------------------- operations

    private <T> CompletableFuture<T> next(Supplier<CompletableFuture<T>> begin) {
        CompletableFuture<T> result = new CompletableFuture<>();
        operation.whenComplete((before, ignored) -> begin.get().whenComplete((value, failure) -> {
            if (failure == null) {
                result.complete(value);
            } else {
                result.completeExceptionally(asGuestException(failure));
            }
        }));
        operation = result;
        return result;
    }

    private static GuestException asGuestException(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return cause instanceof GuestException known
                ? known
                : new GuestException(String.valueOf(cause.getMessage()), cause);
    }

    /** A paused QEMU that can boot the guest at once. Idempotent: one that is ready, or runs, is left alone. */
    public CompletableFuture<Void> prepareStandby() {
        return next(() -> prepare(StartMode.BOOT));
    }

    /** A QEMU that waits for the guest by live migration, in place of one that waits to boot. */
    public CompletableFuture<MigrationTarget> prepareIncoming() {
        return next(() ->
                prepare(StartMode.INCOMING).thenCompose(up -> MigrationTarget.listen(this, files.migrationSocket())));
    }

    private CompletableFuture<Void> prepare(StartMode mode) {
        return switch (tracker.state()) {
            case GuestState.Absent _, GuestState.Dead _ -> qemu.launch(mode);
            case GuestState.Starting starting when starting.mode() == mode -> qemu.ready();
            case GuestState.Ready waiting when waiting.mode() == mode && mode == StartMode.BOOT -> qemu.ready();
            case GuestState.Running _, GuestState.PoweredOff _, GuestState.Crashed _, GuestState.Frozen _ ->
                mode == StartMode.BOOT
                        ? CompletableFuture.completedFuture(null)
                        : CompletableFuture.failedFuture(
                                new GuestException("the guest is here, it can not also come from the peer"));
            // A QEMU that waited for a migration once is not used for another: it may hold half a guest.
            case GuestState.Starting _, GuestState.Ready _, GuestState.MovedAway _ ->
                kill().thenCompose(dead -> qemu.launch(mode));
        };
    }

    /**
     * Lets the guest run: starts a QEMU where there is none, continues one that waits or is frozen, resets one that is powered off
     * or crashed, leaves one that runs alone, and announces the guest's addresses. The gate must be open and the taps attached
     * before.
     */
    public CompletableFuture<Void> startOrResume() {
        return next(() -> {
            thaw();
            return switch (tracker.state()) {
                case GuestState.Absent _, GuestState.Dead _ ->
                    qemu.launch(StartMode.BOOT).thenCompose(up -> letRun());
                case GuestState.MovedAway _ -> bootAnew();
                // A twin becomes the guest by ColoStandby.takeOver only; who wants a boot gets one, from the disks.
                case GuestState.Starting starting when isNoGuest(starting.mode()) -> bootAnew();
                case GuestState.Ready ready when isNoGuest(ready.mode()) -> bootAnew();
                case GuestState.Starting _,
                        GuestState.Ready _,
                        GuestState.Running _,
                        GuestState.PoweredOff _,
                        GuestState.Crashed _,
                        GuestState.Frozen _ -> qemu.ready().thenCompose(up -> letRun());
            };
        });
    }

    private static boolean isNoGuest(StartMode mode) {
        return switch (mode) {
            case BOOT, INCOMING -> false;
            case TWIN, COMMIT -> true;
        };
    }

    private CompletableFuture<Void> bootAnew() {
        return kill().thenCompose(dead -> qemu.launch(StartMode.BOOT)).thenCompose(up -> letRun());
    }

    private CompletableFuture<Void> letRun() {
        try {
            // Before the guest executes anything: from here on this QEMU holds the guest, whatever becomes of this
            // process.
            mark.write(tracker.run());
        } catch (GuestException e) {
            return CompletableFuture.failedFuture(e);
        }
        return execute("query-status")
                .thenCompose(status -> switch (status.path("status").asText()) {
                    // "colo": in the middle of a checkpoint; to continue there would tear it.
                    case "running", "colo" -> CompletableFuture.<@Nullable JsonNode>completedFuture(null);
                    case "postmigrate" ->
                        CompletableFuture.failedFuture(
                                new GuestException("the guest has gone to the peer, what is left here must not run"));
                    case "finish-migrate" -> execute("migrate_cancel").thenCompose(given -> waitUntilMovable());
                    case "shutdown", "guest-panicked", "internal-error" ->
                        systemReset().thenCompose(again -> execute("cont"));
                    default -> execute("cont");
                })
                .thenCompose(running -> {
                    tracker.nowRunning();
                    announce();
                    return CompletableFuture.completedFuture(null);
                });
    }

    /** After a cancelled migration QEMU needs a moment before it can continue. */
    private CompletableFuture<JsonNode> waitUntilMovable() {
        return repeat("query-migrate", answer -> {
                    String status = answer.path("status").asText();
                    return !status.equals("cancelling") && !status.equals("pre-switchover");
                })
                .thenCompose(settled -> execute("query-status"))
                .thenCompose(status -> status.path("running").asBoolean()
                        ? CompletableFuture.completedFuture(status)
                        : execute("cont"));
    }

    /** Asks again every few milliseconds until the answer pleases, for at most the time of one command. */
    CompletableFuture<JsonNode> repeat(String query, Function<JsonNode, Boolean> enough) {
        return repeat(query, enough, System.nanoTime() + COMMAND_LIMIT.toNanos());
    }

    private CompletableFuture<JsonNode> repeat(String query, Function<JsonNode, Boolean> enough, long endNanos) {
        return Polling.until(
                (delay, task) -> loop.schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS),
                POLL,
                () -> execute(query).thenCompose(answer -> {
                    if (enough.apply(answer)) {
                        return Polling.now(answer);
                    }
                    return System.nanoTime() - endNanos > 0
                            ? CompletableFuture.failedFuture(new GuestException(query + " still says " + answer))
                            : Polling.notYet();
                }));
    }

    private static <T> void complete(CompletableFuture<T> target, CompletableFuture<T> source) {
        source.whenComplete((value, failure) -> {
            if (failure == null) {
                target.complete(value);
            } else {
                target.completeExceptionally(failure);
            }
        });
    }

    /** Resets the machine as its reset button does, and lets it run; also after a crash or a power-off by the guest. */
    public CompletableFuture<Void> reset() {
        return next(() -> {
            if (!qemu.hasProcess()) {
                return CompletableFuture.failedFuture(new GuestException("there is no QEMU to reset"));
            }
            if (tracker.isTwin()) {
                return CompletableFuture.failedFuture(
                        new GuestException("a twin is not reset; its guest is elsewhere"));
            }
            thaw();
            return qemu.ready().thenCompose(up -> systemReset()).thenCompose(again -> letRun());
        });
    }

    private CompletableFuture<Void> systemReset() {
        CompletableFuture<Void> done = tracker.expectReset();
        // The answer comes before the reset; only the event says that it was done.
        return execute("system_reset")
                .thenCompose(accepted -> within(COMMAND_LIMIT, "the machine was not reset", done));
    }

    /** The same, but failing after that time; on the event loop, unlike {@code orTimeout}. */
    CompletableFuture<Void> within(Duration limit, String otherwise, CompletableFuture<Void> awaited) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        complete(result, awaited);
        ScheduledFuture<?> timer = loop.schedule(
                () -> result.completeExceptionally(
                        new GuestException(otherwise + " within " + limit.toMillis() + " ms")),
                limit.toMillis(),
                TimeUnit.MILLISECONDS);
        result.whenComplete((done, failure) -> timer.cancel(false));
        return result;
    }

    /**
     * Presses the power button, waits for the guest, and ends QEMU; kills it after {@code grace}. Completes when it is gone.
     *
     * <p>QEMU is ended by SIGKILL also after a clean power-off: it caches nothing of the disks, all writes it accepted are the
     * mirror's, and its own {@code quit} can wait for I/O.
     */
    public CompletableFuture<Void> powerDown(Duration grace) {
        return next(() -> {
            if (!(tracker.state() instanceof GuestState.Running) || qemu.isFrozen()) {
                return kill();
            }
            CompletableFuture<Void> off = tracker.expectPowerOff();
            CompletableFuture<Void> gone = new CompletableFuture<>();
            execute("system_powerdown").exceptionally(failure -> {
                off.complete(null); // nobody will hear the button
                return JsonNodeFactory.instance.nullNode();
            });
            within(grace, "the guest did not switch itself off", off)
                    .whenComplete((done, ignored) -> complete(gone, kill()));
            return gone;
        });
    }

    /**
     * Lets QEMU, and through it the guest, see how large the disks are. Nothing is done for a disk that it sees so already, for one that
     * would shrink, or where no QEMU has the disks open. Fails if QEMU has not read the size anew yet: try again.
     */
    public CompletableFuture<Void> showDiskSizes(List<Long> bytes) {
        return next(() -> {
            boolean open = tracker.state() instanceof GuestState.Running
                    || tracker.state() instanceof GuestState.Ready ready && ready.mode() == StartMode.BOOT;
            return open && !qemu.isFrozen()
                    ? new DiskSizesInQemu(this).show(bytes)
                    : CompletableFuture.completedFuture(null);
        });
    }

    /** Sends the guest's addresses to the network again (gratuitous ARP/RARP by QEMU): five times, 50 to 500 ms apart. */
    public CompletableFuture<Void> announce() {
        ObjectNode arguments = JsonNodeFactory.instance
                .objectNode()
                .put("initial", 50)
                .put("max", 500)
                .put("rounds", 5)
                .put("step", 50);
        return execute("announce-self", arguments, ANNOUNCE_LIMIT).handle((done, failure) -> {
            if (failure != null) {
                LOG.warn("the guest's addresses could not be announced: {}", failure.getMessage());
            }
            return null;
        });
    }

    /** Moves the guest to the peer; see {@link MigrationSource}. Only while it runs. */
    public MigrationSource migrate() {
        return new MigrationSource(new Moving(), loop);
    }

    private final class Moving implements MigrationSource.Port {
        @Override
        public CompletableFuture<JsonNode> execute(String name, ObjectNode arguments) {
            return GuestControl.this.execute(name, arguments);
        }

        @Override
        public CompletableFuture<JsonNode> repeat(String query, Function<JsonNode, Boolean> enough) {
            return GuestControl.this.repeat(query, enough);
        }

        @Override
        public void onMigration(@Nullable Consumer<String> statuses) {
            GuestControl.this.onMigration(statuses);
        }

        @Override
        public void movedAway() {
            GuestControl.this.movedAway();
        }

        @Override
        public CompletableFuture<Void> startOrResume() {
            return GuestControl.this.startOrResume();
        }
    }

    // --------------------------------------------------------------------------------------------------- level 3

    /** Which side of level 3 the QEMU here is on. */
    public enum ColoRole {
        /** None. */
        NONE,
        /** Its guest has a twin, or had one and was not told that it is gone. */
        ACTIVE,
        /** It is a twin. */
        STANDBY
    }

    /** Asks QEMU; for a mirror that was restarted and adopted it. Fails when there is none, or it is frozen. */
    public CompletableFuture<ColoRole> coloRole() {
        return execute("query-colo-status")
                .thenApply(answer -> switch (answer.path("mode").asText()) {
                    case "primary" -> ColoRole.ACTIVE;
                    case "secondary" -> ColoRole.STANDBY;
                    default -> ColoRole.NONE;
                });
    }

    /**
     * The active's side of a twinning, to be begun with {@link ColoActive#protect}.
     *
     * @param directory of the sockets, see {@link TwinSockets}
     */
    public ColoActive twinning(Path directory, ColoLimits limits, ColoActive.Listener listener) {
        return new ColoActive(port(), new TwinSockets(directory, qemu.cards()), limits, listener);
    }

    /** The same for a QEMU found in one by a restarted mirror ({@link ColoRole#ACTIVE}): its twin is lost to it. */
    public ColoActive foundTwinning(Path directory, ColoLimits limits, ColoActive.Listener listener) {
        ColoActive found = twinning(directory, limits, listener);
        found.found();
        return found;
    }

    /**
     * The standby's side, to be begun with {@link ColoStandby#awaitTwin}.
     *
     * @param directory of the sockets
     * @param overlayBytes bound of one overlay's file, at least 1 MiB
     */
    public ColoStandby twin(Path directory, long overlayBytes, ColoLimits limits, ColoStandby.Listener listener) {
        return new ColoStandby(
                port(),
                new TwinSockets(directory, qemu.cards()),
                overlays(),
                qemu.twinDisks(),
                overlayBytes,
                limits,
                listener);
    }

    /**
     * The same for a QEMU found by a restarted mirror: a twin ({@link ColoRole#STANDBY}), or one that took over and whose overlays
     * were not committed when the mirror ended ({@link OverlayFiles#areUncommitted} and {@link ColoRole#NONE}).
     */
    public ColoStandby foundTwin(
            Path directory, long overlayBytes, ColoLimits limits, ColoRole role, ColoStandby.Listener listener) {
        ColoStandby found = twin(directory, overlayBytes, limits, listener);
        found.found(role == ColoRole.NONE);
        return found;
    }

    /**
     * Writes into the image what a failover left in overlays when its QEMU died before the commit was over. Until then every start of
     * a QEMU on this image fails. Before: no QEMU is here, and this mirror serves its disks, writes and all.
     *
     * @return completes when the image has everything, also when there was nothing to do; fails when the overlays still count
     */
    public CompletableFuture<Void> commitOverlays(ColoLimits limits) {
        if (!overlays().areUncommitted()) {
            return CompletableFuture.completedFuture(null);
        }
        if (tracker.state().isGuestAlive()) {
            return CompletableFuture.failedFuture(
                    new GuestException("the guest runs on the overlays, and commits them"));
        }
        return new OverlayCommit(port(), overlays(), qemu.twinDisks(), limits).commit();
    }

    /** Where a twin's overlays lie here. */
    public OverlayFiles overlays() {
        return new OverlayFiles(files.overlays());
    }

    ColoPort port() {
        return new GuestColoPort(this, qemu, tracker, mark, loop);
    }

    /** In turn with the other operations. */
    CompletableFuture<Void> prepareFor(StartMode mode) {
        return next(() -> prepare(mode));
    }

    // ------------------------------------------------------------------------------------------------ freeze and kill

    /**
     * Stops QEMU in the kernel (SIGSTOP), now; it keeps its state. May be called from any thread. A QEMU that is starting is
     * stopped as soon as its process appears.
     */
    public void freeze() {
        qemu.freeze();
    }

    /** Lets a frozen QEMU go on (SIGCONT). */
    public void thaw() {
        qemu.thaw();
    }

    /**
     * Kills every QEMU of this machine in this pod and completes when the kernel confirms that none is left and the launcher has
     * no request that would start one. Never fails: it tries until it is done.
     */
    public CompletableFuture<Void> kill() {
        return qemu.kill();
    }

    // ------------------------------------------------------------------------------------------ for the live migration

    CompletableFuture<JsonNode> execute(String name) {
        return execute(name, JsonNodeFactory.instance.objectNode(), COMMAND_LIMIT);
    }

    CompletableFuture<JsonNode> execute(String name, ObjectNode arguments) {
        return execute(name, arguments, COMMAND_LIMIT);
    }

    private CompletableFuture<JsonNode> execute(String name, ObjectNode arguments, Duration limit) {
        return qemu.execute(name, arguments, limit);
    }

    /** Hears the statuses of a migration, and {@code failed} if QEMU ends. One at a time. */
    void onMigration(@Nullable Consumer<String> statuses) {
        tracker.onMigration(statuses);
    }

    /** The guest is the other side's. */
    void movedAway() {
        tracker.movedAway();
    }

    /** The guest is here, paused. */
    void arrived() {
        tracker.arrived();
    }

    /** Lets go of QEMU, which lives on. */
    @Override
    public void close() {
        tracker.close();
        qemu.close();
    }
}
