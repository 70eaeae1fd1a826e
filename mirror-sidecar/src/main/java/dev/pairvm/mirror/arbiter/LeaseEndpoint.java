package dev.pairvm.mirror.arbiter;

import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.net.PemTrustOptions;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.attribute.FileTime;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * HTTPS to one Lease. A kept-alive connection; each request has a limit, after which its connection is given up, so that the
 * next one does not wait behind a dead peer. Used on one event loop.
 */
final class LeaseEndpoint {
    /** Two: an announcement may be under way when a compare-and-swap must go out. */
    private static final int CONNECTIONS = 2;
    /** Above the API server's own idle limit of 90 s: it decides. */
    private static final int KEEP_ALIVE_SECONDS = 120;

    private final Vertx vertx;
    private final Context context;
    private final KubernetesAccess access;
    private final String path;
    private final long limitMillis;
    private @Nullable HttpClient client;
    private @Nullable FileTime caOfClient;

    LeaseEndpoint(Vertx vertx, Context context, KubernetesAccess access, String lease, long limitMillis) {
        this.vertx = vertx;
        this.context = context;
        this.access = access;
        this.path = "/apis/coordination.k8s.io/v1/namespaces/" + access.namespace() + "/leases/" + lease;
        this.limitMillis = limitMillis;
    }

    /** Sends one request, at most once; the answer comes on the loop, once. */
    void send(HttpMethod method, byte @Nullable [] body, Consumer<Exchange> answer) {
        context.runOnContext(v -> new Call(body, answer).start(method));
    }

    void close() {
        context.runOnContext(v -> {
            if (client != null) {
                client.close();
            }
        });
    }

    /** A client that trusts the CA file of this moment. */
    private HttpClient client() throws IOException {
        FileTime changed = Files.getLastModifiedTime(access.caFile());
        HttpClient current = client;
        if (current != null && changed.equals(caOfClient)) {
            return current;
        }
        if (current != null) {
            current.close();
        }
        HttpClientOptions options = new HttpClientOptions()
                .setSsl(true)
                .setVerifyHost(true)
                .setTrustOptions(new PemTrustOptions().addCertValue(Buffer.buffer(Files.readAllBytes(access.caFile()))))
                .setKeepAliveTimeout(KEEP_ALIVE_SECONDS)
                .setConnectTimeout((int) limitMillis)
                .setTcpNoDelay(true)
                .setMaxHeaderSize(16 << 10);
        HttpClient fresh = vertx.createHttpClient(options, new PoolOptions().setHttp1MaxSize(CONNECTIONS));
        client = fresh;
        caOfClient = changed;
        return fresh;
    }

    private String token() throws IOException {
        return Files.readString(access.tokenFile(), StandardCharsets.US_ASCII).strip();
    }

    /** One request from its start to its one answer. */
    private final class Call {
        private final byte @Nullable [] body;
        private final Consumer<Exchange> answer;
        private final Buffer received = Buffer.buffer();
        private long timer;
        private boolean sent;
        private boolean over;
        private @Nullable HttpClientRequest request;

        Call(byte @Nullable [] body, Consumer<Exchange> answer) {
            this.body = body;
            this.answer = answer;
        }

        void start(HttpMethod method) {
            timer = vertx.setTimer(limitMillis, id -> fail("no answer within " + limitMillis + " ms"));
            try {
                RequestOptions options = new RequestOptions()
                        .setMethod(method)
                        .setHost(access.host())
                        .setPort(access.port())
                        .setURI(path)
                        .putHeader("Authorization", "Bearer " + token())
                        .putHeader("Accept", "application/json")
                        .putHeader("User-Agent", "pairvm-mirror")
                        .setConnectTimeout(limitMillis);
                if (body != null) {
                    options.putHeader("Content-Type", "application/json");
                }
                client().request(options).onSuccess(this::connected).onFailure(e -> fail(Exchange.why(e)));
            } catch (IOException | RuntimeException e) {
                fail("credentials can not be used: " + Exchange.why(e));
            }
        }

        private void connected(HttpClientRequest ready) {
            if (over) {
                ready.reset(); // the limit passed while it waited for a connection; nothing was sent, and nothing
                // may be
                return;
            }
            request = ready;
            sent = true;
            (body == null ? ready.send() : ready.send(Buffer.buffer(body)))
                    .onSuccess(this::answered)
                    .onFailure(e -> fail(Exchange.why(e)));
        }

        private void answered(HttpClientResponse response) {
            response.exceptionHandler(e -> fail(Exchange.why(e)));
            response.handler(chunk -> {
                if (over) {
                    return;
                }
                if (received.length() + chunk.length() > LeaseDocument.MOST_BYTES) {
                    end(new Exchange.TooLarge(response.statusCode()));
                    giveUpConnection();
                } else {
                    received.appendBuffer(chunk);
                }
            });
            response.endHandler(v -> end(new Exchange.Answer(response.statusCode(), received.getBytes())));
        }

        private void fail(String why) {
            if (!over) {
                end(sent ? new Exchange.NoAnswer(why) : new Exchange.NotSent(why));
                giveUpConnection();
            }
        }

        private void giveUpConnection() {
            if (request != null) {
                request.connection().shutdown(0, TimeUnit.MILLISECONDS);
            }
        }

        private void end(Exchange exchange) {
            if (!over) {
                over = true;
                vertx.cancelTimer(timer);
                answer.accept(exchange);
            }
        }
    }
}
