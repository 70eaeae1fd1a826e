package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The active's mirror process is killed again and again under a running guest. {@code -Dpairvm.kills=20}. */
class MirrorRestartE2E extends Scenario {
    private static final int KILLS = Integer.getInteger("pairvm.kills", 20);

    private static final Duration IN_FLIGHT = Duration.ofMillis(300);

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("the guest sees pauses, never an I/O error, never a lost record, never a reboot")
    void mirrorIsKilled() throws Exception {
        String bootId = guestSays("bootid");
        for (int kill = 1; kill <= KILLS; kill++) {
            watcher().resetGap();
            int hit = world().cluster().killProcess(machine().activeNode(), "dev.pairvm.mirror.MirrorMain");
            assertThat(hit).as("mirror processes killed").isPositive();
            Thread.sleep(IN_FLIGHT); // what was announced before the kill has arrived: the next record is one after it
            awaitLogRuns(Duration.ofSeconds(60));
            log.info(
                    "kill {}: longest silence {} ms",
                    kill,
                    watcher().longestGap().toMillis());
        }
        assertThat(guestSays("bootid")).as("the guest was not restarted").isEqualTo(bootId);
        machine().awaitWhole(WHOLE_LIMIT);
        assertNothingLost();
    }
}
