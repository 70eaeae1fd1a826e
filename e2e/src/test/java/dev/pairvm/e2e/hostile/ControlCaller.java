package dev.pairvm.e2e.hostile;

import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Optional;
import javax.net.ssl.SSLParameters;

/** Calls a mirror's control port with whatever papers. */
public final class ControlCaller implements AutoCloseable {
    /** The control port. */
    public static final int PORT = 9443;

    private static final Duration LIMIT = Duration.ofSeconds(15);

    private final URI base;
    private final HttpClient http;

    /** TLS in this version. */
    public ControlCaller(InetAddress mirror, Optional<Papers> papers, String tlsVersion) {
        base = URI.create("https://" + mirror.getHostAddress() + ":" + PORT);
        http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(LIMIT)
                .sslContext(Papers.tls(papers))
                .sslParameters(new SSLParameters(null, new String[] {tlsVersion}))
                .build();
    }

    /** TLS 1.3. */
    public ControlCaller(InetAddress mirror, Papers papers) {
        this(mirror, Optional.of(papers), "TLSv1.3");
    }

    /** An answer. */
    public record Answer(int status, String body) {}

    /** Fails with an {@link IOException} where the mirror does not even speak with the caller. */
    public Answer get(String path) throws IOException {
        return send(HttpRequest.newBuilder(base.resolve(path)));
    }

    /** See {@link #get}. */
    public Answer post(String path, String body) throws IOException {
        return send(HttpRequest.newBuilder(base.resolve(path))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    private Answer send(HttpRequest.Builder request) throws IOException {
        try {
            HttpResponse<String> response =
                    http.send(request.timeout(LIMIT).build(), HttpResponse.BodyHandlers.ofString());
            return new Answer(response.statusCode(), response.body());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    @Override
    public void close() {
        http.shutdownNow();
    }
}
