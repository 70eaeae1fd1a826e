package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Somebody puts an earlier state of the machine's Lease back, as the restore of a cluster's backup does. */
class ArbiterRollbackE2E extends Scenario {
    private static final Duration SEEN_LIMIT = Duration.ofSeconds(60);

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName(
            "the pair runs on; when the active dies nobody starts, the status says why, and the way out of the runbook works")
    void leaseIsSetBack() throws Exception {
        Machine.Arbiter before = machine().arbiter();
        String standby = before.inSync().stream()
                .filter(copy -> !copy.equals(before.active()))
                .findFirst()
                .orElseThrow();
        String lost = machine().activeNode();
        String bootId = guestSays("bootid");
        long old = before.epoch() - 1;
        machine().writeLease(old, before.active(), before.active());
        awaitLogRuns(Duration.ofSeconds(10));

        world().killNode(lost);
        machine()
                .awaitStatus(
                        "ArbiterReachable=False, ArbiterRolledBack",
                        SEEN_LIMIT,
                        status -> reason(status, "ArbiterReachable").equals("ArbiterRolledBack"));
        assertThat(machine().arbiter())
                .as("nobody decided anything by it")
                .isEqualTo(new Machine.Arbiter(
                        old, before.active(), new TreeSet<>(List.of(before.active())), before.mode()));

        machine().writeLease(before.epoch() + 10, standby, standby);
        awaitLogRuns(BOOT_LIMIT);
        assertThat(guestSays("bootid")).as("it booted on the other host").isNotEqualTo(bootId);
        assertNothingLost();
        world().startNode(lost);
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(machine().arbiter().active()).isEqualTo(standby);
        assertNothingLost();
    }

    private static String reason(JsonNode status, String type) {
        for (JsonNode condition : status.path("conditions")) {
            if (condition.path("type").asText().equals(type)) {
                return condition.path("reason").asText();
            }
        }
        return "";
    }
}
