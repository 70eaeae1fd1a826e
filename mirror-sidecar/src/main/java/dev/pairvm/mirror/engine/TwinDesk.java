package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.mirror.core.CoreView;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Role;
import dev.pairvm.mirror.guest.ColoActive;
import dev.pairvm.mirror.guest.ColoLimits;
import dev.pairvm.mirror.guest.ColoStandby;
import dev.pairvm.mirror.guest.DeafTwinListener;
import dev.pairvm.mirror.guest.GuestControl;
import dev.pairvm.mirror.guest.GuestState;
import dev.pairvm.mirror.link.StreamChannel;
import dev.pairvm.mirror.link.StreamDesk;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Level 3 on this side: the wish, the twinning that this side leads or follows, and what a twin that took over left to be committed. Who
 * may go on is the core's word alone. On the event loop.
 */
final class TwinDesk implements TwinPort {
    private static final Logger LOG = LoggerFactory.getLogger(TwinDesk.class);
    /** A step that takes longer ends the twinning. A frozen peer is noticed by its missing checkpoints. */
    private static final ColoLimits LIMITS = new ColoLimits(
            Duration.ofSeconds(5),
            Duration.ofSeconds(1),
            Duration.ofMinutes(10),
            Duration.ofSeconds(5),
            Duration.ofSeconds(2),
            Duration.ofMillis(500),
            Duration.ofHours(1));

    /** What the guest's desk does for it. */
    interface Host {
        /** A QEMU that waits to boot, in place of the twin's. */
        void prepareStandby();

        /** Nothing holds up another start of the guest any more. */
        void runIfDown();

        /** QEMU is killed, and the guest boots. */
        void killAndRun();

        /** What people should know; null when it is over. */
        void trouble(@Nullable String what);
    }

    private final MirrorConfig config;
    private final MirrorConfig.Twin settings;
    private final StreamDesk streams;
    private final GuestControl guest;
    private final TwinDirectories directories;
    private final Supplier<List<Long>> diskBytes;
    private final EventLoop loop;
    private final PeerWrites writes;
    private final TwinBacking backing;
    private final GuestDesk.Timers timers;
    private final Consumer<Event> core;
    private final Runnable changed;
    private final Late<Host> host = new Late<>();
    private MirrorConfig.Checkpoint policy;
    private boolean wished;
    private boolean guestRuns;
    private boolean told;
    private @Nullable ActiveTwin active;
    private @Nullable StandbyTwin standby;
    private Runnable whenEnded = () -> {};
    private final TwinFigures figures = new TwinFigures();
    /** A twin is becoming the guest. */
    private boolean takingOver;

    TwinDesk(
            MirrorConfig config,
            MirrorConfig.Twin settings,
            StreamDesk streams,
            GuestControl guest,
            Path runDirectory,
            Supplier<List<Long>> diskBytes,
            EventLoop loop,
            PeerWrites writes,
            TwinBacking backing,
            GuestDesk.Timers timers,
            Consumer<Event> core,
            Runnable changed) {
        this.config = config;
        this.settings = settings;
        this.streams = streams;
        this.guest = guest;
        this.directories = new TwinDirectories(runDirectory);
        this.diskBytes = diskBytes;
        this.loop = loop;
        this.writes = writes;
        this.backing = backing;
        this.timers = timers;
        this.core = core;
        this.changed = changed;
        this.policy = settings.checkpoint();
        this.wished = settings.wished();
    }

    /** From now twins of the peer's guest are taken. */
    void serve(Host desk) {
        host.set(desk);
        streams.accept(TwinWords.EXPECT, this::expected);
    }

    // -------------------------------------------------------------------------------------------------- wish

    boolean wished() {
        return wished;
    }

    MirrorConfig.Checkpoint policy() {
        return policy;
    }

    /** The operator's wish. */
    void wish(boolean on, MirrorConfig.Checkpoint how) {
        wished = on;
        policy = how;
        ActiveTwin running = active;
        if (running != null) {
            running.policy(how);
        }
        tell();
        changed.run();
    }

    /** Whether there is a guest that a twin could be of. */
    void guestRuns(boolean now) {
        guestRuns = now;
        tell();
    }

    private void tell() {
        boolean wish = wished && guestRuns;
        if (wish != told) {
            told = wish;
            core.accept(new Event.TwinWished(wish));
        }
    }

    /** Runs it when no twin of this side's guest is there: at once, or when it has ended. */
    void withoutTwin(Runnable then) {
        guestRuns(false);
        if (active == null) {
            then.run();
        } else {
            whenEnded = then;
        }
    }

    // -------------------------------------------------------------------------------------------------- active

