package dev.pairvm.operator.runtime.pod;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.operator.pki.Trust;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;

/**
 * Speaks with mirrors: {@code GET /v1/report}, {@code GET /v1/events}, {@code POST /v1/orders}, HTTPS with certificates on both sides. One
 * for the process; thread-safe. Every answer is bounded in time and size.
 */
public final class MirrorClient implements AutoCloseable {
    /** A mirror answers from memory; what takes longer is a mirror in trouble, or none. */
    private static final Duration LIMIT = Duration.ofSeconds(2);
    /** A report is about one KiB. */
    private static final int LARGEST_ANSWER_BYTES = 256 * 1024;

    private static final ObjectMapper JSON = new ObjectMapper().registerModule(new Jdk8Module());

    private final MirrorTrust trust;
    private final UnaryOperator<MirrorAddress> route;
    private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
    private final HttpClient http;

    /**
     * Trusts mirrors by these authorities, and gets its own certificate from them.
     *
     * @param route where an address is dialled: itself, unless pod addresses are not reachable from here
     */
    public MirrorClient(Supplier<Trust> authorities, InstantSource clock, UnaryOperator<MirrorAddress> route) {
        this.route = route;
        this.trust = new MirrorTrust(authorities);
        this.http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(LIMIT)
                .executor(executor)
                .sslContext(context(new OperatorIdentity(authorities, clock), trust))
                .build();
    }

    private static SSLContext context(KeyManager identity, TrustManager trust) {
        try {
            SSLContext context = SSLContext.getInstance("TLSv1.3");
            context.init(new KeyManager[] {identity}, new TrustManager[] {trust}, new SecureRandom());
            return context;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JDK has TLS 1.3", e);
        }
    }

    /** How a mirror took an order. */
    public enum OrderOutcome {
        /** Nothing to do any more. */
        DONE,
        /** It has begun. */
        BEGUN,
        /** It refuses: its epoch is higher, or it can not now. */
        REFUSED,
        /** It did not understand; a bug, or versions that do not fit. */
        MALFORMED,
        /** No answer. It may or may not have got it; the same order may be sent again. */
        UNKNOWN
    }

    /** An outcome, and what the mirror said to it. */
    public record OrderAnswer(OrderOutcome outcome, String message) {}

    /** Its report. Fails with the reason if there is no answer within two seconds. */
    CompletableFuture<MirrorReport> report(MirrorAddress mirror) {
        MirrorAddress address = route.apply(mirror);
        trust.expect(address);
        HttpRequest request =
                HttpRequest.newBuilder(address.uri("/v1/report")).timeout(LIMIT).build();
        return http.sendAsync(request, info -> new BoundedBody(LARGEST_ANSWER_BYTES))
                .orTimeout(LIMIT.toMillis(), TimeUnit.MILLISECONDS)
                .thenApply(response -> {
                    if (response.statusCode() != 200) {
                        throw new CompletionException(
                                new IOException("the mirror answered with status " + response.statusCode()));
                    }
                    return parse(response.body());
                });
    }

    /**
     * Its event stream, for as long as it lasts. The future completes when the stream ends, in whatever way; cancelling it closes the
     * stream.
     */
    CompletableFuture<HttpResponse<Void>> events(MirrorAddress mirror, Consumer<MirrorReport> listener) {
        MirrorAddress address = route.apply(mirror);
        trust.expect(address);
        HttpRequest request = HttpRequest.newBuilder(address.uri("/v1/events"))
                .header("Accept", "text/event-stream")
                .build();
        return http.sendAsync(
                request, info -> new EventStream(LARGEST_ANSWER_BYTES, data -> listener.accept(parse(data))));
    }

    /** Sends an order and waits for the answer, two seconds at most. */
    public OrderAnswer order(MirrorAddress mirror, MirrorOrder order) {
        MirrorAddress address = route.apply(mirror);
        trust.expect(address);
        try {
            HttpRequest request = HttpRequest.newBuilder(address.uri("/v1/orders"))
                    .timeout(LIMIT)
                    .header("Content-Type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofByteArray(JSON.writeValueAsBytes(order)))
                    .build();
            HttpResponse<byte[]> response = http.sendAsync(request, info -> new BoundedBody(LARGEST_ANSWER_BYTES))
                    .get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
            String message = said(response.body());
            OrderOutcome outcome = switch (response.statusCode()) {
                case 200 -> OrderOutcome.DONE;
                case 202 -> OrderOutcome.BEGUN;
                case 409 -> OrderOutcome.REFUSED;
                case 400 -> OrderOutcome.MALFORMED;
                default -> OrderOutcome.UNKNOWN;
            };
            return new OrderAnswer(outcome, message.substring(0, Math.min(500, message.length())));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new OrderAnswer(OrderOutcome.UNKNOWN, "interrupted");
        } catch (ExecutionException | TimeoutException | JsonProcessingException e) {
            return new OrderAnswer(OrderOutcome.UNKNOWN, String.valueOf(e.getMessage()));
        }
    }

    /** A refusal is an object with its sentence as {@code error}; whatever else it may be is given as it is. */
    private static String said(byte[] body) {
        String text = new String(body, StandardCharsets.UTF_8);
        try {
            JsonNode error = JSON.readTree(text).path("error");
            return error.isTextual() ? error.asText() : text;
        } catch (JsonProcessingException e) {
            return text;
        }
    }

    /** Nobody is expected at this address any more. */
    void forget(MirrorAddress mirror) {
        MirrorAddress address = route.apply(mirror);
        trust.forget(address);
    }

    private static MirrorReport parse(byte[] json) {
        try {
            return JSON.readValue(json, MirrorReport.class);
        } catch (IOException e) {
            throw new CompletionException(new IOException("the mirror's report can not be read: " + e.getMessage(), e));
        }
    }

    @Override
    public void close() {
        http.shutdownNow();
        executor.shutdownNow();
    }
}
