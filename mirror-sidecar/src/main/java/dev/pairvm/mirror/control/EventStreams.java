package dev.pairvm.mirror.control;

import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerResponse;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Readers of {@code GET /v1/events}: each gets the whole report at once and after every change (server-sent events, HTML standard
 * section 9.2). A report replaces the one before it, so a slow reader is not sent what it missed, only the newest; one that takes
 * nothing for {@link #PATIENCE_MILLIS} is dropped. Event loop only.
 */
final class EventStreams {
    /** The operator's replicas, the console, and some to look on. */
    static final int MOST = 8;
    /** How long a reader may let its buffer stand full. */
    static final long PATIENCE_MILLIS = 5_000;
    /** A comment now and then shows both sides that the other is still there. */
    static final long HEARTBEAT_MILLIS = 10_000;

    private static final int BUFFER_BYTES = 64 << 10;

    private final Vertx vertx;
    private final ReportDesk desk;
    private final Set<Reader> readers = new LinkedHashSet<>();
    private long eventNumber;
    private boolean publishing;
    private final long heartbeat;

    EventStreams(Vertx vertx, ReportDesk desk) {
        this.vertx = vertx;
        this.desk = desk;
        this.heartbeat = vertx.setPeriodic(HEARTBEAT_MILLIS, id -> beat());
    }

    boolean isFull() {
        return readers.size() >= MOST;
    }

    int size() {
        return readers.size();
    }

    void add(HttpServerResponse response) {
        response.setChunked(true)
                .setWriteQueueMaxSize(BUFFER_BYTES)
                .putHeader("Content-Type", "text/event-stream")
                .putHeader("Cache-Control", "no-store");
        Reader reader = new Reader(response);
        readers.add(reader);
        response.closeHandler(v -> readers.remove(reader));
        response.exceptionHandler(e -> readers.remove(reader));
        reader.write(event());
    }

    /** Something in the report has changed. Changes of one turn of the loop become one event. */
    void publish() {
        if (publishing || readers.isEmpty()) {
            return;
        }
        publishing = true;
        vertx.runOnContext(v -> {
            publishing = false;
            if (!readers.isEmpty()) {
                sendToAll(event());
            }
        });
    }

    private String event() {
        return "event: report\nid: " + ++eventNumber + "\ndata: " + ControlJson.report(desk.report()) + "\n\n";
    }

    private void beat() {
        sendToAll(": still here\n\n");
    }

    private void sendToAll(String text) {
        List<Reader> now = new ArrayList<>(readers);
        now.forEach(reader -> reader.write(text));
    }

    void close() {
        vertx.cancelTimer(heartbeat);
        for (Reader reader : new ArrayList<>(readers)) {
            reader.drop();
        }
    }

    /** One stream. */
    private final class Reader {
        private final HttpServerResponse response;
        private boolean behind;

        Reader(HttpServerResponse response) {
            this.response = response;
        }

        void write(String text) {
            if (behind) {
                return; // it gets the newest report when it has caught up
            }
            response.write(text);
            if (!response.writeQueueFull()) {
                return;
            }
            behind = true;
            long patience = vertx.setTimer(PATIENCE_MILLIS, id -> drop());
            response.drainHandler(v -> {
                if (behind && vertx.cancelTimer(patience)) {
                    behind = false;
                    write(event());
                }
            });
        }

        void drop() {
            readers.remove(this);
            response.reset();
        }
    }
}
