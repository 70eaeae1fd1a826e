package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The standby's host dies: the guest may wait for a moment, and sees no error. */
class PeerLossE2E extends Scenario {
    private static final Duration PAUSE_LIMIT = Duration.ofSeconds(1);

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("the guest's writes pause for less than a second, and the returned host is resynced")
    void peerDies() throws Exception {
        String active = machine().activeNode();
        String lost = machine().standbyNode();
        String bootId = guestSays("bootid");

        watcher().resetGap();
        world().killNode(lost);
        machine()
                .awaitStatus(
                        "without its standby",
                        Duration.ofSeconds(60),
                        status -> Machines.conditionIs(status, "Redundant", "False"));
        Duration pause = watcher().longestGap();
        log.info("longest silence of the write log when the peer died: {} ms", pause.toMillis());
        assertThat(pause).isLessThan(PAUSE_LIMIT);
        assertThat(machine().activeNode()).isEqualTo(active);

        world().startNode(lost);
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(guestSays("bootid")).as("the guest was not restarted").isEqualTo(bootId);
        assertNothingLost();
    }
}
