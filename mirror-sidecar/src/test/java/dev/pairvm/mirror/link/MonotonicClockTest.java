package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class MonotonicClockTest {
    @Test
    void isTheKernelsBoottime() throws Exception {
        MonotonicClock clock = MonotonicClock.boottime();
        double uptime =
                Double.parseDouble(Files.readString(Path.of("/proc/uptime")).split(" ")[0]);
        assertThat(TimeUnit.NANOSECONDS.toMillis(clock.nanos()) / 1e3).isBetween(uptime - 1, uptime + 5);
        long before = clock.nanos();
        for (int i = 0; i < 10_000; i++) {
            long now = clock.nanos();
            assertThat(now).isGreaterThanOrEqualTo(before);
            before = now;
        }
    }
}
