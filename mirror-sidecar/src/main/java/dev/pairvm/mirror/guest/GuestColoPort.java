package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The QEMU of a {@link GuestControl}, for the two sides of level 3. */
final class GuestColoPort implements ColoPort {
    private final GuestControl guest;
    private final QemuLife qemu;
    private final GuestTracker tracker;
    private final GuestMark mark;
    private final EventLoop loop;

    GuestColoPort(GuestControl guest, QemuLife qemu, GuestTracker tracker, GuestMark mark, EventLoop loop) {
        this.guest = guest;
        this.qemu = qemu;
        this.tracker = tracker;
        this.mark = mark;
        this.loop = loop;
    }

    @Override
    public CompletableFuture<JsonNode> execute(QmpCommand command, Duration limit) {
        return qemu.execute(command.name(), command.arguments(), limit);
    }

    @Override
    public CompletableFuture<JsonNode> executeOutOfBand(QmpCommand command, Duration limit) {
        return qemu.executeOutOfBand(command.name(), command.arguments(), limit);
    }

    @Override
    public void watch(@Nullable ColoWatcher watcher) {
        tracker.onColo(watcher);
    }

    @Override
    public void later(Duration delay, Runnable task) {
        loop.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS);
    }

    @Override
    public void inColo(boolean on) {
        tracker.inColo(on);
    }

    @Override
    public boolean hasUncommittedOverlays() {
        return guest.overlays().areUncommitted();
    }

    @Override
    public CompletableFuture<Void> prepare(StartMode mode) {
        return guest.prepareFor(mode);
    }

    @Override
    public void markTwin() throws GuestException {
        mark.writeTwin(tracker.run());
    }

    @Override
    public void markGuest() throws GuestException {
        mark.write(tracker.run());
    }

    @Override
    public void tookOver(boolean crashed) {
        tracker.tookOver(crashed);
    }

    @Override
    public void freeze() {
        qemu.freeze();
    }

    @Override
    public void thaw() {
        qemu.thaw();
    }

    @Override
    public CompletableFuture<Void> kill() {
        return guest.kill();
    }
}
