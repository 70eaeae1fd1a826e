package dev.pairvm.mirror.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.mirror.link.TestAuthority;
import dev.pairvm.mirror.link.TestClients;
import dev.pairvm.mirror.link.TlsFiles;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@SuppressWarnings("NullAway.Init") // set before each test
class ControlServerTest {
    private static final String UID = "0a1b2c3d-machine";

    @TempDir
    Path folder;

    private final TestAuthority authority = new TestAuthority();
    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    private final List<MirrorOrder> taken = new CopyOnWriteArrayList<>();
    private volatile long epoch = 17;
    private volatile OrderDesk.Outcome outcome = new OrderDesk.Outcome.Begun();
    private TlsFiles files;
    private ControlServer server;
    private int port;
    private HttpClient operator;

    @BeforeEach
    void start() throws Exception {
        files = authority.write(folder.resolve("server"), authority.copy(UID, "a"));
        server = new ControlServer(vertx, files, UID, this::report, order -> {
            taken.add(order);
            return outcome;
        });
        port = server.listen(0).toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
        operator = client(authority.write(folder.resolve("operator"), authority.operator()));
    }

    @AfterEach
    void stop() throws Exception {
        operator.shutdownNow();
        server.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
        vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    private MirrorReport report() {
        return new MirrorReport(
                "orders",
                new CopyId("a"),
                MirrorReport.Role.ACTIVE,
                new Epoch(epoch),
                Optional.of(new CopyId("a")),
                List.of(new CopyId("a"), new CopyId("b")),
                MirrorReport.CopyState.IN_SYNC,
                Optional.of(new MirrorReport.Peer(new CopyId("b"), true, Optional.of(230L), List.of("10.0.0.2:7400"))),
                MirrorReport.Guest.RUNNING,
                true,
                Optional.of(true),
                List.of(new MirrorReport.Disk("root", 1 << 30, 0, 0)),
                Optional.empty(),
                Optional.of(new MirrorReport.Problem("Test", "a\nsentence", Map.of("k", "v"))),
                Optional.empty(),
                "test");
    }

    private static HttpClient client(TlsFiles files) throws Exception {
        return HttpClient.newBuilder()
                .sslContext(TestClients.context(files))
                .connectTimeout(Duration.ofSeconds(60))
                .build();
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + port + path))
                .timeout(Duration.ofSeconds(60));
    }

    private HttpResponse<String> get(HttpClient client, String path) throws Exception {
        return client.send(request(path).build(), HttpResponse.BodyHandlers.ofString());
    }

    private HttpResponse<String> post(HttpClient client, String body) throws Exception {
        return client.send(
                request("/v1/orders")
                        .POST(HttpRequest.BodyPublishers.ofString(body))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    @Test
    void theOperatorReadsTheReport() throws Exception {
        HttpResponse<String> answer = get(operator, "/v1/report");
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.body())
                .contains("\"machine\":\"orders\"", "\"copy\":\"a\"", "\"epoch\":17", "\"inSync\":[\"a\",\"b\"]")
                .contains("\"roundTripMicros\":230", "\"arbiterReachable\":true")
                .doesNotContain("lastTransition");
        // a second connection may resume the TLS session and must still be known
        SSLContext context = TestClients.context(TlsFiles.in(folder.resolve("operator")));
        for (int i = 0; i < 3; i++) {
            try (HttpClient again = HttpClient.newBuilder().sslContext(context).build()) {
                assertThat(get(again, "/v1/report").statusCode()).isEqualTo(200);
            }
        }
    }

    @Test
    void whoMayWhatIsInTheCertificate() throws Exception {
        HttpClient peer = client(authority.write(folder.resolve("b"), authority.copy(UID, "b")));
        assertThat(get(peer, "/v1/report").statusCode()).isEqualTo(200);
        HttpResponse<String> order = post(peer, "{\"type\":\"Leave\",\"epoch\":17,\"copy\":\"b\"}");
        assertThat(order.statusCode()).isEqualTo(403);
        assertThat(order.body()).contains("only the operator gives orders; you are copy b");
        HttpClient stranger = client(authority.write(folder.resolve("s"), authority.copy("another", "b")));
        for (String path : List.of("/v1/report", "/v1/events", "/", "/v1/orders")) {
            assertThat(get(stranger, path).statusCode()).isEqualTo(403);
        }
        HttpClient nobody = client(authority.write(folder.resolve("n"), authority.named("spiffe://x/y")));
        assertThat(get(nobody, "/v1/report").body()).contains("you are a stranger");
        assertThat(taken).isEmpty();
    }

    @Test
    void aForeignCertificateDoesNotGetThatFar() throws Exception {
        TestAuthority other = new TestAuthority();
        TlsFiles foreign = other.write(folder.resolve("f"), other.operator());
        java.nio.file.Files.writeString(folder.resolve("f/ca.crt"), authority.certificatePem());
        HttpClient client = client(foreign);
        assertThatThrownBy(() -> get(client, "/v1/report")).isInstanceOf(IOException.class);
        HttpClient without = HttpClient.newBuilder()
                .sslContext(TestClients.trusting(TlsFiles.in(folder.resolve("operator"))))
                .build();
        assertThatThrownBy(() -> get(without, "/v1/report")).isInstanceOf(IOException.class);
    }

    @Test
    void ordersAreTakenAndAnsweredByTheirOutcome() throws Exception {
        HttpResponse<String> begun = post(operator, "{\"type\":\"Switchover\",\"epoch\":17,\"to\":\"b\"}");
        assertThat(begun.statusCode()).isEqualTo(202);
        assertThat(taken).containsExactly(new MirrorOrder.Switchover(new Epoch(17), new CopyId("b")));
        outcome = new OrderDesk.Outcome.Done();
        assertThat(post(operator, "{\"type\":\"SetRunning\",\"epoch\":17,\"running\":false,\"graceSeconds\":30}")
                        .statusCode())
                .isEqualTo(200);
        outcome = new OrderDesk.Outcome.Stale(new Epoch(18));
        HttpResponse<String> stale = post(operator, "{\"type\":\"Leave\",\"epoch\":17,\"copy\":\"b\"}");
        assertThat(stale.statusCode()).isEqualTo(409);
        assertThat(stale.body()).contains("\"outcome\":\"Stale\"", "\"epoch\":18", "decided on epoch 17");
        outcome = new OrderDesk.Outcome.Impossible("copy b is not in sync; wait for the resync");
        HttpResponse<String> impossible = post(operator, "{\"type\":\"Leave\",\"epoch\":17,\"copy\":\"b\"}");
        assertThat(impossible.statusCode()).isEqualTo(409);
        assertThat(impossible.body()).contains("\"outcome\":\"Impossible\"", "wait for the resync");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "''|order",
                "null|order is null",
                "[]|order",
                "{}|no field \"type\"",
                "{\"type\":\"SelfDestruct\",\"epoch\":17}|\"SelfDestruct\" is not known",
                "{\"type\":\"Leave\",\"epoch\":17}|copy",
                "{\"type\":\"Leave\",\"copy\":\"b\"}|epoch",
                "{\"type\":\"Leave\",\"epoch\":-1,\"copy\":\"b\"}|epoch must not be negative",
                "{\"type\":\"Leave\",\"epoch\":17,\"copy\":\"../b\"}|copy name must be",
                "{\"type\":\"Leave\",\"epoch\":17,\"copy\":\"b\",\"force\":true}|\"force\" that this mirror does not know",
                "{\"type\":\"SetRunning\",\"epoch\":17,\"running\":null,\"graceSeconds\":1}|field \"running\"",
                "{\"type\":\"Leave\",\"epoch\":17,\"copy\":\"b\"} x|order can not be read",
                "{\"type\":\"Leave\",\"epoch\":17,\"epoch\":18,\"copy\":\"b\"}|order can not be read",
                "{\"type\":\"Verify\",\"epoch\":17}|field \"id\"",
                "{\"type\":\"Verify\",\"epoch\":17,\"id\":null}|field \"id\"",
                "{\"type\":\"Verify\",\"epoch\":17,\"id\":\"\"}|id must have 1 to 64 printable characters",
                "{\"type\":\"Verify\",\"epoch\":17,\"id\":\"a b\"}|id must have 1 to 64 printable characters",
                "<order/>|order can not be read"
            })
    void malformedOrdersAreRefusedByWhatIsWrong(String body, String sentence) throws Exception {
        HttpResponse<String> answer = post(operator, body);
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(answer.body().replace("\\\"", "\"")).contains(sentence);
        assertThat(taken).isEmpty();
    }

    @Test
    void nestingAndLengthAreBounded() throws Exception {
        assertThat(post(operator, "{\"type\":\"Leave\",\"epoch\":" + "[".repeat(5000))
                        .statusCode())
                .isEqualTo(400);
        assertThat(post(operator, " ".repeat(ControlJson.MOST_ORDER_BYTES + 1)).statusCode())
                .isEqualTo(413);
        assertThat(taken).isEmpty();
        assertThat(get(operator, "/v1/report").statusCode()).isEqualTo(200);
    }

    @Test
    void otherPathsAndMethodsSayWhatThereIs() throws Exception {
        assertThat(get(operator, "/v2").body()).contains("/v1/report");
        assertThat(get(operator, "/v1/orders").statusCode()).isEqualTo(405);
        assertThat(get(operator, "/v1/orders").headers().firstValue("Allow")).contains("POST");
    }

    private BufferedReader events(HttpClient client, int status) throws Exception {
        HttpResponse<InputStream> answer =
                client.send(request("/v1/events").build(), HttpResponse.BodyHandlers.ofInputStream());
        assertThat(answer.statusCode()).isEqualTo(status);
        return new BufferedReader(new InputStreamReader(answer.body(), StandardCharsets.UTF_8));
    }

    private static String nextData(BufferedReader events) throws IOException {
        for (String line = events.readLine(); line != null; line = events.readLine()) {
            if (line.startsWith("data: ")) {
                return line.substring(6);
            }
        }
        throw new IOException("the stream has ended");
    }

    private void change(long to) {
        epoch = to;
        vertx.runOnContext(v -> {
            server.reportChanged();
            server.reportChanged(); // of one turn: one event
        });
    }

    @Test
    void aReaderOfEventsHearsTheStateAtOnceAndEachChange() throws Exception {
        try (BufferedReader events = events(operator, 200)) {
            assertThat(nextData(events)).contains("\"epoch\":17");
            change(18);
            assertThat(nextData(events)).contains("\"epoch\":18");
            change(19);
            assertThat(nextData(events)).contains("\"epoch\":19");
        }
        await().atMost(Duration.ofSeconds(10)).until(() -> {
            change(20);
            return server.eventReaders() == 0;
        });
    }

    @Test
    void readersAreBoundedInNumber() throws Exception {
        List<BufferedReader> readers = new ArrayList<>();
        for (int i = 0; i < EventStreams.MOST; i++) {
            readers.add(events(operator, 200));
        }
        events(operator, 503).close();
        for (BufferedReader reader : readers) {
            nextData(reader);
            reader.close();
        }
        await().atMost(Duration.ofSeconds(10)).until(() -> server.eventReaders() == 0);
        try (BufferedReader again = events(operator, 200)) {
            assertThat(nextData(again)).contains("\"epoch\":17");
        }
    }

    @Test
    void aReaderThatDoesNotReadIsDropped() throws Exception {
        try (var stuck = TestClients.openAndAsk(TlsFiles.in(folder.resolve("operator")), port, "/v1/events")) {
            await().atMost(Duration.ofSeconds(10)).until(() -> server.eventReaders() == 1);
            await().pollInterval(Duration.ofMillis(1))
                    .atMost(Duration.ofSeconds(60))
                    .until(() -> {
                        change(epoch + 1);
                        return server.eventReaders() == 0;
                    });
            assertThat(stuck.isConnected()).isTrue();
        }
        assertThat(get(operator, "/v1/report").statusCode()).isEqualTo(200);
    }

    @Test
    void renewedCertificatesAreTakenIntoUse() throws Exception {
        TestAuthority next = new TestAuthority();
        next.write(folder.resolve("server"), next.copy(UID, "a"));
        vertx.runOnContext(v -> server.renewIfChanged());
        HttpClient renewed = client(next.write(folder.resolve("next"), next.operator()));
        await().atMost(Duration.ofSeconds(10))
                .ignoreExceptions()
                .until(() -> get(renewed, "/v1/report").statusCode() == 200);
        HttpClient old = client(TlsFiles.in(folder.resolve("operator")));
        assertThatThrownBy(() -> get(old, "/v1/report")).isInstanceOf(IOException.class);
    }
}
