package dev.pairvm.operator.operation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.mirror.MirrorReport.VerifyState;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationSpec.OperationType;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Evidence;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Phase;
import dev.pairvm.operator.operation.OperationStep.Step;
import dev.pairvm.operator.testing.Reports;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A comparison that a user asked for, from its order to its evidence. */
class VerifyStepTest {
    private static final CopyId A = new CopyId("a");
    private static final CopyId B = new CopyId("b");
    private static final Instant START = Instant.parse("2026-11-24T10:00:00Z");
    private static final Evidence ORDERED = new Evidence("a", "b", "n1", "n2", 3L, null, null);

    private static Step next(
            @Nullable Phase phase, @Nullable Evidence evidence, Duration elapsed, long epoch, MirrorReport... reports) {
        return OperationStep.next(new OperationStep.Known(
                START.plus(elapsed),
                START,
                new ProtectedVMOperationStatus(phase, null, null, null, evidence, List.of(), null),
                Optional.empty(),
                Optional.of(new ArbiterRecord(
                        new Epoch(epoch),
                        A,
                        new TreeSet<>(List.of(A, B)),
                        ArbiterRecord.Mode.HA,
                        "nonce",
                        new TreeMap<>())),
                List.of(A, B),
                Stream.of(reports).collect(Collectors.toMap(MirrorReport::copy, report -> report)),
                Map.of(A, "n1", B, "n2"),
                true,
                true,
                OperationType.Verify,
                "uid-1"));
    }

    private static MirrorReport compares(String id, VerifyState state, long mismatches, long repaired) {
        return Reports.with(
                Reports.active("a", 3, "b"), Reports.verify(id, state, "2026-11-24T10:00:01Z", mismatches, repaired));
    }

    private static Step.Finish finished(Step step) {
        return (Step.Finish) step;
    }

    @Test
    void itIsOrderedWhenTwoCopiesAreInSyncAndNoComparisonIsUnderWay() {
        assertThat(next(Phase.Pending, null, Duration.ZERO, 3, Reports.active("a", 3, "b")))
                .isEqualTo(new Step.Begin(ORDERED, 3, A, B));
        assertThat(next(Phase.Pending, null, Duration.ofHours(3), 3, compares("scheduled", VerifyState.RUNNING, 0, 0)))
                .as("however long the other takes")
                .isInstanceOf(Step.Wait.class);
    }

    @Test
    void theOrderIsGivenAgainUntilTheMirrorKnowsIt() {
        assertThat(next(Phase.Running, ORDERED, Duration.ofSeconds(5), 3, Reports.active("a", 3, "b")))
                .isEqualTo(new Step.Order(3, A, B));
        assertThat(next(
                        Phase.Running,
                        ORDERED,
                        Duration.ofSeconds(5),
                        3,
                        compares("another", VerifyState.COMPLETE, 0, 0)))
                .as("another one's result is not taken for this one's")
                .isEqualTo(new Step.Order(3, A, B));
        assertThat(finished(next(Phase.Running, ORDERED, Duration.ofMinutes(21), 3, Reports.active("a", 3, "b")))
                        .phase())
                .isEqualTo(Phase.Failed);
        assertThat(finished(next(Phase.Running, ORDERED, Duration.ofSeconds(5), 4, Reports.active("a", 4, "b")))
                        .message())
                .contains("epoch 3 became 4");
    }

    @Test
    void progressAndResultAreEvidence() {
        Step.Watch watch = (Step.Watch)
                next(Phase.Running, ORDERED, Duration.ofHours(9), 5, compares("uid-1", VerifyState.RUNNING, 0, 0));
        assertThat(watch.message()).isEqualTo("compared 50 %");
        assertThat(watch.evidence().verification()).isNotNull();

        Step.Finish equal = finished(
                next(Phase.Running, ORDERED, Duration.ofHours(9), 5, compares("uid-1", VerifyState.COMPLETE, 0, 0)));
        assertThat(equal.phase()).isEqualTo(Phase.Succeeded);
        assertThat(equal.message()).isEqualTo("the copies are equal");

        Step.Finish repaired = finished(
                next(Phase.Running, ORDERED, Duration.ofHours(9), 5, compares("uid-1", VerifyState.COMPLETE, 1, 1)));
        assertThat(repaired.phase()).isEqualTo(Phase.Succeeded);
        assertThat(repaired.message()).contains("1 place differed, 1 repaired from copy a");
        assertThat(java.util.Objects.requireNonNull(repaired.evidence().verification())
                        .found()
                        .getFirst()
                        .standbyHash())
                .isEqualTo("cd".repeat(32));
    }

    @Test
    void whatCameToNoEndOrLeftSomethingHasFailed() {
        Step.Finish aborted = finished(
                next(Phase.Running, ORDERED, Duration.ofHours(9), 5, compares("uid-1", VerifyState.ABORTED, 0, 0)));
        assertThat(aborted.phase()).isEqualTo(Phase.Failed);
        assertThat(aborted.message()).contains("the peer was lost");
        assertThat(finished(next(
                                Phase.Running,
                                ORDERED,
                                Duration.ofHours(9),
                                5,
                                compares("uid-1", VerifyState.COMPLETE, 2, 1)))
                        .phase())
                .isEqualTo(Phase.Failed);
        Evidence seen = ((Step.Watch) next(
                        Phase.Running, ORDERED, Duration.ofHours(9), 5, compares("uid-1", VerifyState.RUNNING, 0, 0)))
                .evidence();
        Step.Finish restarted =
                finished(next(Phase.Running, seen, Duration.ofHours(9), 5, Reports.active("a", 5, "b")));
        assertThat(restarted.phase()).isEqualTo(Phase.Failed);
        assertThat(restarted.message()).contains("restarted");
    }
}
