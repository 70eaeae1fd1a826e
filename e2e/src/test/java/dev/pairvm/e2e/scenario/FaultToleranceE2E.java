package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.guest.Distribution;
import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The active's host dies at FaultTolerance. {@code -Dpairvm.rounds=10} for a distribution. */
// Of the CI subset, once the mirror takes the order for a twin.
class FaultToleranceE2E extends FtScenario {
    private static final int ROUNDS = Integer.getInteger("pairvm.rounds", 1);
    /** Whatever a dying host may still have to say. */
    private static final Duration AFTERWARDS = Duration.ofSeconds(3);

    private final Distribution gaps = new Distribution();

    @Test
    @DisplayName("the active's host dies and nobody notices; when it is back the machine is protected again by itself")
    void hostDies() throws Exception {
        for (int round = 1; round <= ROUNDS; round++) {
            oneRound(round);
        }
        log.info("gaps: {}", gaps);
    }

    private void oneRound(int round) throws Exception {
        String lost = machine().activeNode();
        String survivor = machine().standbyNode();
        Machine.Arbiter before = machine().arbiter();
        assertThat(before.mode()).isEqualTo("FT");

        assertOneVoice(() -> {
            clients().mark();
            watcher().resetGap();
            world().killNode(lost);
            awaitTakeOver(before);
            awaitHeard();
            awaitLogRuns(BOOT_LIMIT);
            gaps.add(assertShortGap("round " + round, GAP_LIMIT));
            Thread.sleep(AFTERWARDS);
        });
        assertNobodyNoticed();
        machine()
                .awaitStatus(
                        "failed over to " + survivor,
                        Duration.ofSeconds(30),
                        status -> status.path("active").path("node").asText().equals(survivor));
        logTransition();
        log.info("round {}: status says {}", round, machine().status().path("lastFailover"));

        world().startNode(lost);
        awaitProtected(PROTECTED_LIMIT);
        assertThat(machine().activeNode())
                .as("the returned host does not take the machine back")
                .isEqualTo(survivor);
        assertNobodyNoticed();
    }
}
