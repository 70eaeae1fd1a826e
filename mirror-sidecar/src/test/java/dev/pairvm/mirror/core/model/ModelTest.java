package dev.pairvm.mirror.core.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Every interleaving within bounds; {@code -Dmodel.full=true} for the wide ones ({@code make model}). */
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

    /** Both ways round, and alike: the clocks' rates differ by a quarter, the most that the grace allows for. */
    @ParameterizedTest
    @CsvSource({"4, 5", "5, 4", "4, 4"})
    void gatesNeverOverlapOnTwoClocks(int rateA, int rateB) {
        tell(
                "lease, clocks " + rateA + ":" + rateB,
                new LeaseModel(LeaseModel.Mutation.NONE, rateA, rateB, wide(4, 6)));
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void everyRuleOfTheLeaseIsNeeded(LeaseModel.Mutation mutation) {
        caught(mutation, new LeaseModel(mutation, 4, 5, 4));
    }

    @Test
    void acknowledgedIsNotDurable() {
        tell("volatile cache, chunked resync", new CacheModel(CacheModel.Mutation.NONE, wide(1, 2), 1));
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void everyRuleOfCachesAndResyncIsNeeded(CacheModel.Mutation mutation) {
        caught(mutation, new CacheModel(mutation, 2, 2));
    }

    @Test
    void aThirdMemberMayJoin() {
        tell("three members", new TrioModel(TrioModel.Mutation.NONE, wide(1, 2), wide(4, 5), wide(1, 2)));
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void everyRuleOfThreeIsNeeded(TrioModel.Mutation mutation) {
        caught(mutation, new TrioModel(mutation, 2, 6, 2));
    }

    @Test
    void outputWaitsForItsCheckpoint() {
        tell("checkpoints", new CheckpointModel(CheckpointModel.Mutation.NONE, wide(5, 12)));
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void everyRuleOfCheckpointsIsNeeded(CheckpointModel.Mutation mutation) {
        caught(mutation, new CheckpointModel(mutation, 5));
    }

    private static int wide(int small, int full) {
        return Boolean.getBoolean("model.full") ? full : small;
    }

    private static <S> void tell(String what, Search.Model<S> model) {
        long began = System.nanoTime();
        Explorer.Result result = Search.explore(model);
        System.out.printf("%s: %,d states in %.1f s%n", what, result.states(), seconds(began));
        assertThat(result.violation()).as("%s", result.path()).isEmpty();
    }

    private static <S> void caught(Enum<?> mutation, Search.Model<S> model) {
        long began = System.nanoTime();
        Explorer.Result result = Search.explore(model);
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
