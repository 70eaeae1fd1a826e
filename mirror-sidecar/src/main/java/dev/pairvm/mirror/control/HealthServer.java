package dev.pairvm.mirror.control;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import java.util.concurrent.TimeUnit;

/**
 * Plain HTTP for the kubelet and Prometheus: {@code GET /livez}, {@code /readyz}, {@code /metrics}. Tells nothing secret and
 * changes nothing. On the event loop it was started on: an answer shows that the loop turns.
 */
public final class HealthServer {
    private static final int MOST_CONNECTIONS = 32;
    private static final int IDLE_SECONDS = 30;

    private final HttpServer server;
    private final Health health;
    private final MirrorMetrics metrics;
    private final Runnable refresh;
    private int connections;

    /**
     * Prepares the server; nothing listens yet.
     *
     * @param refresh run before the metrics are read
     */
    public HealthServer(Vertx vertx, Health health, MirrorMetrics metrics, Runnable refresh) {
        this.health = health;
        this.metrics = metrics;
        this.refresh = refresh;
        this.server = vertx.createHttpServer(new HttpServerOptions()
                        .setHttp2ClearTextEnabled(false) // a client that offers to upgrade gets its answer by HTTP/1.1
                        .setMaxInitialLineLength(2 << 10)
                        .setMaxHeaderSize(8 << 10)
                        .setIdleTimeout(IDLE_SECONDS))
                .requestHandler(this::answer)
                .exceptionHandler(e -> {}) // strangers may send anything; the connection is closed
                .connectionHandler(connection -> {
                    connections++;
                    connection.closeHandler(v -> connections--);
                    if (connections > MOST_CONNECTIONS) {
                        connection.close();
                    }
                });
    }

    /** Listens on all interfaces; gives the port, which is {@code port} unless that is 0. */
    public Future<Integer> listen(int port) {
        return server.listen(port).map(HttpServer::actualPort);
    }

    /** Stops. */
    public Future<Void> close() {
        return server.shutdown(0, TimeUnit.MILLISECONDS);
    }

    private void answer(HttpServerRequest request) {
        if (!request.method().equals(HttpMethod.GET) && !request.method().equals(HttpMethod.HEAD)) {
            request.response().setStatusCode(405).putHeader("Allow", "GET").end("only GET\n");
            return;
        }
        switch (request.path()) {
            case "/livez" -> state(request, health.live());
            case "/readyz" -> state(request, health.ready());
            case "/metrics" -> {
                refresh.run();
                request.response()
                        .putHeader("Content-Type", MirrorMetrics.CONTENT_TYPE)
                        .end(metrics.text());
            }
            case null, default -> request.response().setStatusCode(404).end("there is /livez, /readyz and /metrics\n");
        }
    }

    private static void state(HttpServerRequest request, Health.State state) {
        switch (state) {
            case Health.State.Good() -> request.response().end("ok\n");
            case Health.State.Bad(String why) ->
                request.response().setStatusCode(503).end(why + "\n");
        }
    }
}
