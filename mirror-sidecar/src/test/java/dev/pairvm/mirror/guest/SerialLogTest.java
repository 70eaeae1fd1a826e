package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The console's tail, over restarts of QEMU and however much is said. */
class SerialLogTest {
    @TempDir
    Path directory;

    private static void say(SocketChannel console, String text) throws Exception {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
        while (bytes.hasRemaining()) {
            console.write(bytes);
        }
    }

    private boolean ends(Path log, String text) throws Exception {
        return Files.exists(log) && Files.readString(log).endsWith(text);
    }

    @Test
    void keepsTheEndAndNoMoreThanTwoFiles() throws Exception {
        GuestFiles files = new GuestFiles(directory);
        try (ServerSocketChannel qemu = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            qemu.bind(UnixDomainSocketAddress.of(files.serialSocket()));
            try (SerialLog log = new SerialLog(files)) {
                assertThat(log).isNotNull();
                try (SocketChannel console = qemu.accept()) {
                    for (int i = 0; i < 5000; i++) {
                        say(console, "x".repeat(999) + "\n");
                    }
                    say(console, "first ends\n");
                }
                try (SocketChannel console = qemu.accept()) {
                    say(console, "second begins\n");
                    await().atMost(Duration.ofSeconds(20))
                            .until(() -> ends(files.serialLog(), "first ends\nsecond begins\n"));
                }
            }
        }
        long kept = Files.size(files.serialLog()) + Files.size(directory.resolve("serial.log.1"));
        assertThat(kept).isBetween(1L << 20, (2L << 20) + 16_384);
    }
}
