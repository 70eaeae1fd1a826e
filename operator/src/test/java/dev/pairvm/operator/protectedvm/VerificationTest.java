package dev.pairvm.operator.protectedvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.mirror.MirrorReport.VerifyState;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import dev.pairvm.api.v1alpha1.VerificationRun.Outcome;
import dev.pairvm.operator.testing.Machines;
import dev.pairvm.operator.testing.Reports;
import dev.pairvm.operator.testing.World;
import io.fabric8.kubernetes.api.model.Condition;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** When the copies are compared, and what is said of it afterwards. */
class VerificationTest {
    private static final String BEGAN = "2026-11-24T10:30:00Z";

    private final World world = World.running();

    private static MirrorReport active(String id, VerifyState state, long mismatches, long repaired) {
        return Reports.with(Reports.active("a", 3, "b"), Reports.verify(id, state, BEGAN, mismatches, repaired));
    }

    /** One pass of the operator: what it plans; its status is what the next pass sees. */
    private Plan pass() {
        Observation seen = world.seen();
        Plan plan = new Planner(Machines.INSTALLATION, () -> "nonce").plan(seen);
        world.status(new StatusView(seen, plan).status());
        return plan;
    }

    private ProtectedVMStatus status() {
        return world.seen().before();
    }

    private ProtectedVMStatus.Verification known() {
        return Objects.requireNonNull(status().verification());
    }

    private Condition verified() {
        return Conditions.find(status().conditions(), "Verified").orElseThrow();
    }

    private static List<MirrorOrder.Verify> orders(Plan plan) {
        return plan.actions().stream()
                .filter(Action.SendOrder.class::isInstance)
                .map(action -> ((Action.SendOrder) action).order())
                .filter(MirrorOrder.Verify.class::isInstance)
                .map(MirrorOrder.Verify.class::cast)
                .toList();
    }

    private void untilDue() {
        pass();
        world.after(Duration.between(world.now(), Instant.parse(Objects.requireNonNull(known().next())))
                .plusSeconds(1));
    }

    @Test
    void theFirstComparisonIsSomeTimeWithinTheFirstWeekAndStaysPlannedThere() {
        assertThat(orders(pass())).isEmpty();
        String next = Objects.requireNonNull(known().next());
        assertThat(Duration.between(world.now(), Instant.parse(next))).isBetween(Duration.ZERO, Duration.ofDays(7));
        world.after(Duration.ofMinutes(5));
        pass();
        assertThat(known().next()).isEqualTo(next);
        assertThat(known().identicalAsOf()).isNull();
        assertThat(verified().getStatus()).isEqualTo("Unknown");
    }

    @Test
    void whenItIsTimeTheActiveIsAskedOnceForEachTime() {
        untilDue();
        List<MirrorOrder.Verify> asked = orders(pass());
        assertThat(asked).hasSize(1);
        assertThat(orders(pass())).as("safe to send again").isEqualTo(asked);
        world.says(active(asked.getFirst().id(), VerifyState.RUNNING, 0, 0));
        assertThat(orders(pass())).isEmpty();
    }

    @Test
    void nothingBeginsWhileTheMachineIsNotWholeOrIsBeingMoved() {
        untilDue();
        world.arbiter("a", 3, "a");
        assertThat(orders(pass())).isEmpty();
        world.arbiter("a", 3, "a", "b").switchoverAsked();
        assertThat(orders(pass())).isEmpty();
    }

    @Test
    void aCompleteComparisonSaysThatNothingFromBeforeItsBeginningIsLeft() {
        world.says(active("x", VerifyState.COMPLETE, 0, 0));
        pass();
        assertThat(known().identicalAsOf()).isEqualTo(BEGAN);
        assertThat(known().between()).containsExactly("a", "b");
        assertThat(known().next()).isEqualTo("2026-12-01T10:30:00Z");
        assertThat(verified().getStatus()).isEqualTo("True");
    }

    @Test
    void itOutlivesTheMirrorThatFoundItAndAFailoverButNotACopy() {
        world.says(active("x", VerifyState.COMPLETE, 0, 0));
        pass();
        world.arbiter("b", 4, "b").says(Reports.active("b", 4, "a")).silent("a");
        pass();
        assertThat(known().identicalAsOf()).isEqualTo(BEGAN);
        world.memory(Memory.FRESH.withLease("lease-uid").withNewCopy().without(new CopyId("a")));
        pass();
        assertThat(known().identicalAsOf()).isNull();
        assertThat(known().between()).isEmpty();
    }

    @Test
    void aComparisonThatCameToNoEndProvesNothingAndIsTriedAgainSoon() {
        world.says(active("x", VerifyState.ABORTED, 0, 0));
        pass();
        assertThat(known().identicalAsOf()).isNull();
        assertThat(Duration.between(world.now(), Instant.parse(Objects.requireNonNull(known().next()))))
                .isBetween(Duration.ofHours(1), Duration.ofHours(2));
        assertThat(Objects.requireNonNull(known().lastRun()).message()).isEqualTo("the peer was lost");
    }

    @Test
    void aMirrorThatRestartedDoesNotCompareForEver() {
        world.says(active("x", VerifyState.RUNNING, 0, 0));
        pass();
        assertThat(Objects.requireNonNull(known().lastRun()).outcome()).isEqualTo(Outcome.Running);
        world.says(Reports.active("a", 3, "b"));
        pass();
        assertThat(Objects.requireNonNull(known().lastRun()).outcome()).isEqualTo(Outcome.Aborted);
        assertThat(known().identicalAsOf()).isNull();
    }

    @Test
    void aMismatchIsToldWithBothHashesUntilAComparisonFindsNone() {
        pass();
        ProtectedVMStatus before = status();
        world.says(active("x", VerifyState.COMPLETE, 1, 1));
        pass();
        assertThat(verified().getStatus()).isEqualTo("False");
        assertThat(verified().getReason()).isEqualTo("MismatchRepaired");
        assertThat(verified().getMessage())
                .contains("disk root at 1048576")
                .contains("ab".repeat(32))
                .contains("cd".repeat(32));
        assertThat(Announcement.between(before, status()))
                .extracting(Announcement::reason)
                .contains(Reason.MismatchRepaired);
        assertThat(known().identicalAsOf())
                .as("repaired, so nothing older is left")
                .isEqualTo(BEGAN);

        ProtectedVMStatus told = status();
        world.says(Reports.with(
                Reports.active("a", 3, "b"), Reports.verify("y", VerifyState.ABORTED, "2026-11-25T10:30:00Z", 0, 0)));
        pass();
        assertThat(verified().getStatus()).as("it came to no end").isEqualTo("False");
        assertThat(Announcement.between(told, status()))
                .extracting(Announcement::reason)
                .doesNotContain(Reason.MismatchRepaired);
        world.says(Reports.with(
                Reports.active("a", 3, "b"), Reports.verify("z", VerifyState.COMPLETE, "2026-11-26T10:30:00Z", 0, 0)));
        pass();
        assertThat(verified().getStatus()).isEqualTo("True");
    }

    @Test
    void anUnrepairedMismatchMovesNothing() {
        world.says(active("x", VerifyState.COMPLETE, 2, 1));
        pass();
        assertThat(known().identicalAsOf()).isNull();
        assertThat(verified().getReason()).isEqualTo("MismatchLeft");
    }
}
