package dev.pairvm.operator.operation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationSpec.OperationType;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Evidence;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Phase;
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

class OperationStepTest {
    private static final CopyId A = new CopyId("a");
    private static final CopyId B = new CopyId("b");
    private static final Instant START = Instant.parse("2026-11-24T10:00:00Z");
    private static final Evidence ORDERED = new Evidence("a", "b", "n1", "n2", 3L, null, null);

    private static OperationStep.Known known(
            @Nullable Phase phase,
            @Nullable Evidence evidence,
            Duration elapsed,
            ArbiterRecord arbiter,
            MirrorReport... reports) {
        return new OperationStep.Known(
                START.plus(elapsed),
                START,
                new ProtectedVMOperationStatus(phase, null, null, null, evidence, List.of(), null),
                Optional.empty(),
                Optional.of(arbiter),
                List.of(A, B),
                Stream.of(reports).collect(Collectors.toMap(MirrorReport::copy, report -> report)),
                Map.of(A, "n1", B, "n2"),
                true,
                true,
                OperationType.Switchover,
                "uid-1");
    }

    private static ArbiterRecord arbiter(String active, long epoch, String... inSync) {
        return arbiter(ArbiterRecord.Mode.HA, active, epoch, inSync);
    }

    private static ArbiterRecord arbiter(ArbiterRecord.Mode mode, String active, long epoch, String... inSync) {
        return new ArbiterRecord(
                new Epoch(epoch),
                new CopyId(active),
                Stream.of(inSync).map(CopyId::new).collect(Collectors.toCollection(TreeSet::new)),
                mode,
                "nonce",
                new TreeMap<>());
    }

    @Test
    void beginsWhenBothSidesAreReadyAndRecordsTheEpochFirst() {
        OperationStep.Step step = OperationStep.next(known(
                Phase.Pending,
                null,
                Duration.ZERO,
                arbiter("a", 3, "a", "b"),
                Reports.active("a", 3, "b"),
                Reports.standby("b", 3, "a")));

        assertThat(step).isEqualTo(new OperationStep.Step.Begin(ORDERED, 3, A, B));
    }

    @Test
    void waitsForAStandbyThatCanTakeTheGuest() {
        assertThat(OperationStep.next(known(
                        null,
                        null,
                        Duration.ZERO,
                        arbiter("a", 3, "a", "b"),
                        Reports.active("a", 3, "b"),
                        Reports.bareStandby("b", 3, "a"))))
                .isInstanceOf(OperationStep.Step.Wait.class);
        assertThat(OperationStep.next(
                        known(null, null, Duration.ZERO, arbiter("a", 3, "a"), Reports.active("a", 3, "b"))))
                .isInstanceOf(OperationStep.Step.Wait.class);
    }

    @Test
    void givesUpWhenTheMachineIsNotReadyForLong() {
        assertThat(OperationStep.next(known(
                        Phase.Pending,
                        null,
                        Duration.ofMinutes(11),
                        arbiter("a", 3, "a"),
                        Reports.active("a", 3, "b"))))
                .isInstanceOfSatisfying(
                        OperationStep.Step.Finish.class,
                        finish -> assertThat(finish.phase()).isEqualTo(Phase.Failed));
    }

    @Test
    void aRestartedOperatorGivesTheSameOrderAgainWhileNothingHappened() {
        assertThat(OperationStep.next(known(
                        Phase.Running,
                        ORDERED,
                        Duration.ofSeconds(5),
                        arbiter("a", 3, "a", "b"),
                        Reports.active("a", 3, "b"),
                        Reports.standby("b", 3, "a"))))
                .isEqualTo(new OperationStep.Step.Order(3, A, B));
    }

    @Test
    void neverOrdersAgainOnceTheEpochMoved() {
        assertThat(OperationStep.next(known(
                        Phase.Running,
                        ORDERED,
                        Duration.ofSeconds(5),
                        arbiter("a", 5, "a", "b"),
                        Reports.active("a", 5, "b"),
                        Reports.standby("b", 5, "a"))))
                .isInstanceOfSatisfying(
                        OperationStep.Step.Finish.class,
                        finish -> assertThat(finish.phase()).isEqualTo(Phase.Failed));
    }

