package dev.pairvm.e2e.machine;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** The test guest's disk image, served over HTTP to the pods that import it. */
public final class DiskImage implements AutoCloseable {
    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final String sha256;
    private final long sizeBytes;

    /** Serves {@code image} on a free port of {@code address} until closed. */
    public DiskImage(Path image, InetAddress address) throws IOException {
        sizeBytes = Files.size(image);
        sha256 = hash(image);
        server = HttpServer.create(new InetSocketAddress(address, 0), 0);
        server.setExecutor(threads);
        server.createContext("/guest.img", exchange -> {
            try (exchange;
                    OutputStream body = startBody(exchange)) {
                Files.copy(image, body);
            }
        });
        server.start();
    }

    private OutputStream startBody(HttpExchange exchange) throws IOException {
        exchange.sendResponseHeaders(200, sizeBytes);
        return exchange.getResponseBody();
    }

    private static String hash(Path image) throws IOException {
        try (InputStream in = Files.newInputStream(image)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] piece = new byte[1 << 20];
            for (int n = in.read(piece); n > 0; n = in.read(piece)) {
                digest.update(piece, 0, n);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    /** Where pods fetch it. */
    public String url() {
        return "http://" + server.getAddress().getAddress().getHostAddress() + ":"
                + server.getAddress().getPort() + "/guest.img";
    }

    /** {@code sha256:…} as a disk source writes it. */
    public String checksum() {
        return "sha256:" + sha256;
    }

    /** Size of the image in bytes. */
    public long sizeBytes() {
        return sizeBytes;
    }

    @Override
    public void close() {
        server.stop(0);
        threads.close();
    }
}
