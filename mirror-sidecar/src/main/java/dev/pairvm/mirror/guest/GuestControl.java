package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
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
    /** How often the launcher's files and the processes are looked at while something is awaited. */
    private static final int POLL_MILLIS = 10;
    /** A restarting mirror waits so long for the monitor of a QEMU that it found before it goes on without. */
    private static final Duration ADOPTION_LIMIT = Duration.ofSeconds(3);
    /** Commands that change nothing on a disk. */
    static final Duration COMMAND_LIMIT = Duration.ofSeconds(10);

    private static final Duration ANNOUNCE_LIMIT = Duration.ofSeconds(2);

    private final QemuCommandLine command;
    private final GuestFiles files;
    private final EventLoop loop;
    private final Consumer<GuestEvent> events;
    private final Launcher launcher;
    private final GuestMark mark;

    /** As if it were not frozen. */
    private GuestState base = new GuestState.Absent();

    private volatile boolean frozen;
    private volatile @Nullable QemuProcess process;
    private @Nullable Monitor monitor;
    private CompletableFuture<?> operation = CompletableFuture.completedFuture(null);
    private CompletableFuture<Void> ready = new CompletableFuture<>();
    private @Nullable CompletableFuture<Void> killing;
    private @Nullable CompletableFuture<Void> poweredOff;
    private @Nullable CompletableFuture<Void> resetDone;
    private @Nullable Consumer<String> migrationStatus;
    private boolean closed;

    /**
     * @param command builds QEMU's arguments
     * @param files the directory shared with QEMU's container
     * @param events hears what happens
     */
    public GuestControl(QemuCommandLine command, GuestFiles files, EventLoop loop, Consumer<GuestEvent> events) {
        this.command = command;
        this.files = files;
        this.loop = loop;
        this.events = events;
        this.launcher = new Launcher(files.launchDirectory());
        this.mark = new GuestMark(files.guestMark());
    }

    /** The state now. */
    public GuestState state() {
        QemuProcess held = process;
        return frozen && held != null ? new GuestState.Frozen(run(), held.pid(), base) : base;
    }

    private long run() {
        return switch (base) {
            case GuestState.Absent _ -> 0;
            case GuestState.Starting s -> s.run();
            case GuestState.Ready s -> s.run();
            case GuestState.Running s -> s.run();
            case GuestState.Frozen s -> s.run();
            case GuestState.PoweredOff s -> s.run();
            case GuestState.Crashed s -> s.run();
            case GuestState.MovedAway s -> s.run();
            case GuestState.Dead s -> s.run();
        };
    }

    private int pid() {
        QemuProcess held = process;
        return held == null ? 0 : held.pid();
    }

    private void tell(GuestEvent event) {
        if (!closed) {
            events.accept(event);
        }
    }

    // ------------------------------------------------------------------------------------------------------ adoption

    /**
     * First call of a life: finds a QEMU that an earlier life of this mirror left, and connects to its monitor. Nothing is
     * started or stopped, but a request that the launcher has not begun is taken back.
     *
     * @return the state found; {@link GuestState#isGuestAlive()} is the answer to "did the guest survive"
     */
    public CompletableFuture<GuestState> adopt() {
        launcher.withdraw();
        CompletableFuture<GuestState> found = new CompletableFuture<>();
        adoptWhenStarted(found);
        return found;
    }

    private void adoptWhenStarted(CompletableFuture<GuestState> found) {
        List<QemuProcess> all = QemuProcess.findAll(command.uuid());
        if (all.isEmpty()) {
            if (launcher.isIdle()) {
                found.complete(base);
            } else {
                // It was being started when the mirror died.
                loop.schedule(() -> adoptWhenStarted(found), POLL_MILLIS, TimeUnit.MILLISECONDS);
            }
            return;
        }
        Optional<Launcher.Note> note = launcher.process();
        long run = note.map(Launcher.Note::run).orElse(0L);
        int known = note.map(Launcher.Note::number).orElse(0);
        QemuProcess held =
                all.stream().filter(each -> each.pid() == known).findFirst().orElse(all.getFirst());
        all.stream().filter(each -> each != held).forEach(QemuProcess::close);
        frozen = held.isStopped();
        base = mark.names(run)
                ? new GuestState.Running(run, held.pid())
                : new GuestState.Ready(run, held.pid(), StartMode.BOOT);
        ready = new CompletableFuture<>();
        hold(held);
        LOG.info("found QEMU {} of run {}, {}", held.pid(), run, state());
        if (frozen) {
            found.complete(state());
            return;
        }
        ready.whenComplete((done, failure) -> found.complete(state()));
        loop.schedule(() -> found.complete(state()), ADOPTION_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
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
        return switch (base) {
            case GuestState.Absent _, GuestState.Dead _ -> launch(mode);
            case GuestState.Starting starting when starting.mode() == mode -> ready;
            case GuestState.Ready waiting when waiting.mode() == mode && mode == StartMode.BOOT -> ready;
            case GuestState.Running _, GuestState.PoweredOff _, GuestState.Crashed _, GuestState.Frozen _ ->
                mode == StartMode.BOOT
                        ? CompletableFuture.completedFuture(null)
                        : CompletableFuture.failedFuture(
                                new GuestException("the guest is here, it can not also come from the peer"));
            // A QEMU that waited for a migration once is not used for another: it may hold half a guest.
            case GuestState.Starting _, GuestState.Ready _, GuestState.MovedAway _ ->
                kill().thenCompose(dead -> launch(mode));
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
            return switch (base) {
                case GuestState.Absent _, GuestState.Dead _ ->
                    launch(StartMode.BOOT).thenCompose(up -> letRun());
                case GuestState.MovedAway _ ->
                    kill().thenCompose(dead -> launch(StartMode.BOOT)).thenCompose(up -> letRun());
                case GuestState.Starting _,
                        GuestState.Ready _,
                        GuestState.Running _,
                        GuestState.PoweredOff _,
                        GuestState.Crashed _,
                        GuestState.Frozen _ -> ready.thenCompose(up -> letRun());
            };
        });
    }

    private CompletableFuture<Void> letRun() {
        try {
            // Before the guest executes anything: from here on this QEMU holds the guest, whatever becomes of this
            // process.
            mark.write(run());
        } catch (GuestException e) {
            return CompletableFuture.failedFuture(e);
        }
        return execute("query-status")
                .thenCompose(status -> switch (status.path("status").asText()) {
                    case "running" -> CompletableFuture.<@Nullable JsonNode>completedFuture(null);
                    case "postmigrate" ->
                        CompletableFuture.failedFuture(
                                new GuestException("the guest has gone to the peer, what is left here must not run"));
                    case "finish-migrate" -> execute("migrate_cancel").thenCompose(given -> waitUntilMovable());
                    case "shutdown", "guest-panicked", "internal-error" ->
                        systemReset().thenCompose(again -> execute("cont"));
                    default -> execute("cont");
                })
                .thenCompose(running -> {
                    nowRunning();
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
        return execute(query).thenCompose(answer -> {
            if (enough.apply(answer)) {
                return CompletableFuture.completedFuture(answer);
            }
            if (System.nanoTime() - endNanos > 0) {
                return CompletableFuture.failedFuture(new GuestException(query + " still says " + answer));
            }
            CompletableFuture<JsonNode> later = new CompletableFuture<>();
            loop.schedule(() -> complete(later, repeat(query, enough, endNanos)), POLL_MILLIS, TimeUnit.MILLISECONDS);
            return later;
        });
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
            if (process == null) {
                return CompletableFuture.failedFuture(new GuestException("there is no QEMU to reset"));
            }
            thaw();
            return ready.thenCompose(up -> systemReset()).thenCompose(again -> letRun());
        });
    }

    private CompletableFuture<Void> systemReset() {
        CompletableFuture<Void> done = new CompletableFuture<>();
        resetDone = done;
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
            if (!(base instanceof GuestState.Running) || frozen) {
                return kill();
            }
            CompletableFuture<Void> off = new CompletableFuture<>();
            poweredOff = off;
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
        return new MigrationSource(this, loop);
    }

    // ------------------------------------------------------------------------------------------------ freeze and kill

    /**
     * Stops QEMU in the kernel (SIGSTOP), now; it keeps its state. May be called from any thread. A QEMU that is starting is
     * stopped as soon as its process appears.
     */
    public void freeze() {
        // The wish first: a process that appears meanwhile is stopped by whoever sees it first.
        frozen = true;
        QemuProcess held = process;
        if (held != null) {
            held.stop();
        }
    }

    /** Lets a frozen QEMU go on (SIGCONT). */
    public void thaw() {
        frozen = false;
        QemuProcess held = process;
        if (held != null) {
            held.go();
        }
    }

    /**
     * Kills every QEMU of this machine in this pod and completes when the kernel confirms that none is left and the launcher has
     * no request that would start one. Never fails: it tries until it is done.
     */
    public CompletableFuture<Void> kill() {
        CompletableFuture<Void> underWay = killing;
        if (underWay != null) {
            return underWay;
        }
        CompletableFuture<Void> done = new CompletableFuture<>();
        killing = done;
        if (monitor != null) {
            monitor.release();
        }
        abandon("QEMU was killed by order");
        killUntilGone(done);
        return done;
    }

    private void killUntilGone(CompletableFuture<Void> done) {
        launcher.withdraw();
        QemuProcess held = process;
        boolean left = false;
        if (held != null) {
            held.kill();
            left = held.isAlive();
        }
        for (QemuProcess each : QemuProcess.findAll(command.uuid())) {
            try (each) {
                each.kill();
                left |= each.isAlive();
            }
        }
        if (left || !launcher.isIdle()) {
            loop.schedule(() -> killUntilGone(done), POLL_MILLIS, TimeUnit.MILLISECONDS);
            return;
        }
        release();
        frozen = false;
        killing = null;
        base = base instanceof GuestState.Absent ? base : new GuestState.Dead(run(), "killed by order", true);
        done.complete(null);
    }

    /** Whoever waits for something that this QEMU was to do waits no longer. */
    private void abandon(String why) {
        GuestException gone = new GuestException(why);
        ready.completeExceptionally(gone);
        if (resetDone != null) {
            resetDone.completeExceptionally(gone);
        }
        if (poweredOff != null) {
            poweredOff.completeExceptionally(gone);
        }
        if (migrationStatus != null) {
            migrationStatus.accept("failed");
        }
        resetDone = null;
        poweredOff = null;
        migrationStatus = null;
    }

    private void release() {
        if (monitor != null) {
            monitor.release();
            monitor = null;
        }
        QemuProcess held = process;
        process = null;
        if (held != null) {
            held.close();
        }
    }

    // ---------------------------------------------------------------------------------------------------------- start

    private CompletableFuture<Void> launch(StartMode mode) {
        ready = new CompletableFuture<>();
        try {
            long run = launcher.request(command.arguments(mode));
            base = new GuestState.Starting(run, mode);
            awaitProcess(run, ready);
        } catch (GuestException e) {
            ready.completeExceptionally(e);
        }
        return ready;
    }

    /** Without a limit: QEMU's container may still be on its way, and the request waits for it. */
    private void awaitProcess(long run, CompletableFuture<Void> started) {
        if (started.isDone() || closed || killing != null) {
            return;
        }
        Optional<Integer> status = launcher.exit(run);
        if (status.isPresent()) {
            ended(status);
            return;
        }
        Optional<QemuProcess> found = launcher.process()
                .filter(note -> note.run() == run)
                .flatMap(note -> QemuProcess.find(note.number(), command.uuid()));
        if (found.isPresent()) {
            hold(found.get());
        } else {
            loop.schedule(() -> awaitProcess(run, started), POLL_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    private void hold(QemuProcess found) {
        process = found;
        if (frozen) {
            found.stop();
        }
        Monitor connecting = new Monitor(found, files.qmpSocket(), loop, new FromQemu());
        monitor = connecting;
        connecting.connect();
    }

    // -------------------------------------------------------------------------------------------------- what QEMU says

    private final class FromQemu implements Monitor.Listener {
        @Override
        public void onConnected() {
            boolean again = ready.isDone();
            execute("query-status").whenComplete((status, failure) -> {
                if (failure != null) {
                    LOG.warn("QEMU's state is not known: {}", failure.getMessage());
                    return; // the monitor was lost again, and is being connected again
                }
                read(status.path("status").asText());
                ready.complete(null);
                if (again) {
                    tell(new GuestEvent.MonitorRegained());
                }
            });
        }

        @Override
        public void onEvent(QmpEvent event) {
            switch (event.name()) {
                case "SHUTDOWN" -> {
                    // "host-signal": the container is being ended; QEMU's exit follows and says so.
                    if (event.data().path("reason").asText().equals("guest-shutdown")) {
                        nowOff();
                    }
                }
                case "RESET" -> nowReset(event.data().path("guest").asBoolean());
                case "RESUME" -> nowRunning();
                case "GUEST_PANICKED" -> nowCrashed("the guest's kernel panicked");
                case "MIGRATION" -> {
                    if (migrationStatus != null) {
                        migrationStatus.accept(event.data().path("status").asText());
                    }
                }
                default -> LOG.debug("QEMU reports {}", event.name());
            }
        }

        @Override
        public void onLost(String why) {
            tell(new GuestEvent.MonitorLost(why));
        }

        @Override
        public void onEnded() {
            awaitStatus(run(), 50);
        }
    }

    /** The launcher notes the status a moment after the end. */
    private void awaitStatus(long run, int tries) {
        Optional<Integer> status = launcher.exit(run);
        if (killing != null || run() != run) {
            return;
        }
        if (status.isEmpty() && tries > 0) {
            loop.schedule(() -> awaitStatus(run, tries - 1), POLL_MILLIS, TimeUnit.MILLISECONDS);
        } else {
            ended(status);
        }
    }

    private void ended(Optional<Integer> status) {
        boolean wasGuest = base.isGuestAlive();
        boolean wasStarting = base instanceof GuestState.Starting;
        String why = "QEMU ended " + status.map(GuestControl::explained).orElse("and its launcher did not say how");
        base = new GuestState.Dead(run(), why, false);
        release();
        abandon(why);
        tell(wasStarting ? new GuestEvent.StartFailed(why) : new GuestEvent.QemuExited(status, wasGuest));
    }

    private static String explained(int status) {
        if (status == Launcher.REFUSED) {
            return "before it began: the launcher refused the request; see the log of the container qemu";
        }
        if (status == Launcher.CONTAINER_ENDED) {
            return "with its container";
        }
        return status > 128
                ? "by signal " + (status - 128)
                : "with status " + status + "; see the log of the container qemu";
    }

    /** QEMU's run states: {@code qapi/run-state.json}. */
    private void read(String status) {
        long run = run();
        StartMode mode = base instanceof GuestState.Starting starting ? starting.mode() : StartMode.BOOT;
        switch (status) {
            case "running", "finish-migrate", "save-vm", "colo", "debug" -> nowRunning();
            case "shutdown" -> nowOff();
            case "guest-panicked" -> nowCrashed("the guest's kernel panicked");
            case "internal-error", "io-error", "watchdog" -> nowCrashed("QEMU stopped the guest: " + status);
            case "postmigrate" -> base = new GuestState.MovedAway(run, pid());
            case "inmigrate" -> nowReady(StartMode.INCOMING);
            case "prelaunch" -> nowReady(mode);
            default -> {
                // paused, suspended: by a mirror that was restarted in the middle of something, or a guest that has
                // arrived
                if (mark.names(run)) {
                    nowRunning();
                } else {
                    nowReady(mode);
                }
            }
        }
    }

    private void nowReady(StartMode mode) {
        boolean changed = base instanceof GuestState.Starting;
        base = new GuestState.Ready(run(), pid(), mode);
        if (changed) {
            tell(new GuestEvent.BecameReady(mode));
        }
    }

    private void nowRunning() {
        if (!(base instanceof GuestState.Running)) {
            base = new GuestState.Running(run(), pid());
            tell(new GuestEvent.Ran());
        }
    }

    private void nowOff() {
        if (!(base instanceof GuestState.PoweredOff)) {
            CompletableFuture<Void> awaited = poweredOff;
            poweredOff = null;
            base = new GuestState.PoweredOff(run(), pid());
            tell(new GuestEvent.PoweredOff(awaited == null));
            if (awaited != null) {
                awaited.complete(null);
            }
        }
    }

    private void nowCrashed(String what) {
        if (!(base instanceof GuestState.Crashed)) {
            base = new GuestState.Crashed(run(), pid(), what);
            tell(new GuestEvent.Crashed(what));
        }
    }

    private void nowReset(boolean byGuest) {
        if (byGuest) {
            tell(new GuestEvent.Rebooted());
        } else if (resetDone != null) {
            resetDone.complete(null);
            resetDone = null;
        }
    }

    // ------------------------------------------------------------------------------------------- for the live
    // migration

    CompletableFuture<JsonNode> execute(String name) {
        return execute(name, JsonNodeFactory.instance.objectNode(), COMMAND_LIMIT);
    }

    CompletableFuture<JsonNode> execute(String name, ObjectNode arguments) {
        return execute(name, arguments, COMMAND_LIMIT);
    }

    private CompletableFuture<JsonNode> execute(String name, ObjectNode arguments, Duration limit) {
        return monitor == null
                ? CompletableFuture.failedFuture(new GuestException("there is no QEMU to " + name))
                : monitor.execute(name, arguments, limit);
    }

    /** Hears the statuses of a migration, and {@code failed} if QEMU ends. One at a time. */
    void onMigration(@Nullable Consumer<String> statuses) {
        migrationStatus = statuses;
    }

    /** The guest is the other side's. */
    void movedAway() {
        base = new GuestState.MovedAway(run(), pid());
    }

    /** The guest is here, paused. */
    void arrived() {
        base = new GuestState.Ready(run(), pid(), StartMode.BOOT);
    }

    /** Lets go of QEMU, which lives on. */
    @Override
    public void close() {
        closed = true;
        if (monitor != null) {
            monitor.release();
        }
    }
}
