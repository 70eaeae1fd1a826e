package dev.pairvm.e2e.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import org.awaitility.Awaitility;

/** A stopwatch beside a failover. */
final class FailoverTimes {
    private final Machine machine;
    private final String address;
    private long startNanos;

    FailoverTimes(Machine machine, String address) {
        this.machine = machine;
        this.address = address;
    }

    void startClock() {
        startNanos = System.nanoTime();
    }

    Duration sinceStart() {
        return Duration.ofNanos(System.nanoTime() - startNanos);
    }

    /** Time until the arbiter names another active. */
    Duration awaitNewActive(Machine.Arbiter before, Duration limit) {
        Awaitility.await("another active than " + before.active() + " for the guest at " + address)
                .atMost(limit)
                .pollInterval(Duration.ofMillis(10))
                .ignoreExceptions()
                .until(() -> !machine.arbiter().active().equals(before.active()));
        return sinceStart();
    }

    /** Milliseconds of a duration as the status writes it: {@code 480ms}, {@code 1.2s}. */
    static long millis(JsonNode duration) {
        String text = duration.asText();
        if (text.endsWith("ms")) {
            return Long.parseLong(text.substring(0, text.length() - 2));
        }
        if (text.endsWith("s")) {
            return Math.round(Double.parseDouble(text.substring(0, text.length() - 1)) * 1000);
        }
        throw new AssertionError("no duration: \"" + text + "\"");
    }
}
