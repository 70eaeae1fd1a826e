package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import io.netty.channel.EventLoop;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A side of level 3 over a real monitor connection to a {@link FakeQemu}, without processes, launcher and files of a pod. */
final class FakePort implements ColoPort, QmpListener, AutoCloseable {
    final FakeQemu qemu;
    final List<String> done = new CopyOnWriteArrayList<>();
    volatile boolean uncommitted;
    private final EventLoop loop;
    private final Path socket;
    private @Nullable QmpClient client;
    private @Nullable ColoWatcher watcher;

    FakePort(Path socket, EventLoop loop) throws Exception {
        this.loop = loop;
        this.socket = socket;
        this.qemu = new FakeQemu(socket);
    }

    FakePort connect() throws Exception {
        qemu.start();
        client = get(() -> QmpClient.connect(socket, loop, Duration.ofSeconds(20), this));
        return this;
    }

    <T> CompletableFuture<T> on(Callable<CompletableFuture<T>> action) {
        CompletableFuture<T> result = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                action.call().whenComplete((value, failure) -> {
                    if (failure == null) {
                        result.complete(value);
                    } else {
                        result.completeExceptionally(failure);
                    }
                });
            } catch (Exception e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    <T> T get(Callable<CompletableFuture<T>> action) throws Exception {
        return on(action).get(60, TimeUnit.SECONDS);
    }

    private QmpClient connected() {
        QmpClient open = client;
        if (open == null) {
            throw new AssertionError("not connected");
        }
        return open;
    }

    @Override
    public CompletableFuture<JsonNode> execute(QmpCommand command, Duration limit) {
        return connected().execute(command.name(), command.arguments(), limit);
    }

    @Override
    public CompletableFuture<JsonNode> executeOutOfBand(QmpCommand command, Duration limit) {
        return connected().executeOutOfBand(command.name(), command.arguments(), limit);
    }

    @Override
    public void onEvent(QmpEvent event) {
        if (watcher != null) {
            watcher.heard(event);
        }
    }

    /** Its process has ended, too. */
    @Override
    public void onLost(QmpException.Lost cause) {
        if (watcher != null) {
            watcher.ended(new GuestException("QEMU ended", cause));
        }
    }

    @Override
    public void watch(@Nullable ColoWatcher hearing) {
        watcher = hearing;
    }

    @Override
    public void later(Duration delay, Runnable task) {
        loop.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS);
    }

    @Override
    public void inColo(boolean on) {
        done.add("inColo " + on);
    }

    @Override
    public boolean hasUncommittedOverlays() {
        return uncommitted;
    }

    @Override
    public CompletableFuture<Void> prepare(StartMode mode) {
        done.add("prepare " + mode);
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public void markTwin() {
        done.add("mark twin");
    }

    @Override
    public void markGuest() {
        done.add("mark guest");
    }

    @Override
    public void tookOver(boolean crashed) {
        done.add("took over" + (crashed ? " crashed" : ""));
    }

    @Override
    public void freeze() {
        done.add("freeze");
    }

    @Override
    public void thaw() {
        done.add("thaw");
    }

    @Override
    public CompletableFuture<Void> kill() {
        done.add("kill");
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public void close() throws Exception {
        if (client != null) {
            get(() -> {
                watcher = null;
                connected().close();
                return CompletableFuture.completedFuture("");
            });
        }
        qemu.close();
    }
}
