package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The control plane fails, not the machine. */
class ApiDownE2E extends Scenario {
    private static final Duration OUTAGE = Duration.ofSeconds(60);

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("no API server for a minute: the machine runs on, the pair stays in sync")
    void apiServerStops() throws Exception {
        Machine.Arbiter before = machine().arbiter();
        String bootId = guestSays("bootid");

        world().stopApi();
        watcher().resetGap();
        Thread.sleep(OUTAGE);
        Duration silence = watcher().longestGap();
        world().startApi();

        log.info("longest silence of the write log without an API server: {} ms", silence.toMillis());
        assertThat(silence).isLessThan(Duration.ofSeconds(2));
        assertThat(machine().arbiter()).as("nothing had to be decided").isEqualTo(before);
        assertThat(guestSays("bootid")).isEqualTo(bootId);
        machine().awaitWhole(WHOLE_LIMIT);
        assertNothingLost();
    }

    @Test
    @DisplayName("no operator during a failover: it happens all the same, and the status is right afterwards")
    void operatorIsGone() throws Exception {
        Machine.Arbiter before = machine().arbiter();
        String lost = machine().activeNode();
        String survivor = machine().standbyNode();

        try (OperatorAbsence gone = new OperatorAbsence(world().cluster().client())) {
            FailoverTimes times = new FailoverTimes(machine(), guestAddress());
            times.startClock();
            world().killNode(lost);
            times.awaitNewActive(before, Duration.ofSeconds(20));
            awaitLogRuns(BOOT_LIMIT);
        }
        machine()
                .awaitStatus(
                        "active on " + survivor,
                        Duration.ofMinutes(2),
                        status -> status.path("active").path("node").asText().equals(survivor));
        assertNothingLost();
        world().startNode(lost);
        machine().awaitWhole(WHOLE_LIMIT);
    }
}
