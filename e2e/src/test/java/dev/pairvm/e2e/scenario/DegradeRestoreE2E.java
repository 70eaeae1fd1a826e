package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.machine.Machine;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Checkpoints that cost more than the policy lets them: the level is lowered and says why, and comes back. */
@Tag("long")
class DegradeRestoreE2E extends FtScenario {
    @Test
    @DisplayName(
            "pauses beyond policy: ContinuousAvailability, with the reason; with a better policy: FaultTolerance again")
    void checkpointsCostTooMuch() throws Exception {
        Machine.Arbiter before = machine().arbiter();
        machine().patchSpec("{\"checkpoint\":{\"maxPause\":\"1ms\"}}");
        awaitEffective(CONTINUOUS, PROTECTED_LIMIT);
        log.info("status says {}; the mirror {}", machine().status().path("level"), twinOfActive());
        assertThat(machine().status().path("level").path("reason").asText()).isNotEmpty();
        assertThat(machine().arbiter().inSync())
                .as("both disks are in sync all the same")
                .hasSize(2);
        assertShortGap("degraded", GAP_LIMIT);

        clients().mark();
        machine().patchSpec("{\"checkpoint\":{\"maxPause\":\"2s\"}}");
        awaitProtected(PROTECTED_LIMIT);
        awaitHeard();
        assertShortGap("restored", GAP_LIMIT);
        assertThat(machine().arbiter().active()).isEqualTo(before.active());
        assertNobodyNoticed();
    }
}
