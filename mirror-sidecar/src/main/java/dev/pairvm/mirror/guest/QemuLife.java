package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * From the launcher's request to the confirmed death of one QEMU process after the other, with its monitor. On the event loop, but
 * for {@link #freeze} and {@link #thaw}.
 */
final class QemuLife {
    private static final Logger LOG = LoggerFactory.getLogger(QemuLife.class);
    /** How often the launcher's files and the processes are looked at while something is awaited. */
    private static final int POLL_MILLIS = 10;
    /** Half a second for the launcher to note a status. */
    private static final int STATUS_TRIES = 50;
    /** A restarting mirror waits so long for the monitor of a QEMU that it found before it goes on without. */
    private static final Duration ADOPTION_LIMIT = Duration.ofSeconds(3);

    private static final Duration STATUS_LIMIT = Duration.ofSeconds(10);

    private final QemuCommandLine command;
    private final GuestFiles files;
    private final EventLoop loop;
    private final GuestTracker tracker;
    private final Launcher launcher;
    private volatile boolean frozen;
    private volatile @Nullable QemuProcess process;
    private @Nullable Monitor monitor;
    private CompletableFuture<Void> ready = new CompletableFuture<>();
    private @Nullable CompletableFuture<Void> killing;
    private boolean closed;

    QemuLife(QemuCommandLine command, GuestFiles files, EventLoop loop, GuestTracker tracker) {
        this.command = command;
        this.files = files;
        this.loop = loop;
        this.tracker = tracker;
        this.launcher = new Launcher(files.launchDirectory());
    }

    /** The state, frozen or not. */
    GuestState state() {
        QemuProcess held = process;
        return frozen && held != null
                ? new GuestState.Frozen(tracker.run(), held.pid(), tracker.state())
                : tracker.state();
    }

    int cards() {
        return command.cards();
    }

    List<ColoStandby.Disk> twinDisks() {
        return command.twinDisks();
    }

    boolean isFrozen() {
        return frozen;
    }

    boolean hasProcess() {
        return process != null;
    }

    /** Completes when the current QEMU's monitor was asked for its state; fails when that QEMU ends before. */
    CompletableFuture<Void> ready() {
        return ready;
    }

    // ------------------------------------------------------------------------------------------------------ adoption

    CompletableFuture<GuestState> adopt() {
        launcher.withdraw();
        CompletableFuture<GuestState> found = new CompletableFuture<>();
        adoptWhenStarted(found);
        return found;
    }

    private void adoptWhenStarted(CompletableFuture<GuestState> found) {
        List<QemuProcess> all = QemuProcess.findAll(command.uuid());
        if (all.isEmpty()) {
            if (launcher.isIdle()) {
                found.complete(state());
            } else {
                // It was being started when the mirror died.
                later(() -> adoptWhenStarted(found));
            }
            return;
        }
        Optional<Launcher.Note> note = launcher.process();
        int known = note.map(Launcher.Note::number).orElse(0);
        QemuProcess held =
                all.stream().filter(each -> each.pid() == known).findFirst().orElse(all.getFirst());
        all.stream().filter(each -> each != held).forEach(QemuProcess::close);
        frozen = held.isStopped();
        tracker.found(note.map(Launcher.Note::run).orElse(0L), held.pid());
        ready = new CompletableFuture<>();
        hold(held);
        LOG.info("found a QEMU: {}", state());
        if (frozen) {
            found.complete(state());
            return;
        }
        ready.whenComplete((done, failure) -> found.complete(state()));
        loop.schedule(() -> found.complete(state()), ADOPTION_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
    }

    // ---------------------------------------------------------------------------------------------------------- start

    /** Asks for a QEMU, which must not exist. Completes as {@link #ready}. */
    CompletableFuture<Void> launch(StartMode mode) {
        CompletableFuture<Void> started = new CompletableFuture<>();
        ready = started;
        // A wish to freeze was for the QEMU before; this one executes nothing until it is told to.
        frozen = false;
        try {
            // Invariant: no guest reads an image whose latest acknowledged writes are in overlays beside it.
            if (mode != StartMode.COMMIT && new OverlayFiles(files.overlays()).areUncommitted()) {
                throw new GuestException(
                        files.overlays() + " holds writes of a failover that the image lacks; they are to be"
                                + " committed before a QEMU is started on the image");
            }
            long run = launcher.request(command.arguments(mode));
            tracker.starting(run, mode);
            awaitProcess(run, started);
        } catch (GuestException e) {
            started.completeExceptionally(e);
        }
        return started;
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
            tracker.appeared(found.get().pid());
            hold(found.get());
        } else {
            later(() -> awaitProcess(run, started));
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

    private final class FromQemu implements Monitor.Listener {
        @Override
        public void onConnected() {
            boolean again = ready.isDone();
            execute("query-status", JsonNodeFactory.instance.objectNode(), STATUS_LIMIT)
                    .whenComplete((status, failure) -> {
                        if (failure != null) {
                            // The monitor was lost again, and is being connected again.
                            LOG.warn("QEMU's state is not known: {}", failure.getMessage());
                            return;
                        }
                        tracker.read(status.path("status").asText());
                        ready.complete(null);
                        if (again) {
                            tracker.monitorRegained();
                        }
                    });
        }

        @Override
        public void onEvent(QmpEvent event) {
            tracker.heard(event);
        }

        @Override
        public void onLost(String why) {
            tracker.monitorLost(why);
        }

        @Override
        public void onEnded() {
            awaitStatus(tracker.run(), STATUS_TRIES);
        }
    }

    /** The launcher notes the status a moment after the end. */
    private void awaitStatus(long run, int tries) {
        if (killing != null || tracker.run() != run) {
            return;
        }
        Optional<Integer> status = launcher.exit(run);
        if (status.isEmpty() && tries > 0) {
            later(() -> awaitStatus(run, tries - 1));
        } else {
            ended(status);
        }
    }

    private void ended(Optional<Integer> status) {
        release();
        CompletableFuture<Void> awaited = ready;
        tracker.died(status);
        if (tracker.state() instanceof GuestState.Dead dead) {
            awaited.completeExceptionally(new GuestException(dead.why()));
        }
    }

    // ------------------------------------------------------------------------------------------------ freeze and kill

    /** Any thread. */
    void freeze() {
        // The wish first: a process that appears meanwhile is stopped by whoever sees it first.
        frozen = true;
        QemuProcess held = process;
        if (held != null) {
            held.stop();
        }
    }

    /** Any thread. */
    void thaw() {
        frozen = false;
        QemuProcess held = process;
        if (held != null) {
            held.go();
        }
    }

    CompletableFuture<Void> kill() {
        CompletableFuture<Void> underWay = killing;
        if (underWay != null) {
            return underWay;
        }
        CompletableFuture<Void> done = new CompletableFuture<>();
        killing = done;
        if (monitor != null) {
            monitor.release();
        }
        GuestException gone = new GuestException("QEMU was killed by order");
        ready.completeExceptionally(gone);
        tracker.abandon(gone);
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
        // Also one that the launcher is just starting, or that nobody knows of any more.
        for (QemuProcess each : QemuProcess.findAll(command.uuid())) {
            try (each) {
                each.kill();
                left |= each.isAlive();
            }
        }
        if (left || !launcher.isIdle()) {
            later(() -> killUntilGone(done));
            return;
        }
        release();
        frozen = false;
        killing = null;
        tracker.killed();
        done.complete(null);
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

    private void later(Runnable task) {
        loop.schedule(task, POLL_MILLIS, TimeUnit.MILLISECONDS);
    }

    CompletableFuture<JsonNode> execute(String name, ObjectNode arguments, Duration limit) {
        return monitor == null
                ? CompletableFuture.failedFuture(new GuestException("there is no QEMU to " + name))
                : monitor.execute(name, arguments, limit);
    }

    CompletableFuture<JsonNode> executeOutOfBand(String name, ObjectNode arguments, Duration limit) {
        return monitor == null
                ? CompletableFuture.failedFuture(new GuestException("there is no QEMU to " + name))
                : monitor.executeOutOfBand(name, arguments, limit);
    }

    /** Lets go of QEMU, which lives on. */
    void close() {
        closed = true;
        if (monitor != null) {
            monitor.release();
        }
    }
}
