package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.channel.EventLoop;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** A twinning between two pods, begun as the engine begins it. */
final class Twinning {
    static final Duration DOWNTIME = Duration.ofMillis(100);
    static final Duration INTERVAL = Duration.ofMillis(200);

    /** The sockets of both hosts, joined. */
    static final class Joined implements AutoCloseable {
        final Path from;
        final Path into;
        private final List<SocketRelay> relays = new ArrayList<>();

        Joined(Path place) throws Exception {
            Path both = Files.createDirectory(place);
            from = Files.createDirectory(both.resolve("f"));
            into = Files.createDirectory(both.resolve("i"));
            TwinSockets near = new TwinSockets(from, 1);
            TwinSockets far = new TwinSockets(into, 1);
            relays.add(new SocketRelay(near.ram(), far.ram()));
            relays.add(new SocketRelay(far.copied(0), near.copied(0)));
            relays.add(new SocketRelay(far.answers(0), near.answers(0)));
        }

        @Override
        public void close() throws Exception {
            for (SocketRelay each : relays) {
                each.close();
            }
        }
    }

    final Joined joined;
    final QemuPod from;
    final QemuPod into;
    final ColoStandby standbySide;
    final ColoActive activeSide;
    final PeerWriter retargeted;

    /** The twin waits and gets the active's writes; what is left is {@link #protect}. */
    Twinning(
            Path place,
            EventLoop loop,
            QemuPod from,
            QemuPod into,
            ColoActive.Listener active,
            ColoStandby.Listener standby)
            throws Exception {
        this.joined = new Joined(place);
        this.from = from;
        this.into = into;
        long overlays = Math.max(1 << 20, into.disk.bytes.length / 4);
        try (PeerWriter mirrored = new PeerWriter(into.files.nbdSocket(), "root", loop)) {
            from.get(() -> {
                from.disk.mirrorTo(mirrored);
                System.arraycopy(from.disk.bytes, 0, into.disk.bytes, 0, into.disk.bytes.length);
                return CompletableFuture.completedFuture("");
            });
            standbySide = into.guest.twin(joined.into, overlays, ColoLimits.DEFAULT, standby);
            into.get(standbySide::awaitTwin);
            retargeted = new PeerWriter(joined.into.resolve("disk"), "root", loop);
            from.get(() -> {
                from.disk.mirrorTo(retargeted);
                return CompletableFuture.completedFuture("");
            });
            // Everything that was sent the old way has arrived there before the way is closed.
            CompletableFuture<Void> arrived = new CompletableFuture<>();
            mirrored.write(0, new byte[0], () -> arrived.complete(null));
            arrived.get(20, TimeUnit.SECONDS);
        }
        activeSide = from.guest.twinning(joined.from, ColoLimits.DEFAULT, active);
    }

    void protect() throws Exception {
        from.get(() -> activeSide.protect(DOWNTIME, INTERVAL));
        assertThat(activeSide.phase()).isInstanceOf(ActivePhase.Running.class);
        assertThat(standbySide.phase()).isInstanceOf(StandbyPhase.Running.class);
    }

    long checkpoints() throws Exception {
        return figures().completed();
    }

    Checkpoints.Figures figures() throws Exception {
        return from.get(() -> CompletableFuture.completedFuture(activeSide.checkpoints()));
    }

    void awaitMoreCheckpoints(int count) throws Exception {
        long before = checkpoints();
        await().atMost(Duration.ofSeconds(60)).until(() -> checkpoints() >= before + count);
    }

    void report(String what) throws Exception {
        Checkpoints.Figures all = figures();
        System.out.printf(
                "%s: %d checkpoints, %d early, pause last %d longest %d average %d ms%n",
                what,
                all.completed(),
                all.early(),
                all.lastPause().toMillis(),
                all.longestPause().toMillis(),
                all.totalPause().toMillis() / Math.max(1, all.completed()));
    }

    /** The mirror drops the standby without draining. */
    void drop() throws Exception {
        from.get(() -> {
            from.disk.mirrorTo(null);
            return CompletableFuture.completedFuture("");
        });
        retargeted.close();
    }
}
