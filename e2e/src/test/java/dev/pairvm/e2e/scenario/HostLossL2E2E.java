package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.pairvm.e2e.machine.Machine;
import dev.pairvm.e2e.machine.Manifest;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The active's host dies at ContinuousAvailability. {@code -Dpairvm.rounds=10} for a distribution. */
class HostLossL2E2E extends Scenario {
    private static final Duration DECLARED_LIMIT = Duration.ofSeconds(1);
    private static final Duration RUNNING_LIMIT = Duration.ofSeconds(2);
    private static final int ROUNDS = Integer.getInteger("pairvm.rounds", 1);

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("the guest boots on the other host with every announced record, and the pair becomes whole again")
    void hostDies() throws Exception {
        for (int round = 1; round <= ROUNDS; round++) {
            oneRound(round);
        }
    }

    private void oneRound(int round) throws Exception {
        String lost = machine().activeNode();
        String survivor = machine().standbyNode();
        Machine.Arbiter before = machine().arbiter();
        FailoverTimes times = new FailoverTimes(machine(), guestAddress());

        times.startClock();
        world().killNode(lost);
        Duration declared = times.awaitNewActive(before, Duration.ofSeconds(20));
        awaitLogRuns(BOOT_LIMIT);
        Duration logRuns = times.sinceStart();

        assertNothingLost();
        assertThat(Neighbours.macOf(guestAddress())).isEqualTo(Manifest.MAC);
        machine()
                .awaitStatus(
                        "failed over to " + survivor,
                        Duration.ofSeconds(30),
                        status -> status.path("active").path("node").asText().equals(survivor));
        JsonNode failover = machine().status().path("lastFailover");
        log.info(
                "round {}: new active recorded after {} ms, log runs after {} ms, status says {}",
                round,
                declared.toMillis(),
                logRuns.toMillis(),
                failover);
        // Killing a host in the lab takes a moment itself; the mirrors' own figures begin with the last sign of life.
        assertThat(FailoverTimes.millis(failover.path("detected"))).isLessThan(DECLARED_LIMIT.toMillis());
        assertThat(FailoverTimes.millis(failover.path("outage"))).isLessThan(RUNNING_LIMIT.toMillis());

        world().startNode(lost);
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(machine().activeNode())
                .as("the returned host does not take the machine back")
                .isEqualTo(survivor);
        assertNothingLost();
    }
}
