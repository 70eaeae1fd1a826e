package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.channel.EventLoop;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Keeps a monitor connection to one QEMU for as long as its process lives: connects when the socket appears, again when the
 * connection is lost, and notices when the process ends. On the event loop.
 */
final class Monitor implements QmpListener {
    /** QEMU listens some 50 ms after it was started. */
    private static final int RETRY_MILLIS = 10;
    /** To greet; a QEMU in a long main-loop operation is tried again. */
    private static final Duration GREETING_LIMIT = Duration.ofSeconds(2);

    /** What a monitor tells. */
    interface Listener {
        /** Connected, for the first time or again. */
        void onConnected();

        /** QEMU reported something. */
        void onEvent(QmpEvent event);

        /** The connection was lost; it is being made again. */
        void onLost(String why);

        /** The process is gone; nothing follows. */
        void onEnded();
    }

    private final QemuProcess process;
    private final Path socket;
    private final EventLoop loop;
    private final Listener listener;
    private @Nullable QmpClient client;
    private boolean released;

    Monitor(QemuProcess process, Path socket, EventLoop loop, Listener listener) {
        this.process = process;
        this.socket = socket;
        this.loop = loop;
        this.listener = listener;
    }

    QemuProcess process() {
        return process;
    }

    /** Begins to connect. */
    void connect() {
        if (released) {
            return;
        }
        if (!process.isAlive()) {
            released = true;
            listener.onEnded();
            return;
        }
        // A stopped QEMU accepts nothing; a connection left in its queue would only be in the way later.
        if (process.isStopped()) {
            retry();
            return;
        }
        QmpClient.connect(socket, loop, GREETING_LIMIT, this).whenComplete((connected, failure) -> {
            if (released && connected != null) {
                connected.close();
            } else if (connected != null) {
                client = connected;
                listener.onConnected();
            } else {
                retry();
            }
        });
    }

    private void retry() {
        loop.schedule(this::connect, RETRY_MILLIS, TimeUnit.MILLISECONDS);
    }

    boolean isConnected() {
        return client != null && client.isOpen();
    }

    CompletableFuture<JsonNode> execute(String command, ObjectNode arguments, Duration limit) {
        QmpClient open = client;
        return open == null
                ? CompletableFuture.failedFuture(new QmpException.Lost("QEMU's monitor is not connected"))
                : open.execute(command, arguments, limit);
    }

    CompletableFuture<JsonNode> executeOutOfBand(String command, ObjectNode arguments, Duration limit) {
        QmpClient open = client;
        return open == null
                ? CompletableFuture.failedFuture(new QmpException.Lost("QEMU's monitor is not connected"))
                : open.executeOutOfBand(command, arguments, limit);
    }

    CompletableFuture<JsonNode> execute(String command, Duration limit) {
        return execute(command, JsonNodeFactory.instance.objectNode(), limit);
    }

    @Override
    public void onEvent(QmpEvent event) {
        if (!released) {
            listener.onEvent(event);
        }
    }

    @Override
    public void onLost(QmpException.Lost cause) {
        client = null;
        if (released) {
            return;
        }
        // The kernel closes a dying process' sockets before it reports the end.
        loop.schedule(
                () -> {
                    if (!released && process.isAlive()) {
                        listener.onLost(String.valueOf(cause.getMessage()));
                    }
                    connect();
                },
                RETRY_MILLIS,
                TimeUnit.MILLISECONDS);
    }

    /** Tells nothing any more; QEMU lives on. */
    void release() {
        released = true;
        if (client != null) {
            client.close();
        }
    }
}
