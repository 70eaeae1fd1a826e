package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.guest.CloudInitImage;
import dev.pairvm.mirror.guest.GuestControl;
import dev.pairvm.mirror.guest.GuestEvent;
import dev.pairvm.mirror.guest.GuestFiles;
import dev.pairvm.mirror.guest.GuestState;
import dev.pairvm.mirror.guest.QemuCommandLine;
import dev.pairvm.mirror.guest.SerialLog;
import dev.pairvm.mirror.guest.StartMode;
import dev.pairvm.mirror.link.MonotonicClock;
import dev.pairvm.mirror.link.StreamDesk;
import dev.pairvm.mirror.network.Gate;
import dev.pairvm.mirror.network.NetworkException;
import dev.pairvm.mirror.network.PodNetwork;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The guest of this side with its network, put together. */
record GuestSide(
        GuestPort guest,
        GatePort gate,
        TwinPort twin,
        @Nullable GuestDesk desk,
        @Nullable TwinDesk twins,
        @Nullable GuestControl control,
        EventLoop loop) {
    /** No guest: disks only. */
    static GuestSide none(EventLoop loop, Consumer<Event> core) {
        DisksOnly nobody = new DisksOnly(core);
        return new GuestSide(nobody, nobody, nobody, null, null, null, loop);
    }

    static GuestSide open(
            MirrorSettings settings,
            EventLoop loop,
            MonotonicClock clock,
            Reign reign,
            StreamDesk streams,
            PeerWrites writes,
            TwinBacking backing,
            Supplier<List<Long>> diskBytes,
            Consumer<Event> core,
            Runnable changed)
            throws IOException, NetworkException {
        MirrorConfig config = settings.config();
        GuestFiles files = config.twin()
                .map(twin -> new GuestFiles(settings.runDirectory(), Path.of(twin.overlays())))
                .orElseGet(() -> new GuestFiles(settings.runDirectory()));
        PodNetwork network = new PodNetwork(
                config.guest().interfaces(),
                config.guest().hostname(),
                Set.of(config.link().port(), settings.controlPort(), settings.healthPort()),
                settings.runDirectory().resolve("network"));
        network.prepare();
        boolean cloudInit = CloudInitImage.write(settings.cloudInit(), files.cloudInitImage());
        Late<GuestDesk> late = new Late<>();
        Consumer<GuestEvent> heard = event -> late.get().heard(event);
        GuestControl control = new GuestControl(
                new QemuCommandLine(config, files, settings.accelerator(), network.taps(), cloudInit),
                files,
                loop,
                heard);
        LoopTimers timers = new LoopTimers(loop);
        GuestDesk desk = new GuestDesk(control, network, settings.runner(), config, core, timers, changed);
        TwinDesk twins = null;
        if (settings.runner() && config.twin().isPresent()) {
            twins = new TwinDesk(
                    config,
                    config.twin().get(),
                    streams,
                    control,
                    settings.runDirectory(),
                    diskBytes,
                    loop,
                    writes,
                    backing,
                    timers,
                    core,
                    changed);
            desk.twins(twins);
        }
        desk.onRun(reign::guestRuns);
        if (settings.runner()) {
            new SerialLog(files);
        }
        late.set(desk);
        TwinPort twin = twins == null ? new DisksOnly(core) : twins;
        return new GuestSide(desk, new KernelGate(network.gate(clock::nanos)), twin, desk, twins, control, loop);
    }

    /** Finds a QEMU of an earlier life; true if it runs the guest. */
    boolean adopt(Duration limit) throws ExecutionException, InterruptedException {
        GuestControl qemu = control;
        if (qemu == null) {
            return false;
        }
        CompletableFuture<GuestState> found = new CompletableFuture<>();
        loop.execute(() -> qemu.adopt().whenComplete((state, failure) -> {
            if (failure != null) {
                found.completeExceptionally(failure);
            } else if (isTwin(state)) {
                // Its way to the active died with the mirror's earlier life. This copy's image has every acknowledged
                // write.
                qemu.kill().thenRun(() -> found.complete(qemu.state()));
            } else {
                if (state.isGuestAlive()) {
                    guest.foundAlive();
                }
                found.complete(state);
            }
        }));
        try {
            return found.get(limit.toMillis(), TimeUnit.MILLISECONDS).isGuestAlive();
        } catch (TimeoutException e) {
            throw new ExecutionException("QEMU of an earlier life could not be looked at within " + limit, e);
        }
    }

    private static boolean isTwin(GuestState state) {
        return switch (state) {
            case GuestState.Starting starting -> starting.mode() == StartMode.TWIN;
            case GuestState.Ready ready -> ready.mode() == StartMode.TWIN;
            case GuestState.Frozen frozen -> isTwin(frozen.before());
            default -> false;
        };
    }

    /** Whether acknowledged writes lie in overlays beside this copy's image. */
    boolean uncommitted() {
        TwinDesk level3 = twins;
        return level3 != null && level3.uncommitted();
    }

    /** Timers of the event loop. */
    private record LoopTimers(EventLoop loop) implements GuestDesk.Timers {
        @Override
        public void later(Duration delay, Runnable task) {
            loop.schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS);
        }

        @Override
        public void now(Runnable task) {
            loop.execute(task);
        }
    }

    /** The kernel's gate as the engine sees it. */
    private record KernelGate(Gate gate) implements GatePort {
        @Override
        public void renew(long untilNanos) throws NetworkException {
            gate.renew(untilNanos);
        }

        @Override
        public void openUnlimited() throws NetworkException {
            gate.openUnlimited();
        }

        @Override
        public void shut() throws NetworkException {
            gate.shut();
        }
    }
}
