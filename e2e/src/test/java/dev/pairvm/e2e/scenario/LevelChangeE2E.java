package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The user edits {@code spec.level} while the machine runs. */
class LevelChangeE2E extends Scenario {
    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("down to HighAvailability and up again: the guest runs on, the status follows what is so")
    void downAndUp() throws Exception {
        String bootId = guestSays("bootid");
        for (String level : new String[] {"HighAvailability", "ContinuousAvailability"}) {
            machine().patchSpec("{\"level\":\"" + level + "\"}");
            machine()
                    .awaitStatus(
                            "at " + level,
                            WHOLE_LIMIT,
                            status -> status.path("level")
                                    .path("effective")
                                    .asText()
                                    .equals(level));
            machine().awaitWhole(WHOLE_LIMIT);
            assertThat(guestSays("bootid")).isEqualTo(bootId);
            awaitLogRuns(Duration.ofSeconds(5));
        }
        assertNothingLost();
    }
}
