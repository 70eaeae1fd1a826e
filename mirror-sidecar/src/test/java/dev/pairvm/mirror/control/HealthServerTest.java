package dev.pairvm.mirror.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.CopyId;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@SuppressWarnings("NullAway.Init") // set before each test
class HealthServerTest {
    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    private final MirrorMetrics metrics = new MirrorMetrics("1.2", "orders", new CopyId("a"));
    private volatile Health.State ready = new Health.State.Bad("disk root is not open yet");
    private HealthServer server;
    private int port;

    @BeforeEach
    void start() throws Exception {
        Health health = new Health() {
            @Override
            public State live() {
                return new State.Good();
            }

            @Override
            public State ready() {
                return ready;
            }
        };
        server = new HealthServer(vertx, health, metrics, () -> {});
        port = server.listen(0).toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    @AfterEach
    void stop() throws Exception {
        server.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
        vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    private HttpResponse<String> get(String path) throws Exception {
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
        }
    }

    @Test
    void probesAnswerWithTheirReason() throws Exception {
        assertThat(get("/livez").statusCode()).isEqualTo(200);
        assertThat(get("/readyz").statusCode()).isEqualTo(503);
        assertThat(get("/readyz").body()).contains("disk root is not open yet");
        ready = new Health.State.Good();
        assertThat(get("/readyz").statusCode()).isEqualTo(200);
        assertThat(get("/v1/report").statusCode()).isEqualTo(404);
    }

    /** Java's client offers HTTP/2; upgraded connections were left without an answer now and then. */
    @Test
    void anOfferOfHttp2IsAnsweredByHttp1() throws Exception {
        assertThat(get("/livez").version()).isEqualTo(HttpClient.Version.HTTP_1_1);
    }

    @Test
    void metricsAreInBaseUnitsAndNamedAsPrometheusWants() throws Exception {
        MirrorMetrics.DiskMeter disk = metrics.disk("root");
        disk.write(4096, 90_000, true);
        disk.flush(200_000, true);
        disk.read(512, 10_000, false);
        metrics.started("PROMOTED");
        metrics.guestRanAfter(0.59);
        metrics.linkRefused("IDENTITY");
        metrics.registerJvm();
        String text = get("/metrics").body();
        assertThat(text)
                .contains("pairvm_mirror_info{version=\"1.2\",machine=\"orders\",copy=\"a\",} 1.0")
                .contains("pairvm_mirror_role{role=\"IDLE\",} 1.0", "pairvm_mirror_role{role=\"ACTIVE\",} 0.0")
                .contains("pairvm_mirror_guest_bytes_total{disk=\"root\",operation=\"write\",} 4096.0")
                .contains("pairvm_mirror_guest_errors_total{disk=\"root\",operation=\"read\",} 1.0")
                .contains(
                        "pairvm_mirror_guest_operation_duration_seconds_bucket{disk=\"root\",operation=\"write\",le=\"1.0E-4\",} 1.0")
                .contains("pairvm_mirror_starts_total{cause=\"PROMOTED\",} 1.0")
                .contains("pairvm_mirror_last_start_guest_running_seconds 0.59")
                .contains("jvm_memory");
        assertThat(text.lines().filter(line -> line.startsWith("# TYPE pairvm_mirror_") && line.endsWith(" counter")))
                .allMatch(line -> line.split(" ")[2].endsWith("_total"));
        assertThat(text.lines().filter(line -> line.startsWith("# TYPE pairvm_mirror_")))
                .allMatch(line -> !line.contains("milli"));
    }
}
