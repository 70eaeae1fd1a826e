package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.guest.GuestControl;
import dev.pairvm.mirror.guest.GuestEvent;
import dev.pairvm.mirror.guest.GuestState;
import dev.pairvm.mirror.guest.MigrationSource;
import dev.pairvm.mirror.guest.StartMode;
import dev.pairvm.mirror.network.NetworkException;
import dev.pairvm.mirror.network.PodNetwork;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The guest of this side as the core's effects and the operator's wish make it: started, continued, frozen, killed, moved. Which
 * side may run it is the core's word alone; whether it should run at all is the wish.
 */
final class GuestDesk implements GuestPort {
    private static final Logger LOG = LoggerFactory.getLogger(GuestDesk.class);

    /** What a migration may take; a guest that dirties faster than the link carries is given up, not slowed. */
    private static final Duration MOVE_LIMIT = Duration.ofMinutes(10);

    private static final Duration DOWNTIME = Duration.ofMillis(100);
    /** Device state only, RAM is there already. */
    private static final Duration SWITCH_LIMIT = Duration.ofSeconds(10);

    /** How long a guest that arrived may wait for its epoch before it is given up; the arbiter's answer takes milliseconds. */
    private static final Duration DECISION_LIMIT = Duration.ofSeconds(15);

    /** A QEMU that fails to start is tried again after this. */
    private static final Duration START_AGAIN = Duration.ofSeconds(2);

    private final GuestControl guest;
    private final PodNetwork network;
    private final boolean runner;
    private final MirrorConfig.OnCrash onCrash;
    private final Consumer<Event> core;
    private final Timers timers;
    private final Runnable changed;
    private boolean wished;
    private boolean mayRun;
    private @Nullable MigrationSource leaving;
    private boolean pausedForSwitch;
    private @Nullable CompletableFuture<Void> arrival;
    private @Nullable String trouble;
    private List<Long> diskSizes = List.of();
    private boolean showing;
    private Runnable ran = () -> {};
    private Runnable moveOver = () -> {};
    private @Nullable TwinDesk twins;

    /** Puts work off; the event loop's timer. */
    interface Timers {
        void later(Duration delay, Runnable task);

        /** As soon as the loop comes round. */
        void now(Runnable task);
    }

    GuestDesk(
            GuestControl guest,
            PodNetwork network,
            boolean runner,
            MirrorConfig config,
            Consumer<Event> core,
            Timers timers,
            Runnable changed) {
        this.guest = guest;
        this.network = network;
        this.runner = runner;
        this.onCrash = config.guest().onCrash();
        this.wished = config.running();
        this.core = core;
        this.timers = timers;
        this.changed = changed;
    }

    /** Called each time the guest's processors begin to run. */
    void onRun(Runnable listener) {
        ran = listener;
    }

    /** Called when a move to the peer is over, one way or the other. */
    void onMoveOver(Runnable listener) {
        moveOver = listener;
    }

    /** Level 3, where this pod can have it. */
    void twins(TwinDesk desk) {
        twins = desk;
        desk.serve(new TwinDesk.Host() {
            @Override
            public void prepareStandby() {
                if (!mayRun) {
                    GuestDesk.this.prepareStandby();
                }
            }

            @Override
            public void runIfDown() {
                GuestDesk.this.runIfDown();
            }

            @Override
            public void killAndRun() {
                guest.kill().thenRun(GuestDesk.this::run);
            }

            @Override
            public void trouble(@Nullable String what) {
                trouble = what;
                changed.run();
            }
        });
    }

    /** A guest that survived a restart of this mirror. */
    @Override
    public void foundAlive() {
        mayRun = true;
    }

    /** What keeps the guest from running, for people. */
    @Override
    public @Nullable String trouble() {
        return trouble;
    }

    @Override
    public boolean runner() {
        return runner;
    }

    // ------------------------------------------------------------------------------------------------------ effects

    @Override
    public void prepareStandby() {
        TwinDesk level3 = twins;
        if (runner && wished && arrival == null && (level3 == null || !level3.standing())) {
            guest.prepareStandby()
                    .thenRun(this::showDiskSizes)
                    .exceptionally(failure -> failed("a standby guest could not be prepared", failure));
        }
    }

    @Override
    public void start(Effect.StartCause cause) {
        mayRun = true;
        CompletableFuture<Void> moved = arrival;
        arrival = null;
        TwinDesk level3 = twins;
        if (cause == Effect.StartCause.TAKEN_OVER && level3 != null && level3.canTakeOver() && wished) {
            takeOver(level3);
        } else if (level3 != null && level3.standing()) {
            // It may not go on by the record, or is not whole: the disks are.
            kill(this::run);
        } else if (cause == Effect.StartCause.HANDED_OVER && moved != null) {
            moved.orTimeout(SWITCH_LIMIT.toMillis(), TimeUnit.MILLISECONDS)
                    .whenCompleteAsync((_, failure) -> runMoved(failure), timers::now);
        } else if (moved != null || waitsForMigration()) {
            guest.kill().thenRun(this::run);
        } else {
            run();
        }
    }

