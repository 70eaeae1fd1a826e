package dev.pairvm.operator.protectedvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ConditionType;
import dev.pairvm.api.v1alpha1.EffectiveLevel;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.DiskState;
import dev.pairvm.operator.placement.NodeFact;
import dev.pairvm.operator.testing.Machines;
import dev.pairvm.operator.testing.Reports;
import dev.pairvm.operator.testing.World;
import io.fabric8.kubernetes.api.model.Condition;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** A disk dies: the guest leaves it, the copy is replaced, and the status says which and why. */
class DiskFailurePlanTest {
    private static final CopyId A = new CopyId("a");
    private static final CopyId B = new CopyId("b");

    private final Planner planner = new Planner(Machines.INSTALLATION, () -> "nonce");

    /** The guest runs on n1, whose disk failed, and is served by copy b on n2. */
    private static World servedByPeer() {
        return World.running()
                .arbiter("a", 4, "b")
                .says(Reports.diskFailed(Reports.active("a", 4, "b")))
                .says(Reports.standby("b", 4, "a"));
    }

    /** The guest has moved to n2; the failed copy is still there. */
    private static World moved() {
        return World.running()
                .arbiter("b", 6, "b")
                .says(Reports.active("b", 6, "a"))
                .says(Reports.diskFailed(Reports.report(
                        "a",
                        MirrorReport.Role.IDLE,
                        6,
                        MirrorReport.CopyState.FAILED,
                        MirrorReport.Guest.ABSENT,
                        true,
                        "b",
                        "b")));
    }

    private Plan plan(World world) {
        return planner.plan(world.seen());
    }

    private ProtectedVMStatus status(World world) {
        return new StatusView(world.seen(), plan(world)).status();
    }

    private static Condition redundant(ProtectedVMStatus status) {
        return Conditions.find(status.conditions(), ConditionType.REDUNDANT).orElseThrow();
    }

    private static <T extends Action> List<T> of(Plan plan, Class<T> kind) {
        return plan.actions().stream().filter(kind::isInstance).map(kind::cast).toList();
    }

    @Test
    void theGuestIsMovedToWhereItsDataAre() {
        Plan plan = plan(servedByPeer());

        assertThat(of(plan, Action.SendOrder.class))
                .containsExactly(new Action.SendOrder(A, new MirrorOrder.Switchover(new Epoch(4), B)));
        assertThat(of(plan, Action.DeletePod.class)).isEmpty();
        assertThat(plan.doing()).extracting(Plan.Doing::reason).contains(Reason.DiskFailed);
    }

    @Test
    void nothingIsAskedOfTheLastCopyWhileItIsNotSeenToBeWell() {
        assertThat(of(plan(servedByPeer().silent("b")), Action.SendOrder.class)).isEmpty();
        assertThat(of(plan(servedByPeer().node("n2", NodeFact.Health.UNKNOWN, true)), Action.SendOrder.class))
                .isEmpty();
        Plan levelDown = plan(servedByPeer()
                .wish(Machines.orders("ContinuousAvailability", "HighAvailability"))
                .silent("b"));
        assertThat(of(levelDown, Action.DeletePod.class)).isEmpty();
        assertThat(of(levelDown, Action.MarkReplacing.class)).isEmpty();
    }

    @Test
    void atHighAvailabilityTheGuestRestartsWhereItsDataAre() {
        World world = World.runningHighAvailability()
                .arbiter("a", 4, "b")
                .says(Reports.diskFailed(Reports.active("a", 4, "b")))
                .says(Reports.bareStandby("b", 4, "a"));

        Plan plan = plan(world);

        assertThat(of(plan, Action.DeletePod.class))
                .extracting(delete -> delete.pod().copy())
                .containsExactly(A);
        assertThat(of(plan, Action.SendOrder.class)).as("b never leaves").isEmpty();
    }

    @Test
    void theStatusNamesNodeDiskAndError() {
        ProtectedVMStatus status = status(servedByPeer());

        Condition redundant = redundant(status);
        assertThat(redundant.getStatus()).isEqualTo("False");
        assertThat(redundant.getReason()).isEqualTo("DiskFailed");
        assertThat(redundant.getMessage()).contains("copy a", "node n1", "disk root", "EIO");
        assertThat(status.level())
                .isNotNull()
                .extracting(ProtectedVMStatus.LevelStatus::effective)
                .isEqualTo(EffectiveLevel.None);
        assertThat(status.ifHostDiedNow()).isNotNull().satisfies(promise -> {
            assertThat(promise.bytesLost()).isZero();
            assertThat(promise.outage()).isNotNull();
        });
        assertThat(status.copies().getFirst().disks().getFirst().state()).isEqualTo(DiskState.Failed);
    }

    @Test
    void itIsAnnouncedOnce() {
        ProtectedVMStatus before = status(World.running());
        ProtectedVMStatus after = status(servedByPeer());

        assertThat(Announcement.between(before, after))
                .filteredOn(said -> said.reason() == Reason.DiskFailed)
                .singleElement()
                .satisfies(said -> assertThat(said.note()).contains("n1", "EIO"));
        assertThat(Announcement.between(after, status(moved())))
                .extracting(Announcement::reason)
                .doesNotContain(Reason.DiskFailed);
    }

    @Test
    void theFailedCopyIsReplacedElsewhereAfterThePatienceOfTheSpec() {
        World world = moved();
        assertThat(redundant(status(world)).getReason()).isEqualTo("DiskFailed");
        assertThat(of(plan(world), Action.Remember.class)).isEmpty();

        world.status(status(world)).after(Duration.ofMinutes(11));
        Plan plan = plan(world);

        assertThat(of(plan, Action.Remember.class))
                .singleElement()
                .satisfies(remember -> assertThat(remember.memory().copies()).contains(new CopyId("c")));
        assertThat(of(plan, Action.DeletePod.class)).as("join before leave").isEmpty();
    }

    @Test
    void aFailedStandbyIsToldAndReplacedTheSameWay() {
        World world = World.running()
                .arbiter("a", 4, "a")
                .says(Reports.active("a", 4, "b"))
                .says(Reports.diskFailed(Reports.standby("b", 4, "a")));

        assertThat(redundant(status(world)).getMessage()).contains("copy b", "node n2", "EIO");
        assertThat(of(plan(world), Action.SendOrder.class)).isEmpty();
        world.status(status(world)).after(Duration.ofMinutes(11));
        assertThat(of(plan(world), Action.Remember.class)).hasSize(1);
        assertThat(Optional.ofNullable(status(world).copies().get(1).lostSince()))
                .isPresent();
    }
}
