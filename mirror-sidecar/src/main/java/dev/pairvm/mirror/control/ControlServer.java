package dev.pairvm.mirror.control;

import dev.pairvm.mirror.link.TlsFiles;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.ClientAuth;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.net.OpenSSLEngineOptions;
import io.vertx.core.net.PemKeyCertOptions;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.core.net.ServerSSLOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * HTTPS for the operator, TLS 1.3, client certificate of the machine's CA required.
 *
 * <ul>
 *   <li>{@code GET /v1/report}: the report; for the operator and this machine's mirrors.
 *   <li>{@code GET /v1/events}: the same as server-sent events; at most {@link EventStreams#MOST} readers, then 503.
 *   <li>{@code POST /v1/orders}: one order, at most {@link ControlJson#MOST_ORDER_BYTES} bytes; for the operator. 200 done, 202
 *       begun, 409 stale (with {@code epoch}) or impossible, 400 malformed, 413 too large.
 * </ul>
 *
 * <p>All answers are JSON, errors {@code {"error": sentence}}. All of it on the event loop it was started on.
 */
public final class ControlServer {
    private static final Logger LOG = LoggerFactory.getLogger(ControlServer.class);
    private static final int MOST_CONNECTIONS = 64;
    private static final int IDLE_SECONDS = 60;
    private static final long RENEWAL_CHECK_MILLIS = 10_000;

    private final Vertx vertx;
    private final TlsFiles tls;
    private final String machineUid;
    private final ReportDesk reports;
    private final OrderDesk orders;
    private final EventStreams streams;
    private final HttpServer server;
    private String tlsStamp;
    private int connections;
    private long renewalTimer;

    /**
     * Prepares the server; nothing listens yet.
     *
     * @throws IOException if a TLS file can not be read
     */
    public ControlServer(Vertx vertx, TlsFiles tls, String machineUid, ReportDesk reports, OrderDesk orders)
            throws IOException {
        this.vertx = vertx;
        this.tls = tls;
        this.machineUid = machineUid;
        this.reports = reports;
        this.orders = orders;
        this.streams = new EventStreams(vertx, reports);
        this.tlsStamp = tls.stamp();
        HttpServerOptions options = new HttpServerOptions()
                .setSsl(true)
                .setUseAlpn(false) // HTTP/1.1: one stream per connection, and 1 MiB less of classes
                .setClientAuth(ClientAuth.REQUIRED)
                .setEnabledSecureTransportProtocols(Set.of("TLSv1.3"))
                .setKeyCertOptions(keyPair())
                .setTrustOptions(authority())
                .setSslHandshakeTimeout(5)
                .setSslHandshakeTimeoutUnit(TimeUnit.SECONDS)
                .setMaxInitialLineLength(2 << 10)
                .setMaxHeaderSize(8 << 10)
                .setIdleTimeout(IDLE_SECONDS)
                .setTcpNoDelay(true);
        if (OpenSSLEngineOptions.isAvailable()) {
            options.setSslEngineOptions(new OpenSSLEngineOptions().setSessionCacheEnabled(false));
        }
        this.server = vertx.createHttpServer(options)
                .requestHandler(this::answer)
                .exceptionHandler(e -> LOG.debug("connection to the control port failed: {}", e.toString()))
                .connectionHandler(connection -> {
                    connections++;
                    connection.closeHandler(v -> connections--);
                    if (connections > MOST_CONNECTIONS) {
                        LOG.warn(
                                "more than {} connections to the control port, the newest is closed", MOST_CONNECTIONS);
                        connection.close();
                    }
                });
    }

    /** Listens on all interfaces; gives the port, which is {@code port} unless that is 0. */
    public Future<Integer> listen(int port) {
        renewalTimer = vertx.setPeriodic(RENEWAL_CHECK_MILLIS, id -> renewIfChanged());
        return server.listen(port).map(HttpServer::actualPort);
    }

    /** The report has changed; readers of events are told. */
    public void reportChanged() {
        streams.publish();
    }

    /** Readers of events now, for a metric. */
    public int eventReaders() {
        return streams.size();
    }

    /** Stops; readers are cut off. */
    public Future<Void> close() {
        vertx.cancelTimer(renewalTimer);
        streams.close();
        return server.shutdown(0, TimeUnit.MILLISECONDS);
    }

    /** Takes renewed certificates into use for new connections. Called by a timer; harmless otherwise. */
    void renewIfChanged() {
        try {
            String stamp = tls.stamp();
            if (!stamp.equals(tlsStamp)) {
                tlsStamp = stamp;
                server.updateSSLOptions(new ServerSSLOptions()
                                .setClientAuth(ClientAuth.REQUIRED)
                                .setEnabledSecureTransportProtocols(Set.of("TLSv1.3"))
                                .setKeyCertOptions(keyPair())
                                .setTrustOptions(authority()))
                        .onSuccess(changed -> LOG.info("control port uses the renewed certificate"))
                        .onFailure(e ->
                                LOG.warn("renewed certificate can not be used, the old one stays: {}", e.toString()));
            }
        } catch (IOException e) {
            LOG.warn("TLS files can not be read, the old certificate stays: {}", e.toString());
        }
    }

    private PemKeyCertOptions keyPair() throws IOException {
        return new PemKeyCertOptions()
                .addCertValue(Buffer.buffer(Files.readAllBytes(tls.certificate())))
                .addKeyValue(Buffer.buffer(Files.readAllBytes(tls.key())));
    }

    private PemTrustOptions authority() throws IOException {
        return new PemTrustOptions().addCertValue(Buffer.buffer(Files.readAllBytes(tls.authority())));
    }

    private void answer(HttpServerRequest request) {
        Visitor visitor = Visitor.of(request, machineUid);
        if (!visitor.mayRead()) {
            refuse(
                    request,
                    403,
                    "this mirror answers the operator and the mirrors of its own machine; you are "
                            + Visitor.identity(request));
            return;
        }
        switch (request.path()) {
            case "/v1/report" -> {
                if (isMethod(request, HttpMethod.GET)) {
                    reply(request, 200, ControlJson.report(reports.report()));
                }
            }
            case "/v1/events" -> {
                if (isMethod(request, HttpMethod.GET)) {
                    if (streams.isFull()) {
                        refuse(request, 503, "already " + EventStreams.MOST + " readers of events; close one");
                    } else {
                        streams.add(request.response());
                    }
                }
            }
            case "/v1/orders" -> {
                if (!visitor.mayOrder()) {
                    refuse(request, 403, "only the operator gives orders; you are " + Visitor.identity(request));
                } else if (isMethod(request, HttpMethod.POST)) {
                    new OrderIntake(request, orders).begin();
                }
            }
            case null, default -> refuse(request, 404, "there is /v1/report, /v1/events and /v1/orders");
        }
    }

    private static boolean isMethod(HttpServerRequest request, HttpMethod wanted) {
        if (request.method().equals(wanted)) {
            return true;
        }
        request.response().putHeader("Allow", wanted.name());
        refuse(request, 405, request.path() + " takes " + wanted.name());
        return false;
    }

    static void refuse(HttpServerRequest request, int status, String sentence) {
        reply(request, status, ControlJson.facts("error", sentence));
    }

    static void reply(HttpServerRequest request, int status, String json) {
        request.response()
                .setStatusCode(status)
                .putHeader("Content-Type", "application/json")
                .putHeader("Cache-Control", "no-store")
                .end(json);
    }
}
