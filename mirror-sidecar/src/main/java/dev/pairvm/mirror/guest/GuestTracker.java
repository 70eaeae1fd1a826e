package dev.pairvm.mirror.guest;

import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the guest's state by what its monitor, its process and the orders say, and tells what changed. As if it were never
 * frozen: a stopped process neither speaks nor changes. On the event loop.
 */
final class GuestTracker {
    private static final Logger LOG = LoggerFactory.getLogger(GuestTracker.class);

    private final GuestMark mark;
    private final Consumer<GuestEvent> events;
    private GuestState state = new GuestState.Absent();
    private int pid;
    private @Nullable CompletableFuture<Void> poweredOff;
    private @Nullable CompletableFuture<Void> resetDone;
    private @Nullable Consumer<String> migrationStatus;
    private @Nullable ColoWatcher colo;
    private boolean inColo;
    private boolean closed;

    GuestTracker(GuestMark mark, Consumer<GuestEvent> events) {
        this.mark = mark;
        this.events = events;
    }

    GuestState state() {
        return state;
    }

    /** Of the QEMU there is, or was; 0 before the first. */
    long run() {
        return switch (state) {
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

    private void tell(GuestEvent event) {
        if (!closed) {
            events.accept(event);
        }
    }

    // ---------------------------------------------------------------------------------------------------- the process

    void starting(long run, StartMode mode) {
        state = new GuestState.Starting(run, mode);
    }

    /** The process that was asked for is there. */
    void appeared(int process) {
        pid = process;
    }

    /** A process of an earlier life of this mirror; what it is, is guessed until it can be asked. */
    void found(long run, int process) {
        pid = process;
        if (mark.names(run)) {
            state = new GuestState.Running(run, pid);
        } else {
            state = new GuestState.Ready(run, pid, mark.namesTwin(run) ? StartMode.TWIN : StartMode.BOOT);
        }
    }

    /** What executes here, if anything, is not the guest. */
    boolean isTwin() {
        return switch (state) {
            case GuestState.Starting starting -> starting.mode() == StartMode.TWIN;
            case GuestState.Ready ready -> ready.mode() == StartMode.TWIN;
            default -> false;
        };
    }

    void killed() {
        state = state instanceof GuestState.Absent ? state : new GuestState.Dead(run(), "killed by order", true);
    }

    /** The process ended without an order. */
    void died(Optional<Integer> status) {
        boolean wasGuest = state.isGuestAlive();
        boolean wasStarting = state instanceof GuestState.Starting;
        String why = "QEMU ended " + status.map(GuestTracker::explained).orElse("and its launcher did not say how");
        state = new GuestState.Dead(run(), why, false);
        abandon(new GuestException(why));
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

    // ---------------------------------------------------------------------------------------------------- the monitor

    void monitorLost(String why) {
        tell(new GuestEvent.MonitorLost(why));
    }

    void monitorRegained() {
        tell(new GuestEvent.MonitorRegained());
    }

    /** What {@code query-status} says; QEMU's run states are in {@code qapi/run-state.json}. */
    void read(String status) {
        if (isTwin()) {
            nowReady(StartMode.TWIN);
            return;
        }
        StartMode mode = state instanceof GuestState.Starting starting ? starting.mode() : StartMode.BOOT;
        switch (status) {
            case "running", "finish-migrate", "save-vm", "colo", "debug" -> resumed();
            case "shutdown" -> nowOff();
            case "guest-panicked" -> nowCrashed("the guest's kernel panicked");
            case "internal-error", "io-error", "watchdog" -> nowCrashed("QEMU stopped the guest: " + status);
            case "postmigrate" -> movedAway();
            case "inmigrate" -> nowReady(StartMode.INCOMING);
            case "prelaunch" -> nowReady(mode);
            default -> {
                // paused, suspended: a guest that arrived, or one whose mirror was restarted in the middle of something
                if (mark.names(run())) {
                    nowRunning();
                } else {
                    nowReady(mode);
                }
            }
        }
    }

    void heard(QmpEvent event) {
        if (!isTwin()) {
            follow(event);
        }
        if (colo != null) {
            colo.heard(event);
        }
    }

    private void follow(QmpEvent event) {
        switch (event.name()) {
            case "SHUTDOWN" -> {
                // "host-signal": the container is being ended; QEMU's exit follows and says so.
                if (event.data().path("reason").asText().equals("guest-shutdown")) {
                    nowOff();
                }
            }
            case "RESET" -> nowReset(event.data().path("guest").asBoolean());
            case "RESUME" -> resumed();
            case "GUEST_PANICKED" -> nowCrashed("the guest's kernel panicked");
            case "MIGRATION" -> {
                if (migrationStatus != null) {
                    migrationStatus.accept(event.data().path("status").asText());
                }
            }
            default -> LOG.debug("QEMU reports {}", event.name());
        }
    }

    private void nowReady(StartMode mode) {
        boolean changed = state instanceof GuestState.Starting;
        state = new GuestState.Ready(run(), pid, mode);
        if (changed) {
            tell(new GuestEvent.BecameReady(mode));
        }
    }

    /** A checkpoint lets also those processors go on whose guest is off or has panicked. */
    private void resumed() {
        if (!inColo || !(state instanceof GuestState.PoweredOff || state instanceof GuestState.Crashed)) {
            nowRunning();
        }
    }

    void nowRunning() {
        if (!(state instanceof GuestState.Running)) {
            state = new GuestState.Running(run(), pid);
            tell(new GuestEvent.Ran());
        }
    }

    private void nowOff() {
        if (!(state instanceof GuestState.PoweredOff)) {
            CompletableFuture<Void> awaited = poweredOff;
            poweredOff = null;
            state = new GuestState.PoweredOff(run(), pid);
            tell(new GuestEvent.PoweredOff(awaited == null));
            if (awaited != null) {
                awaited.complete(null);
            }
        }
    }

    private void nowCrashed(String what) {
        if (!(state instanceof GuestState.Crashed)) {
            state = new GuestState.Crashed(run(), pid, what);
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

    /** The guest is the other side's. */
    void movedAway() {
        state = new GuestState.MovedAway(run(), pid);
    }

    /** The twin is the guest from now on. */
    void tookOver(boolean crashed) {
        nowRunning();
        if (crashed) {
            nowCrashed("the guest's kernel panicked");
        }
    }

    /** The guest is here, paused. */
    void arrived() {
        state = new GuestState.Ready(run(), pid, StartMode.BOOT);
    }

    // ------------------------------------------------------------------------------------------------- who waits for
    // what

    /** Completes at the next reset that this side asks for. */
    CompletableFuture<Void> expectReset() {
        CompletableFuture<Void> expected = new CompletableFuture<>();
        resetDone = expected;
        return expected;
    }

    /** Completes when the guest has switched itself off; that then is by order. */
    CompletableFuture<Void> expectPowerOff() {
        CompletableFuture<Void> expected = new CompletableFuture<>();
        poweredOff = expected;
        return expected;
    }

    /** Hears the statuses of a migration, and {@code failed} if QEMU ends. One at a time. */
    void onMigration(@Nullable Consumer<String> statuses) {
        migrationStatus = statuses;
    }

    /** Hears every event, and the end, of this QEMU. One at a time. */
    void onColo(@Nullable ColoWatcher watcher) {
        colo = watcher;
    }

    /** Whether resumptions are those after checkpoints. */
    void inColo(boolean on) {
        inColo = on;
    }

    /** Whoever waits for something that this QEMU was to do waits no longer. */
    void abandon(GuestException gone) {
        CompletableFuture<Void> reset = resetDone;
        CompletableFuture<Void> off = poweredOff;
        Consumer<String> migration = migrationStatus;
        resetDone = null;
        poweredOff = null;
        ColoWatcher twinning = colo;
        migrationStatus = null;
        colo = null;
        inColo = false;
        if (reset != null) {
            reset.completeExceptionally(gone);
        }
        if (off != null) {
            off.completeExceptionally(gone);
        }
        if (migration != null) {
            migration.accept("failed");
        }
        if (twinning != null) {
            twinning.ended(gone);
        }
    }

    /** Tells nothing any more. */
    void close() {
        closed = true;
    }
}
