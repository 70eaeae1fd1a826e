package dev.pairvm.operator.testing;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsExchange;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.operator.pki.Pem;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/**
 * A mirror's control endpoint: says what it is told to say, and notes the orders and who gave them. It can fall silent, refuse, and show
 * another's certificate.
 */
public final class FakeMirror implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper().registerModule(new Jdk8Module());
    private static final char[] NO_PASSWORD = new char[0];
    private static final byte[] END = new byte[0];

    private final HttpsServer server;
    private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
    private final List<MirrorOrder> orders = new CopyOnWriteArrayList<>();
    private final List<String> callers = new CopyOnWriteArrayList<>();
    private final List<LinkedBlockingQueue<byte[]>> listeners = new CopyOnWriteArrayList<>();
    private volatile @Nullable MirrorReport report;
    private volatile int orderStatus = 202;

    /**
     * Listens with the certificate of a {@code kubernetes.io/tls} Secret's data.
     *
     * @param port 0 takes a free one
     */
    public FakeMirror(String host, int port, Map<String, String> secret) {
        try {
            server = HttpsServer.create(new InetSocketAddress(host, port), 0);
            SSLContext context = context(secret);
            server.setHttpsConfigurator(new HttpsConfigurator(context) {
                @Override
                public void configure(HttpsParameters parameters) {
                    SSLParameters ssl = context.getDefaultSSLParameters();
                    ssl.setNeedClientAuth(true);
                    parameters.setSSLParameters(ssl);
                }
            });
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException("fake mirror on " + host, e);
        }
        server.setExecutor(executor);
        server.createContext("/v1/report", this::report);
        server.createContext("/v1/events", this::events);
        server.createContext("/v1/orders", this::order);
        server.start();
    }

    /** The port it listens on. */
    public int port() {
        return server.getAddress().getPort();
    }

    /** From now on it says this, and tells those who listen. */
    public void says(MirrorReport now) {
        report = now;
        listeners.forEach(listener -> listener.add(event(now)));
    }

    /** From now on it answers 503 and ends its streams. */
    public void fallsSilent() {
        report = null;
        listeners.forEach(listener -> listener.add(END));
    }

    /** From now on orders get this HTTP status. */
    public void answersOrdersWith(int status) {
        orderStatus = status;
    }

    /** The orders that arrived, oldest first. */
    public List<MirrorOrder> orders() {
        return List.copyOf(orders);
    }

    /** The identities that gave orders. */
    public List<String> callers() {
        return List.copyOf(callers);
    }

    private void report(HttpExchange exchange) throws IOException {
        MirrorReport now = report;
        send(exchange, now == null ? 503 : 200, now == null ? END : JSON.writeValueAsBytes(now));
    }

    private void events(HttpExchange exchange) throws IOException {
        LinkedBlockingQueue<byte[]> queue = new LinkedBlockingQueue<>();
        listeners.add(queue);
        try (exchange) {
            exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
            exchange.sendResponseHeaders(200, 0);
            OutputStream out = exchange.getResponseBody();
            out.write(": hello\n\n".getBytes(StandardCharsets.UTF_8));
            out.flush();
            for (byte[] next = queue.take(); next.length > 0; next = queue.take()) {
                out.write(next);
                out.flush();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            listeners.remove(queue);
        }
    }

    private void order(HttpExchange exchange) throws IOException {
        orders.add(JSON.readValue(exchange.getRequestBody(), MirrorOrder.class));
        X509Certificate caller =
                (X509Certificate) ((HttpsExchange) exchange).getSSLSession().getPeerCertificates()[0];
        callers.add(
                switch (CertificateIdentity.of(caller)) {
                    case CertificateIdentity.OfOperator() -> CertificateIdentity.OPERATOR;
                    case CertificateIdentity.OfCopy(String uid, CopyId copy) -> CertificateIdentity.nameOf(uid, copy);
                    case CertificateIdentity.Unknown(String why) -> "nobody: " + why;
                });
        send(exchange, orderStatus, END);
    }

    private static byte[] event(MirrorReport report) {
        try {
            return ("event: report\ndata: " + JSON.writeValueAsString(report) + "\n\n")
                    .getBytes(StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
        try (exchange) {
            exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
            if (body.length > 0) {
                exchange.getResponseBody().write(body);
            }
        }
    }

    private static SSLContext context(Map<String, String> secret) throws GeneralSecurityException, IOException {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(null, null);
        PrivateKey key = Pem.key(text(secret, "tls.key"));
        keys.setKeyEntry(
                "mirror",
                key,
                NO_PASSWORD,
                Pem.certificates(text(secret, "tls.crt")).toArray(new X509Certificate[0]));
        KeyManagerFactory identity = KeyManagerFactory.getInstance("PKIX");
        identity.init(keys, NO_PASSWORD);
        KeyStore authorities = KeyStore.getInstance("PKCS12");
        authorities.load(null, null);
        List<X509Certificate> trusted = new ArrayList<>(Pem.certificates(text(secret, "ca.crt")));
        for (int i = 0; i < trusted.size(); i++) {
            authorities.setCertificateEntry("ca-" + i, trusted.get(i));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(authorities);
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(identity.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private static String text(Map<String, String> secret, String key) {
        String value = secret.get(key);
        if (value == null) {
            throw new IllegalArgumentException("no " + key);
        }
        return new String(Base64.getDecoder().decode(value), StandardCharsets.US_ASCII);
    }

    @Override
    public void close() {
        listeners.forEach(listener -> listener.add(END));
        server.stop(0);
        executor.shutdownNow();
    }
}
