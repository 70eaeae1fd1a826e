package dev.pairvm.mirror;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.LoggingEvent;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class LogSetupTest {
    private final LogSetup.OneLine encoder = new LogSetup.OneLine();

    private String encode(Level level, String message, Object... arguments) {
        LoggingEvent event = new LoggingEvent(
                "",
                new LoggerContext().getLogger("dev.pairvm.mirror.engine.MirrorEngine"),
                level,
                message,
                null,
                arguments);
        event.setTimeStamp(1_767_225_600_007L);
        return new String(encoder.encode(event), StandardCharsets.UTF_8);
    }

    @Test
    void anEventIsOneLine() {
        assertThat(encode(Level.INFO, "serving at epoch {}", 7))
                .isEqualTo("2026-01-01T00:00:00.007Z INFO  MirrorEngine serving at epoch 7\n");
    }

    @Test
    void anExceptionFollowsWithItsTrace() {
        assertThat(encode(Level.ERROR, "the disk failed", new IOException("no medium")))
                .startsWith(
                        "2026-01-01T00:00:00.007Z ERROR MirrorEngine the disk failed\njava.io.IOException: no medium\n\tat ");
    }
}