    private void takeOver(TwinDesk level3) {
        attach();
        level3.takeOver().whenComplete((_, failure) -> {
            if (failure != null) {
                LOG.error("the twin did not take over, the guest boots from its disks instead", failure);
                guest.kill().thenRun(this::run);
            } else {
                trouble = null;
            }
            changed.run();
        });
    }

    private void runMoved(@Nullable Throwable failure) {
        if (failure == null) {
            run();
        } else {
            // Its memory is lost with the old side; its disks are whole. It boots, as after a crash.
            LOG.warn("the guest did not arrive, it boots from its disks instead", failure);
            guest.kill().thenRun(this::run);
        }
    }

    private boolean waitsForMigration() {
        return guest.state() instanceof GuestState.Ready ready && ready.mode() == StartMode.INCOMING;
    }

    private void run() {
        if (!mayRun || !wished) {
            return;
        }
        if (!runner) {
            trouble = "this pod has no QEMU container; the operator replaces it by one that has";
            changed.run();
            return;
        }
        TwinDesk level3 = twins;
        if (level3 != null && level3.holdsBoot() && !guest.state().isGuestAlive()) {
            return; // its twin may be the guest; whoever ends the twinning comes back here
        }
        attach();
        CompletableFuture<Void> ready = level3 == null ? CompletableFuture.completedFuture(null) : level3.makeReady();
        ready.thenCompose(whole -> guest.startOrResume()).whenComplete((_, failure) -> {
            if (failure != null) {
                failed("the guest could not be started", failure);
                timers.later(START_AGAIN, this::runIfDown);
            } else {
                trouble = null;
                guestRuns(guest.state() instanceof GuestState.Running);
                showDiskSizes();
            }
            changed.run();
        });
    }

    private void runIfDown() {
        if (mayRun && wished && !guest.state().isGuestAlive()) {
            run();
        }
    }

    private void attach() {
        try {
            network.attach();
        } catch (NetworkException e) {
            failed("the guest's cards could not be attached", e);
        }
    }

    /** Safety: the taps go first, then the process; GuestKilled is said only when the kernel confirmed the death. */
    @Override
    public void kill() {
        mayRun = false;
        try {
            network.detach();
        } catch (NetworkException e) {
            LOG.error("taps could not be detached; the gate stays closed", e);
        }
        MigrationSource moving = leaving;
        leaving = null;
        CompletableFuture<Void> moved = moving != null && pausedForSwitch
                ? moving.finish(SWITCH_LIMIT)
                : CompletableFuture.completedFuture(null);
        pausedForSwitch = false;
        moved.handle((_, failure) -> {
                    if (failure != null) {
                        LOG.warn("the guest's last state did not reach the peer, it boots there", failure);
                    }
                    return true;
                })
                .thenRun(() -> kill(() -> {
                    moveOver.run();
                    core.accept(new Event.GuestKilled());
                }));
    }

    private void kill(Runnable then) {
        TwinDesk level3 = twins;
        CompletableFuture<Void> twinGone = level3 == null ? CompletableFuture.completedFuture(null) : level3.killed();
        CompletableFuture.allOf(guest.kill(), twinGone).thenRun(then);
    }

    @Override
    public void freeze() {
        guest.freeze();
        tellTwin(true);
    }

    private void tellTwin(boolean frozen) {
        TwinDesk level3 = twins;
        if (level3 != null) {
            level3.guestFrozen(frozen);
        }
    }

    @Override
    public void thaw() {
        guest.thaw();
        tellTwin(false);
        timers.now(this::showDiskSizes);
    }

    /** A QEMU that opened the disks before they grew is told; one that opens them later sees it by itself. */
    @Override
    public void diskSizes(List<Long> bytes) {
        diskSizes = bytes;
        timers.now(this::showDiskSizes);
    }

    private void showDiskSizes() {
        if (showing || guest.state() instanceof GuestState.Frozen) {
            return; // a frozen one is told when it runs again
        }
        showing = true;
        List<Long> shown = diskSizes;
        guest.showDiskSizes(shown).whenComplete((_, failure) -> {
            showing = false;
            if (failure != null && (guest.state().isGuestAlive() || guest.state() instanceof GuestState.Ready)) {
                LOG.warn("QEMU does not see the disks' sizes yet: {}", failure.getMessage());
                timers.later(START_AGAIN, this::showDiskSizes);
            } else if (!shown.equals(diskSizes)) {
                showDiskSizes();
            }
        });
    }

    // ------------------------------------------------------------------------------------------------- hand-over,
    // source

    /** Moves RAM through this socket, which the link leads to the peer's QEMU. */
    @Override
    public void beginHandOver(CompletableFuture<Path> channel) {
        channel.thenCompose(socket -> {
                    MigrationSource source = guest.migrate();
                    leaving = source;
                    return source.start(socket, DOWNTIME, MOVE_LIMIT);
                })
                .whenComplete((_, failure) -> {
                    if (failure != null) {
                        leaving = null;
                        moveOver.run();
                        LOG.warn("the guest could not be moved, it goes on here", failure);
                        core.accept(new Event.HandOverAbandoned());
                    } else {
                        pausedForSwitch = true;
                        core.accept(new Event.GuestDrained());
                    }
                });
    }

