package dev.pairvm.mirror.arbiter;

import dev.pairvm.mirror.link.PlainTlsServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;

/** An HTTPS server that answers as the script says, one line per request, and remembers what it was asked. */
final class RogueApiServer implements AutoCloseable {
    /** What becomes of one request. */
    sealed interface Act {
        /** Answers so. */
        record Answer(int status, String body) implements Act {}

        /** Reads the request, then resets the connection. */
        record Reset() implements Act {}

        /** Reads the request and never answers. */
        record Silence() implements Act {}

        /** Sends these bytes as they are. */
        record Raw(String bytes) implements Act {}

        /** Announces this many bytes and sends them. */
        record Flood(int bytes) implements Act {}
    }

    /** What was asked. */
    record Asked(String method, String path, Map<String, String> headers, String body) {}

    private final PlainTlsServer server;
    private final ConcurrentLinkedQueue<Act> script = new ConcurrentLinkedQueue<>();
    private final CountDownLatch closed = new CountDownLatch(1);
    final List<Asked> asked = new CopyOnWriteArrayList<>();

    RogueApiServer(Path folder) throws Exception {
        server = new PlainTlsServer(folder, this::serve);
    }

    int port() {
        return server.port();
    }

    Path caFile() {
        return server.caFile();
    }

    void next(Act... acts) {
        script.addAll(List.of(acts));
    }

    static Act answer(int status, String body) {
        return new Act.Answer(status, body);
    }

    private void serve(Socket socket) throws IOException {
        InputStream in = socket.getInputStream();
        while (true) {
            Asked request = read(in);
            asked.add(request);
            Act act = script.poll();
            switch (act == null ? answer(500, "the script is at its end") : act) {
                case Act.Answer(int status, String body) -> {
                    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
                    socket.getOutputStream()
                            .write(("HTTP/1.1 " + status + " X\r\nContent-Type: application/json\r\nContent-Length: "
                                            + bytes.length + "\r\n\r\n")
                                    .getBytes(StandardCharsets.US_ASCII));
                    socket.getOutputStream().write(bytes);
                    socket.getOutputStream().flush();
                }
                case Act.Reset() -> {
                    socket.close();
                    return;
                }
                case Act.Silence() -> {
                    try {
                        closed.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    return;
                }
                case Act.Raw(String bytes) -> {
                    socket.getOutputStream().write(bytes.getBytes(StandardCharsets.ISO_8859_1));
                    socket.getOutputStream().flush();
                    socket.close();
                    return;
                }
                case Act.Flood(int bytes) -> {
                    socket.getOutputStream()
                            .write(("HTTP/1.1 200 OK\r\nContent-Length: " + bytes + "\r\n\r\n")
                                    .getBytes(StandardCharsets.US_ASCII));
                    socket.getOutputStream().write(new byte[bytes]);
                    socket.getOutputStream().flush();
                }
            }
        }
    }

    private static Asked read(InputStream in) throws IOException {
        String head = readHead(in);
        String[] lines = head.split("\r\n");
        String[] first = lines[0].split(" ");
        Map<String, String> headers = new java.util.TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        for (int i = 1; i < lines.length; i++) {
            int colon = lines[i].indexOf(':');
            headers.put(
                    lines[i].substring(0, colon), lines[i].substring(colon + 1).strip());
        }
        int length = Integer.parseInt(headers.getOrDefault("content-length", "0"));
        return new Asked(first[0], first[1], headers, new String(in.readNBytes(length), StandardCharsets.UTF_8));
    }

    private static String readHead(InputStream in) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        while (!head.toString(StandardCharsets.US_ASCII).endsWith("\r\n\r\n")) {
            int next = in.read();
            if (next < 0) {
                throw new IOException("the client closed it");
            }
            head.write(next);
        }
        return head.toString(StandardCharsets.US_ASCII);
    }

    @Override
    public void close() throws IOException {
        closed.countDown();
        server.close();
    }
}