    @Override
    public void begin(CopyId to) {
        if (active != null || !(guest.state() instanceof GuestState.Running)) {
            core.accept(
                    new Event.TwinEnded(active != null ? "the last one is not over yet" : "the guest does not run"));
            return;
        }
        Path sockets;
        try {
            sockets = directories.fresh();
        } catch (IOException e) {
            core.accept(new Event.TwinEnded("no directory for its sockets: " + e.getMessage()));
            return;
        }
        LOG.info("level 3: the guest is to have a twin on copy {}", to);
        figures.started();
        ActiveTwin[] own = new ActiveTwin[1];
        ActiveTwin twin = new ActiveTwin(
                streams,
                to,
                guest,
                sockets,
                config.guest().interfaces().size(),
                LIMITS,
                policy,
                timers,
                new ActiveTwin.Owner() {
                    @Override
                    public void runs() {
                        core.accept(new Event.TwinRuns());
                    }

                    @Override
                    public void failed(String why) {
                        LOG.warn("level 3: {}", why);
                        figures.failed();
                        core.accept(new Event.TwinEnded(why));
                    }

                    @Override
                    public void guestStandsStill(String why) {
                        LOG.warn("level 3: {}; its twin is to go on", why);
                        figures.failed();
                        guestFrozen(true);
                        core.accept(new Event.GuestDied());
                    }

                    @Override
                    public void over(boolean stuck) {
                        if (active == own[0]) {
                            activeOver(stuck);
                        }
                    }
                });
        own[0] = twin;
        active = twin;
        twin.begin();
        changed.run();
    }

    @Override
    public void end() {
        ActiveTwin twin = active;
        if (twin != null) {
            twin.end();
        } else {
            ended();
        }
    }

    private void activeOver(boolean stuck) {
        forget();
        LOG.info("level 3: the twinning is over");
        if (stuck) {
            host.get().killAndRun();
        } else {
            host.get().runIfDown();
        }
        ended();
    }

    private void ended() {
        Runnable then = whenEnded;
        whenEnded = () -> {};
        then.run();
        changed.run();
    }

    private @Nullable ActiveTwin forget() {
        ActiveTwin twin = active;
        active = null;
        if (twin != null) {
            figures.ended(twin.figures());
        }
        return twin;
    }

    /** Whether no QEMU may be started as the guest: a twin may go on from before, or is becoming the guest. */
    boolean holdsBoot() {
        return active != null || takingOver;
    }

    // -------------------------------------------------------------------------------------------------- standby

    private StreamChannel.Handler expected(StreamChannel.Incoming incoming) {
        String refusal = refusal();
        if (!refusal.isEmpty()) {
            return refuse(incoming, refusal);
        }
        Path sockets;
        try {
            sockets = directories.fresh();
        } catch (IOException e) {
            return refuse(incoming, "no directory for its sockets: " + e.getMessage());
        }
        LOG.info(
                "level 3: a twin of copy {}'s guest is to be here",
                incoming.stream().peer());
        // Whoever takes over keeps the wish; the operator may be away.
        wished = true;
        core.accept(new Event.TwinArrived());
        StandbyTwin twin = new StandbyTwin(
                streams,
                incoming,
                guest,
                sockets,
                config.guest().interfaces().size(),
                config.disks(),
                diskBytes.get(),
                settings.overlayBytes(),
                LIMITS,
                loop,
                writes,
                backing,
                timers,
                new StandbyTwin.Owner() {
                    @Override
                    public void gone(boolean byOrder) {
                        standby = null;
                        core.accept(new Event.TwinGone());
                        if (!byOrder) {
                            host.get().prepareStandby();
                        }
                        changed.run();
                    }

                    @Override
                    public void changed() {
                        changed.run();
                    }
                });
        standby = twin;
        twin.begin();
        return twin;
    }

    private static StreamChannel.Handler refuse(StreamChannel.Incoming incoming, String why) {
        LOG.warn("a twin of the active's guest is refused: {}", why);
        incoming.refuse(why);
        return new Deaf();
    }

    private String refusal() {
        if (standby != null) {
            return "the last twin is not over yet";
        }
        if (guest.state().isGuestAlive()) {
            return "the guest itself is here";
        }
        return guest.overlays().areUncommitted() ? "overlays of a failover are not committed here" : "";
    }

    @Override
    public void cut() {
        writes.cut();
    }

    @Override
    public void peerHeard() {
        StandbyTwin twin = standby;
        if (twin != null) {
            twin.activeHeard();
        }
    }

    /** Runs it when no frame of the guest waits for its twin's: at once, or as a checkpoint ends. Asked again meanwhile it does nothing. */
    void afterCheckpoint(Runnable then) {
        ActiveTwin twin = active;
        if (twin == null) {
            then.run();
        } else {
            twin.afterCheckpoint(then);
        }
    }

    /** The guest here stands still, stopped or dead, or goes on: its twin is to stand still as long. */
    void guestFrozen(boolean frozen) {
        ActiveTwin twin = active;
        if (twin != null) {
            twin.guestFrozen(frozen);
        }
    }

    /** Whether a QEMU of this side is a twin, or about to be one. */
    boolean standing() {
        return standby != null;
    }