    /** The hand-over did not take place. */
    @Override
    public void resume() {
        MigrationSource moving = leaving;
        leaving = null;
        pausedForSwitch = false;
        moveOver.run();
        if (moving != null) {
            moving.cancel().exceptionally(failure -> failed("a migration could not be cancelled", failure));
        }
    }

    // ------------------------------------------------------------------------------------------------- hand-over,
    // target

    /** The peer wants to move its guest here: a QEMU that waits for it, and the socket it waits at. */
    CompletableFuture<Path> expectGuest() {
        if (!runner) {
            return CompletableFuture.failedFuture(new IllegalStateException("this pod has no QEMU container"));
        }
        return guest.prepareIncoming().thenApply(target -> {
            CompletableFuture<Void> coming = target.arrived(MOVE_LIMIT);
            arrival = coming;
            coming.whenComplete((_, failure) -> {
                if (failure == null) {
                    timers.later(DECISION_LIMIT, () -> giveUp(coming));
                } else {
                    LOG.info("the guest does not come: {}", failure.getMessage());
                    giveUp(coming);
                }
            });
            return target.socket();
        });
    }

    /**
     * The source ended the exchange. A guest that is here whole waits for the epoch that lets it run; one that is not may still be
     * on its last bytes.
     */
    void guestWillNotCome() {
        CompletableFuture<Void> coming = arrival;
        if (coming != null && !coming.isDone()) {
            timers.later(SWITCH_LIMIT, () -> {
                if (!coming.isDone()) {
                    giveUp(coming);
                }
            });
        }
    }

    /** Back to a standby that waits to boot, unless the guest was let run meanwhile. */
    private void giveUp(CompletableFuture<Void> coming) {
        if (coming.equals(arrival) && !mayRun) {
            arrival = null;
            guest.kill().thenRun(this::prepareStandby);
        }
    }

    // ---------------------------------------------------------------------------------------------------- wish and
    // events

    /** The operator's wish; {@code grace} is the time a guest gets to switch itself off. */
    void wish(boolean running, Duration grace) {
        wished = running;
        if (running) {
            if (mayRun && guest.state() instanceof GuestState.PoweredOff) {
                guest.kill().thenRun(this::run);
            } else {
                run();
            }
        } else if (mayRun) {
            withoutTwin(() -> powerDown(grace));
        } else if (twins == null || !twins.standing()) {
            guest.kill();
        }
    }

    /** Unless it was wished on again while its twin ended. */
    private void powerDown(Duration grace) {
        if (!wished) {
            guest.powerDown(grace).exceptionally(failure -> failed("the guest could not be switched off", failure));
        }
    }

    private void withoutTwin(Runnable then) {
        TwinDesk level3 = twins;
        if (level3 == null) {
            then.run();
        } else {
            level3.withoutTwin(then);
        }
    }

    private void guestRuns(boolean now) {
        TwinDesk level3 = twins;
        if (level3 != null) {
            level3.guestRuns(now);
        }
    }

    void heard(GuestEvent event) {
        LOG.info("guest: {}", event);
        switch (event) {
            case GuestEvent.Ran _ -> {
                ran.run();
                guestRuns(true);
            }
            case GuestEvent.Crashed crashed -> {
                if (onCrash == MirrorConfig.OnCrash.RESTART && mayRun) {
                    guest.reset().exceptionally(failure -> failed("the crashed guest could not be restarted", failure));
                } else {
                    trouble = "the guest crashed: " + crashed.what();
                    guestRuns(false);
                }
            }
            case GuestEvent.QemuExited _ -> {
                if (mayRun) {
                    tellTwin(true);
                    core.accept(new Event.GuestDied());
                }
                if (mayRun && wished) {
                    timers.later(START_AGAIN, this::runIfDown);
                }
            }
            case GuestEvent.StartFailed failed -> trouble = failed.why();
            case GuestEvent.PoweredOff _ -> guestRuns(false);
            case GuestEvent.BecameReady _,
                    GuestEvent.Rebooted _,
                    GuestEvent.MonitorLost _,
                    GuestEvent.MonitorRegained _ -> {}
        }
        changed.run();
    }

    @Override
    public MirrorReport.Guest report() {
        return report(guest.state());
    }

    private static MirrorReport.Guest report(GuestState state) {
        return switch (state) {
            case GuestState.Absent _, GuestState.Starting _, GuestState.Dead _, GuestState.MovedAway _ ->
                MirrorReport.Guest.ABSENT;
            case GuestState.Ready _ -> MirrorReport.Guest.READY;
            case GuestState.Running _ -> MirrorReport.Guest.RUNNING;
            case GuestState.PoweredOff _ -> MirrorReport.Guest.POWERED_OFF;
            case GuestState.Crashed _ -> MirrorReport.Guest.CRASHED;
            case GuestState.Frozen frozen -> report(frozen.before());
        };
    }

    private @Nullable Void failed(String what, Throwable failure) {
        LOG.error("{}", what, failure);
        trouble = what + ": " + failure.getMessage();
        changed.run();
        return null;
    }
}
