package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The power goes out for every host. */
class BothDownE2E extends Scenario {
    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName(
            "every host dies at once and returns: the machine boots once, on the right copy, nothing announced is missing")
    void powerCut() throws Exception {
        Machine.Arbiter before = machine().arbiter();
        for (String node : world().cluster().nodes()) {
            world().killNode(node);
        }
        for (String node : world().cluster().nodes()) {
            world().startNode(node);
        }
        awaitLogRuns(Duration.ofMinutes(3));
        assertNothingLost();
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(machine().arbiter().epoch()).isGreaterThan(before.epoch());
        assertNothingLost();
    }
}
