package dev.pairvm.mirror.core.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every interleaving within bounds; {@code -Dmodel.full=true} for the wide ones (8.3 million states, half a minute on a quiet machine). */
class ModelTest {
    @Test
    void theProtocolHoldsInEveryInterleaving() {
        Bounds bounds = Boolean.getBoolean("model.full") ? Bounds.FULL : Bounds.SMALL;
        long began = System.nanoTime();
        Explorer.Result result = Explorer.explore(bounds, Mutation.NONE);
        System.out.printf("no mutation: %,d states in %.1f s, %s%n", result.states(), seconds(began), bounds);
        assertThat(result.violation()).as("%s", result.path()).isEmpty();
        assertThat(result.states()).isGreaterThan(100_000);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void everyRuleIsNeeded(Mutation mutation) {
        long began = System.nanoTime();
        Explorer.Result result = Explorer.explore(Bounds.MUTANT, mutation);
        System.out.printf(
                "%s: %s after %d steps, %,d states in %.1f s: %s%n",
                mutation,
                result.violation(),
                result.path().size(),
                result.states(),
                seconds(began),
                String.join(", ", result.path()));
        assertThat(result.violation())
                .as("%s must break an invariant", mutation)
                .isNotEmpty();
    }

    private static double seconds(long since) {
        return (System.nanoTime() - since) / 1e9;
    }
}
