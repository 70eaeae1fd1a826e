package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.channel.EventLoop;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/**
 * One connection to QEMU's monitor: commands with answers, events, all on one event loop. See QEMU's {@code docs/interop/qmp-spec}.
 */
public final class QmpClient {
    private QmpClient() {}

    /**
     * Connects and negotiates out-of-band commands.
     *
     * @param loop NIO or epoll
     * @param limit for the connection, the greeting and the negotiation together
     * @return fails with {@link QmpException}
     */
    public static CompletableFuture<QmpClient> connect(
            Path socket, EventLoop loop, Duration limit, QmpListener listener) {
        throw new UnsupportedOperationException();
    }

    /**
     * Sends a command. Commands are carried out by QEMU's main loop, one after the other.
     *
     * @return the {@code return} member of the answer; fails with {@link QmpException}
     */
    public CompletableFuture<JsonNode> execute(String command, ObjectNode arguments, Duration limit) {
        throw new UnsupportedOperationException();
    }

    /** As {@link #execute(String, ObjectNode, Duration)}, without arguments. */
    public CompletableFuture<JsonNode> execute(String command, Duration limit) {
        throw new UnsupportedOperationException();
    }

    /**
     * Sends a command that QEMU's monitor thread carries out although its main loop hangs. Only {@code yank}, {@code
     * migrate-pause}, {@code migrate-recover}, {@code query-yank} and a few more are allowed so.
     */
    public CompletableFuture<JsonNode> executeOutOfBand(String command, ObjectNode arguments, Duration limit) {
        throw new UnsupportedOperationException();
    }

    /** Whether commands can be sent. */
    public boolean isOpen() {
        throw new UnsupportedOperationException();
    }

    /** Ends the connection; outstanding commands fail with {@link QmpException.Lost}. QEMU lives on. */
    public void close() {
        throw new UnsupportedOperationException();
    }
}
