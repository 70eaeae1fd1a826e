package dev.pairvm.operator.protectedvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.v1alpha1.ConditionType;
import dev.pairvm.operator.testing.Machines;
import dev.pairvm.operator.testing.World;
import io.fabric8.kubernetes.api.model.Condition;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The user raises {@code spec.disks[].size} of a machine that runs. */
class DiskGrowthPlanTest {
    private static final long GIB = 1L << 30;

    private final Planner planner = new Planner(Machines.INSTALLATION, () -> "nonce");

    private static World raised(ClaimFact.VolumeFact volume) {
        return World.running().wish(Machines.orders("size: 10Gi", "size: 20Gi")).volumes(volume, "a", "b");
    }

    private static ClaimFact.VolumeFact volume(long bytes, boolean expandable, String refusal) {
        return new ClaimFact.VolumeFact(
                bytes, expandable, "fast-local", Optional.of(refusal).filter(why -> !why.isEmpty()));
    }

    private List<Action> orders(World world) {
        return planner.plan(world.seen()).actions().stream()
                .filter(Action.SendOrder.class::isInstance)
                .toList();
    }

    private Condition growth(World world) {
        return Conditions.find(
                        new StatusView(world.seen(), planner.plan(world.seen()))
                                .status()
                                .conditions(),
                        ConditionType.DISK_GROWTH)
                .orElseThrow();
    }

    @Test
    void nothingIsOrderedBeforeBothVolumesAreLargeEnough() {
        World world = raised(volume(11 * GIB, true, ""));
        assertThat(orders(world)).isEmpty();
        assertThat(growth(world).getStatus()).isEqualTo("False");
        assertThat(growth(world).getReason()).isEqualTo("ExpandingVolume");
        assertThat(growth(world).getMessage()).startsWith("spec.disks[0].size: claim orders-a-root");
    }

    @Test
    void theActiveIsOrderedAgainAndAgainUntilItSaysSo() {
        World world = raised(volume(22 * GIB, true, ""));
        Action order = new Action.SendOrder(new CopyId("a"), new MirrorOrder.Grow(new Epoch(3), "root", 20 * GIB));
        assertThat(orders(world)).containsExactly(order);
        assertThat(orders(world)).containsExactly(order);
        assertThat(growth(world).getReason()).isEqualTo("GrowingDisk");
        assertThat(planner.plan(world.seen()).again()).isLessThanOrEqualTo(Planner.SOON);
    }

    @Test
    void aClassWithoutExpansionIsToldByFieldAndTheMachineRunsOn() {
        World world = raised(volume(11 * GIB, false, ""));
        assertThat(orders(world)).isEmpty();
        assertThat(growth(world).getReason()).isEqualTo("VolumeNotExpandable");
        assertThat(growth(world).getMessage())
                .startsWith("spec.disks[0].size: ")
                .contains("fast-local", "allowVolumeExpansion", "runs on");
        assertThat(planner.plan(world.seen()).stuck()).isEmpty();
        assertThat(planner.plan(world.seen()).doing()).isEmpty();
    }

    @Test
    void aQuotaIsTold() {
        World world = raised(volume(11 * GIB, true, "exceeded quota: disks"));
        assertThat(growth(world).getReason()).isEqualTo("ExpansionRefused");
        assertThat(growth(world).getMessage()).contains("exceeded quota: disks");
    }

    @Test
    void disksAsLargeAsWishedAreSaidToBeSo() {
        assertThat(orders(World.running())).isEmpty();
        assertThat(growth(World.running()).getStatus()).isEqualTo("True");
        assertThat(growth(World.running()).getReason()).isEqualTo("AsSpecified");
        assertThat(growth(World.running().silent("a")).getStatus()).isEqualTo("Unknown");
    }

    @Test
    void aSwitchoverComesFirst() {
        World world = raised(volume(22 * GIB, true, "")).switchoverAsked();
        assertThat(orders(world))
                .noneMatch(
                        action -> action instanceof Action.SendOrder sent && sent.order() instanceof MirrorOrder.Grow);
    }
}
