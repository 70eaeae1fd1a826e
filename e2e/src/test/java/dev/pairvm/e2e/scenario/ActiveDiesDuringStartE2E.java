package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import java.util.SplittableRandom;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The active's host dies while its twin is being brought up. {@code -Dpairvm.rounds=10} for more moments, {@code -Dpairvm.seed=N} for the
 * same ones again.
 */
@Tag("long")
class ActiveDiesDuringStartE2E extends FtScenario {
    private static final int ROUNDS = Integer.getInteger("pairvm.rounds", 2);
    private static final long SEED = Long.getLong("pairvm.seed", System.nanoTime());
    /** A start takes about this long here. */
    private static final int LATEST_MILLIS = 2000;

    @Override
    String level() {
        return CONTINUOUS;
    }

    @Test
    @DisplayName(
            "the standby boots from its disk as at ContinuousAvailability, or goes on if it was a twin already; nothing is lost")
    void hostDies() throws Exception {
        log.info("seed {}", SEED);
        SplittableRandom random = new SplittableRandom(SEED);
        for (int round = 1; round <= ROUNDS; round++) {
            rememberNow();
            String lost = machine().activeNode();
            String survivor = machine().standbyNode();
            Machine.Arbiter before = machine().arbiter();
            int moment = random.nextInt(LATEST_MILLIS);

            machine().patchSpec("{\"level\":\"" + FAULT_TOLERANCE + "\"}");
            JsonNode seen = awaitStarting(before.active());
            Thread.sleep(moment);
            String mode = machine().arbiter().mode();
            world().killNode(lost);
            awaitTakeOver(before);
            awaitLogRuns(BOOT_LIMIT);
            awaitHeard();
            log.info(
                    "round {}: {} ms after {} the host died, mode {}; the guest {}; gap {} ms",
                    round,
                    moment,
                    seen.path("state").asText(),
                    mode,
                    wasRestarted() ? "booted" : "went on",
                    clients().gap().toMillis());
            assertOnlyRestarted();

            world().startNode(lost);
            awaitProtected(PROTECTED_LIMIT);
            assertThat(machine().activeNode()).isEqualTo(survivor);
            assertOnlyRestarted();
            machine().patchSpec("{\"level\":\"" + CONTINUOUS + "\"}");
            awaitEffective(CONTINUOUS, PROTECTED_LIMIT);
        }
    }

    private JsonNode awaitStarting(String active) {
        return Awaitility.await("a start of the twin")
                .atMost(PROTECTED_LIMIT)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> mirrors().twin(active), twin -> {
                    String state = twin.path("state").asText();
                    return state.equals("STARTING") || state.equals("RUNNING");
                });
    }
}