    /** A mirror withdraws its twin from the record, which is an epoch, before it hands over. */
    @Test
    void followsAHandOverThatBeginsWithTheEndOfATwin() {
        MirrorReport ending =
                Reports.with(Reports.active("a", 4, "b"), Reports.twin(true, MirrorReport.TwinState.ENDING, ""));
        assertThat(OperationStep.next(known(
                        Phase.Running,
                        ORDERED,
                        Duration.ofSeconds(5),
                        arbiter("a", 4, "a", "b"),
                        ending,
                        Reports.standby("b", 4, "a"))))
                .isInstanceOf(OperationStep.Step.Wait.class);
        assertThat(OperationStep.next(
                        known(Phase.Running, ORDERED, Duration.ofSeconds(5), arbiter("a", 4, "a"), ending)))
                .as("the standby was lost")
                .isInstanceOf(OperationStep.Step.Finish.class);
        assertThat(OperationStep.next(known(
                        Phase.Running,
                        ORDERED,
                        Duration.ofMinutes(21),
                        arbiter("a", 4, "a", "b"),
                        ending,
                        Reports.standby("b", 4, "a"))))
                .isInstanceOfSatisfying(
                        OperationStep.Step.Finish.class,
                        finish -> assertThat(finish.phase()).isEqualTo(Phase.Failed));
    }

    /** A twin that is recorded is an epoch, and the order of the one before is stale. */
    @Test
    void aTwinThatComesBetweenIsWaitedForOrTheOrderGivenAnew() {
        for (MirrorReport.TwinState state : List.of(MirrorReport.TwinState.STARTING, MirrorReport.TwinState.ENDING)) {
            assertThat(OperationStep.next(known(
                            Phase.Pending,
                            null,
                            Duration.ZERO,
                            arbiter("a", 3, "a", "b"),
                            Reports.with(Reports.active("a", 3, "b"), Reports.twin(true, state, "")),
                            Reports.standby("b", 3, "a"))))
                    .isInstanceOf(OperationStep.Step.Wait.class);
        }
        MirrorReport running =
                Reports.with(Reports.active("a", 4, "b"), Reports.twin(true, MirrorReport.TwinState.RUNNING, ""));
        assertThat(OperationStep.next(known(
                        Phase.Running,
                        ORDERED,
                        Duration.ofSeconds(5),
                        arbiter(ArbiterRecord.Mode.FT, "a", 4, "a", "b"),
                        running,
                        Reports.standby("b", 4, "a"))))
                .isEqualTo(new OperationStep.Step.Begin(new Evidence("a", "b", "n1", "n2", 4L, null, null), 4, A, B));
        assertThat(OperationStep.next(known(
                        Phase.Running,
                        ORDERED,
                        Duration.ofSeconds(5),
                        arbiter(ArbiterRecord.Mode.FT, "a", 5, "a", "b"),
                        Reports.with(
                                Reports.active("a", 5, "b"), Reports.twin(true, MirrorReport.TwinState.RUNNING, "")),
                        Reports.standby("b", 5, "a"))))
                .as("it may have moved, and back")
                .isInstanceOf(OperationStep.Step.Finish.class);
    }

    @Test
    void endsWithEvidenceOnceTheGuestRunsOverThere() {
        OperationStep.Known waiting = known(
                Phase.Running,
                ORDERED,
                Duration.ofSeconds(5),
                arbiter("b", 4, "a", "b"),
                Reports.with(Reports.active("b", 4, "a"), MirrorReport.Guest.READY));
        assertThat(OperationStep.next(waiting)).isInstanceOf(OperationStep.Step.Wait.class);

        OperationStep.Step step = OperationStep.next(known(
                Phase.Running, ORDERED, Duration.ofSeconds(6), arbiter("b", 4, "a", "b"), Reports.active("b", 4, "a")));
        assertThat(step).isInstanceOfSatisfying(OperationStep.Step.Finish.class, finish -> {
            assertThat(finish.phase()).isEqualTo(Phase.Succeeded);
            assertThat(finish.evidence().toEpoch()).isEqualTo(4);
        });
    }
}
