package dev.pairvm.e2e.guest;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The clients find what a guest may never do; the guest here is one that lies. */
class WatchersTest {
    private static final String LOCALHOST = "127.0.0.1";

    /** Answers each connection in the same way. */
    private interface Manner {
        void answer(InputStream in, OutputStream out) throws IOException, InterruptedException;
    }

    /** A guest with one service. */
    private static final class Liar implements AutoCloseable {
        private final ServerSocket server;

        Liar(Manner manner) throws IOException {
            server = new ServerSocket(0, 10, InetAddress.getByName(LOCALHOST));
            Thread.ofVirtual().start(() -> {
                while (!server.isClosed()) {
                    try (Socket socket = server.accept()) {
                        manner.answer(socket.getInputStream(), socket.getOutputStream());
                    } catch (IOException e) {
                        // the watcher went, or the test is over
                    } catch (InterruptedException e) {
                        return;
                    }
                }
            });
        }

        int port() {
            return server.getLocalPort();
        }

        @Override
        public void close() {
            try {
                server.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static Manner says(String text) {
        return (in, out) -> {
            out.write(text.getBytes(StandardCharsets.US_ASCII));
            Thread.sleep(Duration.ofSeconds(20));
        };
    }

    private static void assertFault(Manner manner, String words) throws IOException {
        try (Liar liar = new Liar(manner);
                SequenceWatcher watcher = SequenceWatcher.on("sequence", LOCALHOST, liar.port())) {
            await().atMost(5, SECONDS).until(() -> !watcher.faults().isEmpty());
            assertThat(watcher.faults()).first().asString().contains(words);
        }
    }

    @Test
    void sequenceMissesNoLostNumber() throws IOException {
        assertFault(says("1\n2\n4\n"), "number 4 came where 3 was due");
    }

    @Test
    void sequenceMissesNoNumberThatCameTwice() throws IOException {
        assertFault(says("1\n2\n2\n"), "number 2 came where 3 was due");
    }

    @Test
    void sequenceTakesNothingElse() throws IOException {
        assertFault(says("1\n2x\n"), "byte 120 in the sequence");
        assertFault(says("1\n\n"), "byte 10 in the sequence");
        assertFault(says("1".repeat(40)), "byte 49 in the sequence");
    }

    @Test
    void aConnectionThatEndsIsLostAndReplaced() throws IOException {
        try (Liar liar = new Liar((in, out) -> out.write("1\n2\n".getBytes(StandardCharsets.US_ASCII)));
                SequenceWatcher watcher = SequenceWatcher.on("sequence", LOCALHOST, liar.port())) {
            await().atMost(5, SECONDS).until(() -> watcher.connectionsLost() > 1);
            assertThat(watcher.connectionsOpened()).isGreaterThan(1);
            assertThat(watcher.heard()).isGreaterThan(2);
            assertThat(watcher.faults()).isEmpty();
        }
    }

    @Test
    void aSilenceCountsWhileItLasts() throws IOException {
        try (Liar liar = new Liar(says("1\n2\n"));
                SequenceWatcher watcher = SequenceWatcher.on("sequence", LOCALHOST, liar.port())) {
            await().atMost(5, SECONDS).until(() -> watcher.heard() == 2);
            watcher.gaps().mark();
            await().atMost(5, SECONDS).until(() -> watcher.gaps().longest().compareTo(Duration.ofMillis(300)) > 0);
            assertThat(watcher.connectionsLost()).isZero();
        }
    }

    @Test
    void echoMissesNoChangedByte() throws IOException {
        Manner changes = (in, out) -> {
            byte[] block = new byte[64];
            while (in.readNBytes(block, 0, block.length) == block.length) {
                block[17] ^= 1;
                out.write(block);
            }
        };
        try (Liar liar = new Liar(changes);
                EchoWatcher watcher = EchoWatcher.on("echo", LOCALHOST, liar.port())) {
            await().atMost(5, SECONDS).until(() -> !watcher.faults().isEmpty());
        }
    }

    @Test
    void echoIsContentWithTheSameBytes() throws IOException {
        try (Liar honest = new Liar(InputStream::transferTo);
                EchoWatcher watcher = EchoWatcher.on("echo", LOCALHOST, honest.port())) {
            await().atMost(5, SECONDS).until(() -> watcher.heard() > 10);
            assertThat(watcher.faults()).isEmpty();
            assertThat(watcher.connectionsLost()).isZero();
        }
    }

    private static String answer(String body) {
        return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + body.length() + "\r\n\r\n" + body;
    }

    private static void assertHttpFault(String words, String... bodies) throws IOException {
        Manner manner = (in, out) -> {
            byte[] request = new byte[256];
            for (String body : bodies) {
                if (in.read(request) < 0) {
                    return;
                }
                out.write(answer(body).getBytes(StandardCharsets.US_ASCII));
            }
            Thread.sleep(Duration.ofSeconds(20));
        };
        try (Liar liar = new Liar(manner);
                HttpWatcher watcher = HttpWatcher.on("http", LOCALHOST, liar.port())) {
            await().atMost(5, SECONDS).until(() -> !watcher.faults().isEmpty());
            assertThat(watcher.faults()).first().asString().contains(words);
        }
    }

    @Test
    void httpMissesNoAnswerToSomethingElse() throws IOException {
        assertHttpFault("request 2 is answered by \"n=1", "n=1 uptime=5.000 boot=a\n", "n=1 uptime=5.100 boot=a\n");
        assertHttpFault("request 1 is answered by", "what?");
    }

    @Test
    void httpMissesNoUptimeThatGoesBack() throws IOException {
        assertHttpFault("uptime went back from 5.0 to 4.9", "n=1 uptime=5.000 boot=a\n", "n=2 uptime=4.900 boot=a\n");
    }

    @Test
    void httpCountsBoots() throws IOException {
        Manner manner = (in, out) -> {
            byte[] request = new byte[256];
            in.read(request);
            out.write(answer("n=1 uptime=5.000 boot=a\n").getBytes(StandardCharsets.US_ASCII));
            in.read(request);
            out.write(answer("n=2 uptime=1.000 boot=b\n").getBytes(StandardCharsets.US_ASCII));
            Thread.sleep(Duration.ofSeconds(20));
        };
        try (Liar liar = new Liar(manner);
                HttpWatcher watcher = HttpWatcher.on("http", LOCALHOST, liar.port())) {
            await().atMost(5, SECONDS).until(() -> watcher.boots() == 2);
            assertThat(watcher.faults()).isEmpty();
        }
    }

    @Test
    void theDistributionNamesWhatIsUsualAndWhatIsWorst() {
        Distribution gaps = new Distribution();
        assertThat(gaps.max()).isZero();
        for (int i = 100; i >= 1; i--) {
            gaps.add(Duration.ofMillis(i));
        }
        assertThat(gaps.percentile(50)).isEqualTo(Duration.ofMillis(50));
        assertThat(gaps.percentile(99)).isEqualTo(Duration.ofMillis(99));
        assertThat(gaps.max()).isEqualTo(Duration.ofMillis(100));
        assertThat(gaps).hasToString("p50 50.0 ms, p99 99.0 ms, max 100.0 ms of 100");
    }
}
