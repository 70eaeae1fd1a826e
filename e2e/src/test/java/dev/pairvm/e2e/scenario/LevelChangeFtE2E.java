package dev.pairvm.e2e.scenario;

import dev.pairvm.e2e.guest.Distribution;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The user edits {@code spec.level} through all three while the guest works. {@code -Dpairvm.rounds=10} for a distribution. */
@Tag("long")
class LevelChangeFtE2E extends FtScenario {
    private static final int ROUNDS = Integer.getInteger("pairvm.rounds", 1);
    private static final String HIGH = "HighAvailability";

    @Override
    String level() {
        return HIGH;
    }

    @Test
    @DisplayName(
            "up to FaultTolerance and down again: the guest runs on, no connection breaks, the status follows what is so")
    void upAndDown() throws Exception {
        Map<String, Distribution> gaps = new LinkedHashMap<>();
        for (int round = 1; round <= ROUNDS; round++) {
            String from = HIGH;
            for (String to : List.of(CONTINUOUS, FAULT_TOLERANCE, CONTINUOUS, HIGH)) {
                clients().mark();
                machine().patchSpec("{\"level\":\"" + to + "\"}");
                awaitEffective(to, PROTECTED_LIMIT);
                machine().awaitWhole(WHOLE_LIMIT);
                awaitHeard();
                String step = from + " to " + to;
                gaps.computeIfAbsent(step, s -> new Distribution())
                        .add(assertShortGap("round " + round + ", " + step, GAP_LIMIT));
                from = to;
            }
            assertNobodyNoticed();
        }
        gaps.forEach((step, distribution) -> log.info("{}: {}", step, distribution));
    }
}
