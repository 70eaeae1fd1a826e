package dev.pairvm.e2e.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import dev.pairvm.e2e.machine.Machine;
import java.text.ParseException;
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

    /** Milliseconds of a duration as the status writes it: {@code 480ms}, {@code 1s52ms}. */
    static long millis(JsonNode duration) {
        try {
            return io.fabric8.kubernetes.api.model.Duration.parse(duration.asText())
                    .getDuration()
                    .toMillis();
        } catch (ParseException e) {
            throw new AssertionError("no duration: " + duration, e);
        }
    }
}
