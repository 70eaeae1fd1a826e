package dev.pairvm.mirror.guest;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The other end of a monitor's socket, which says exactly what the test tells it to, QMP or not. Takes one client. */
final class FakeMonitor implements AutoCloseable {
    static final String GREETING =
            "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 3, \"minor\": 1, \"major\": 11}}, \"capabilities\": [\"oob\"]}}";

    private final ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();
    private final BlockingQueue<SocketChannel> clients = new LinkedBlockingQueue<>();
    private SocketChannel client;

    FakeMonitor(Path socket) throws IOException {
        server.bind(UnixDomainSocketAddress.of(socket));
        client = SocketChannel.open(StandardProtocolFamily.UNIX);
        Thread.ofVirtual().start(() -> {
            try {
                SocketChannel accepted = server.accept();
                clients.add(accepted);
                BufferedReader reader = new BufferedReader(Channels.newReader(accepted, StandardCharsets.UTF_8));
                for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                    heard.add(line);
                }
            } catch (IOException closed) {
                heard.add("closed");
            }
        });
    }

    void accept() throws Exception {
        SocketChannel accepted = clients.poll(20, TimeUnit.SECONDS);
        if (accepted == null) {
            throw new AssertionError("nobody connected");
        }
        client = accepted;
    }

    /** The next line from the client. */
    String hear() throws Exception {
        String line = heard.poll(20, TimeUnit.SECONDS);
        if (line == null) {
            throw new AssertionError("the client says nothing");
        }
        return line;
    }

    void say(String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            client.write(bytes);
        }
    }

    /** Greets and agrees, as QEMU does. */
    void greet() throws Exception {
        accept();
        say(GREETING + "\r\n");
        hear();
        say("{\"return\": {}, \"id\": 1}\r\n");
    }

    void hangUp() throws IOException {
        client.close();
    }

    @Override
    public void close() throws IOException {
        client.close();
        server.close();
    }
}