    boolean canTakeOver() {
        StandbyTwin twin = standby;
        return twin != null && twin.canTakeOver();
    }

    /**
     * The twin becomes the guest. Before: the epoch is won, gate and taps are open, the disks are served.
     *
     * @return fails when it does not; then QEMU is to be killed, and the guest to be run as if it had been a boot
     */
    CompletableFuture<Void> takeOver() {
        StandbyTwin twin = standby;
        if (twin == null) {
            return CompletableFuture.failedFuture(new IllegalStateException("there is no twin"));
        }
        standby = null;
        backing.open(false);
        ColoStandby session = twin.takeOver();
        takingOver = true;
        return session.takeOver().whenComplete((_, _) -> takingOver = false).thenRun(() -> {
            LOG.info("level 3: the twin is the guest now");
            watch(session);
        });
    }

    private void watch(ColoStandby session) {
        session.committed().whenComplete((_, failure) -> {
            if (failure == null) {
                LOG.info("level 3: this copy's image has everything that the twin wrote");
                host.get().trouble(null);
                core.accept(new Event.OverlaysCommitted());
            } else {
                // Not when QEMU died: its next start begins with them.
                host.get().trouble("the overlays of the last failover could not be committed: " + failure.getMessage());
            }
        });
    }

    /** No QEMU is to be here, whatever it is. Completes when nothing of a twin is under way to the store either. */
    CompletableFuture<Void> killed() {
        ActiveTwin twin = forget();
        whenEnded = () -> {};
        guestRuns(false);
        if (twin != null) {
            twin.abandon();
        }
        StandbyTwin following = standby;
        return following == null ? CompletableFuture.completedFuture(null) : following.abandon();
    }

    // ------------------------------------------------------------------------------------------------- before a start

    /** Whether this copy's image lacks what a twin wrote. */
    boolean uncommitted() {
        return guest.overlays().areUncommitted();
    }

    /**
     * Before the guest is started or let run here: ends what an earlier life of this mirror left, and completes the copy's image. Before:
     * the disks are served.
     */
    CompletableFuture<Void> makeReady() {
        boolean alive = guest.state().isGuestAlive();
        if (active == null && alive) {
            return guest.coloRole()
                    .exceptionally(unknown -> GuestControl.ColoRole.NONE)
                    .thenCompose(role -> found(role));
        }
        if (!uncommitted()) {
            core.accept(new Event.OverlaysCommitted());
            return CompletableFuture.completedFuture(null);
        }
        LOG.info("level 3: overlays of a failover are committed before the guest starts");
        return guest.commitOverlays(LIMITS).thenRun(() -> core.accept(new Event.OverlaysCommitted()));
    }

    private CompletableFuture<Void> found(GuestControl.ColoRole role) {
        if (role == GuestControl.ColoRole.ACTIVE) {
            // The record says since this side's start that nobody takes over.
            LOG.info("level 3: the twinning of an earlier life of this mirror is ended");
            ColoActive session = guest.foundTwinning(directories.none(), LIMITS, new DeafTwinListener());
            return session.carryOnAlone().thenRun(() -> core.accept(new Event.OverlaysCommitted()));
        }
        if (uncommitted()) {
            watch(guest.foundTwin(
                    directories.none(),
                    settings.overlayBytes(),
                    LIMITS,
                    GuestControl.ColoRole.NONE,
                    new DeafTwinListener()));
        } else {
            core.accept(new Event.OverlaysCommitted());
        }
        return CompletableFuture.completedFuture(null);
    }

    // -------------------------------------------------------------------------------------------------- report

    @Override
    public Optional<MirrorReport.Twin> report(CoreView view) {
        ActiveTwin twin = active;
        return Optional.of(figures.report(wished, policy, state(view), view, twin == null ? null : twin.figures()));
    }

    private MirrorReport.TwinState state(CoreView view) {
        if (view.role() == Role.STANDBY || view.role() == Role.IDLE) {
            return standby == null ? MirrorReport.TwinState.NONE : MirrorReport.TwinState.STANDING_BY;
        }
        return switch (view.twin()) {
            case NONE ->
                active != null
                        ? MirrorReport.TwinState.ENDING
                        : view.uncommitted() ? MirrorReport.TwinState.COMMITTING : MirrorReport.TwinState.NONE;
            case STARTING, RECORDING -> MirrorReport.TwinState.STARTING;
            case RUNNING -> MirrorReport.TwinState.RUNNING;
            case HANDING_OVER, WITHDRAWING -> MirrorReport.TwinState.ENDING;
        };
    }

    /** Of a stream that was refused. */
    private static final class Deaf implements StreamChannel.Handler {
        @Override
        public void opened(StreamChannel stream) {}

        @Override
        public void received(StreamChannel stream, ByteBuf piece) {
            piece.release();
        }

        @Override
        public void writable(StreamChannel stream) {}

        @Override
        public void ended(StreamChannel stream) {}

        @Override
        public void closed(StreamChannel stream, String why) {}
    }
}
