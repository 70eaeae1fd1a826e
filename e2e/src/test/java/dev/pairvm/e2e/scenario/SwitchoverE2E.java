package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.machine.Operation;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** A planned hand-over of the running guest. */
class SwitchoverE2E extends Scenario {
    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("the guest goes on on the other host without a reboot, and back again; both copies stay in sync")
    void thereAndBack() throws Exception {
        String bootId = guestSays("bootid");
        for (String round : new String[] {"there", "back"}) {
            String from = machine().activeNode();
            String to = machine().standbyNode();
            watcher().resetGap();
            Operation operation = Operation.switchover(world().cluster().client(), machine(), "go-" + round);
            operation.awaitSucceeded(Duration.ofMinutes(3));
            awaitLogRuns(Duration.ofSeconds(30));
            log.info(
                    "switchover {} from {} to {}: longest silence {} ms",
                    round,
                    from,
                    to,
                    watcher().longestGap().toMillis());
            machine().awaitWhole(WHOLE_LIMIT);
            assertThat(machine().activeNode()).isEqualTo(to);
            assertThat(guestSays("bootid"))
                    .as("the guest was moved, not restarted")
                    .isEqualTo(bootId);
            assertNothingLost();
        }
    }
}
