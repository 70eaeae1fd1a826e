package dev.pairvm.mirror.core.sim;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.core.Mutants;
import dev.pairvm.mirror.core.ProtocolBugException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The simulator must notice when a rule of the protocol is relaxed: evidence that it would notice a bug there. */
class MutationTest {
    private static final int MOST_SEEDS = 10_000;

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void aRelaxedRuleIsCaught(Mutants mutant) {
        String caught = "";
        long seed = 0;
        while (caught.isEmpty() && seed < MOST_SEEDS) {
            caught = violation(new Sim(++seed, mutant, 0));
        }
        System.out.printf("%s caught by seed %d: %.160s%n", mutant, seed, caught);
        assertThat(caught)
                .as("%s was not caught by %d seeds", mutant, MOST_SEEDS)
                .isNotEmpty();
    }

    private static String violation(Sim sim) {
        try {
            sim.run();
            return "";
        } catch (Checks.Violation violation) {
            return String.valueOf(violation.getMessage());
        } catch (ProtocolBugException stopped) {
            // The core noticed by itself and stopped, as it would in production; that says nothing of the simulator.
            return "";
        }
    }
}
