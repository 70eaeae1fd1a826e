package dev.pairvm.mirror.core.sim;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.core.Mutants;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Runs seeds {@code sim.from} to {@code sim.from + sim.seeds - 1}. A failing seed runs again with its story on standard output;
 * {@code -Dsim.mutant=NAME} relaxes a rule.
 */
class SimulationTest {
    private static final int SEEDS = Integer.getInteger("sim.seeds", 2_000);
    private static final int FROM = Integer.getInteger("sim.from", 1);
    private static final Mutants MUTANT = Mutants.valueOf(System.getProperty("sim.mutant", "NONE"));
    private static final int STORY_LINES = Integer.getInteger("sim.story", 400);

    @Test
    void noSeedBreaksAnInvariant() {
        Map<World.Branch, Long> branches = new EnumMap<>(World.Branch.class);
        long began = System.nanoTime();
        for (long seed = FROM; seed < FROM + SEEDS; seed++) {
            Sim sim = new Sim(seed, MUTANT, 0);
            try {
                sim.run();
            } catch (RuntimeException e) {
                tell(seed, e);
            }
            sim.world.branches.forEach((branch, count) -> branches.merge(branch, count, Long::sum));
        }
        System.out.printf(
                "%d seeds from %d in %.1f s; branches met: %s%n",
                SEEDS, FROM, (System.nanoTime() - began) / 1e9, branches);
        if (SEEDS >= 500) {
            EnumSet<World.Branch> missed = EnumSet.allOf(World.Branch.class);
            missed.removeAll(branches.keySet());
            assertThat(missed).as("rare branches that no seed met").isEmpty();
        }
    }

    private static void tell(long seed, RuntimeException broken) {
        Sim again = new Sim(seed, MUTANT, STORY_LINES);
        try {
            again.run();
        } catch (RuntimeException e) {
            System.out.println(again.story());
        }
        throw new AssertionError(
                "seed " + seed
                        + " (again: mvn -pl mirror-sidecar -am test -Dtest=SimulationTest -Dsim.seeds=1 -Dsim.from="
                        + seed + " -Dsurefire.failIfNoSpecifiedTests=false): " + broken.getMessage(),
                broken);
    }
}
