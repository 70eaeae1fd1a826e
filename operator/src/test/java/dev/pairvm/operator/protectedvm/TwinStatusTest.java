package dev.pairvm.operator.protectedvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.mirror.MirrorReport.TwinState;
import dev.pairvm.api.v1alpha1.ConditionType;
import dev.pairvm.api.v1alpha1.EffectiveLevel;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.Checkpoints;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.LevelStatus;
import dev.pairvm.operator.desired.PodShape;
import dev.pairvm.operator.placement.NodeFact;
import dev.pairvm.operator.testing.Machines;
import dev.pairvm.operator.testing.Reports;
import dev.pairvm.operator.testing.World;
import io.fabric8.kubernetes.api.model.Condition;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What a user sees of level 3: whether it holds, and what stands against it, by field. */
class TwinStatusTest {
    private final Planner planner = new Planner(Machines.INSTALLATION, () -> "nonce");

    private ProtectedVMStatus status(World world) {
        return new StatusView(world.seen(), planner.plan(world.seen())).status();
    }

    private LevelStatus level(World world) {
        LevelStatus level = status(world).level();
        assertThat(level).isNotNull();
        return Objects.requireNonNull(level);
    }

    private Condition condition(World world, String type) {
        return Conditions.find(status(world).conditions(), type).orElseThrow();
    }

    private static MirrorReport active(TwinState state, String why) {
        return Reports.with(Reports.active("a", 3, "b"), Reports.twin(true, state, why));
    }

    private static World without(String why) {
        return World.runningFaultTolerance().says(active(TwinState.NONE, why));
    }

    private void unsupported(World world, Reason reason, String path) {
        Condition supported = condition(world, ConditionType.LEVEL_SUPPORTED);
        assertThat(supported.getStatus()).isEqualTo("False");
        assertThat(supported.getReason()).isEqualTo(reason.name());
        assertThat(supported.getMessage()).startsWith(path + ": ");
        assertThat(level(world).effective()).isEqualTo(EffectiveLevel.ContinuousAvailability);
        assertThat(level(world).reason()).isEqualTo(reason.name());
        assertThat(level(world).message()).isEqualTo(supported.getMessage());
    }

    @Test
    void theLevelHoldsWhileTheTwinRunsAndTheStandbyIsInTouch() {
        assertThat(level(World.runningFaultTolerance()).effective()).isEqualTo(EffectiveLevel.FaultTolerance);
        assertThat(level(World.runningFaultTolerance()).reason()).isNull();
        assertThat(condition(World.runningFaultTolerance(), ConditionType.READY).getReason())
                .isEqualTo("Running");
        assertThat(condition(World.runningFaultTolerance(), ConditionType.LEVEL_SUPPORTED)
                        .getStatus())
                .isEqualTo("True");

        assertThat(level(World.runningFaultTolerance().silent("b")).effective()).isEqualTo(EffectiveLevel.None);
        assertThat(level(World.runningFaultTolerance().arbiter("a", 4, "a")).effective())
                .isEqualTo(EffectiveLevel.None);
        assertThat(level(World.runningFaultTolerance().silent("a")).effective())
                .as("nobody says that it runs")
                .isEqualTo(EffectiveLevel.ContinuousAvailability);
    }

    @Test
    void whyThereIsNoTwinIsTheMirrorsWord() {
        World world = without("checkpoints took 310 ms, policy allows 200 ms; tried again in a while");

        assertThat(level(world).effective()).isEqualTo(EffectiveLevel.ContinuousAvailability);
        assertThat(level(world).reason()).isEqualTo("TwinNotRunning");
        assertThat(level(world).message()).startsWith("checkpoints took 310 ms");
        Condition ready = condition(world, ConditionType.READY);
        assertThat(ready.getReason()).isEqualTo("LevelNotReached");
        assertThat(ready.getMessage())
                .contains("ContinuousAvailability instead of FaultTolerance", "checkpoints took 310 ms");
        assertThat(condition(world, ConditionType.REDUNDANT).getMessage()).contains("checkpoints took 310 ms");
        assertThat(condition(world, ConditionType.LEVEL_SUPPORTED).getStatus())
                .as("the cluster can; it is the load")
                .isEqualTo("True");
    }

    @Test
    void aTwinOnItsWayIsToldAsSuch() {
        World world = World.runningFaultTolerance().says(active(TwinState.STARTING, ""));
        assertThat(level(world).reason()).isEqualTo("TwinStarting");
        assertThat(level(world.says(active(TwinState.ENDING, ""))).reason()).isEqualTo("TwinEnding");
    }

    @Test
    void lossAndReturnOfTheTwinAreSaidOnceEach() {
        ProtectedVMStatus with = status(World.runningFaultTolerance());
        ProtectedVMStatus less = status(without("the link is too slow"));

        assertThat(Announcement.between(with, less)).singleElement().satisfies(said -> {
            assertThat(said.warning()).isTrue();
            assertThat(said.reason()).isEqualTo(Reason.LevelChanged);
            assertThat(said.note())
                    .contains("FaultTolerance -> ContinuousAvailability", "TwinNotRunning", "the link is too slow");
        });
        assertThat(Announcement.between(less, with))
                .singleElement()
                .satisfies(said -> assertThat(said.warning()).isFalse());
    }

    @Test
    void aRefusedOrderIsTold() {
        World world = World.runningFaultTolerance()
                .says(Reports.with(Reports.active("a", 3, "b"), Reports.noTwin()))
                .refused(MirrorOrder.SetTwin.class, "this mirror gives no guest a twin");

        assertThat(level(world).message()).contains("this mirror gives no guest a twin");
        assertThat(condition(world, ConditionType.RECONCILING).getMessage())
                .contains("this mirror gives no guest a twin");

        World drained = World.runningFaultTolerance()
                .node("n1", NodeFact.Health.READY, false)
                .refused(MirrorOrder.Switchover.class, "lower its level first");
        assertThat(condition(drained, ConditionType.RECONCILING).getReason()).isEqualTo("Draining");
        assertThat(condition(drained, ConditionType.RECONCILING).getMessage()).contains("lower its level first");
    }

    @Test
    void aMachineOfBlockVolumesHasNoPlaceForOverlays() {
        World world = World.running()
                .wish(Machines.orders("level: ContinuousAvailability", "level: FaultTolerance", "Filesystem", "Block"));

        unsupported(world, Reason.NoFileSystemDisk, "spec.disks");
    }

    @Test
    void processorsThatDifferAreToldUnlessAModelIsNamed() {
        Map<String, String> skylake = Map.of("feature.node.kubernetes.io/cpu-model.id", "85");
        Map<String, String> haswell = Map.of("feature.node.kubernetes.io/cpu-model.id", "63");

        unsupported(
                without("").labels("n1", skylake).labels("n2", haswell),
                Reason.ProcessorsDiffer,
                "spec.template.spec.domain.cpu.model");
        assertThat(condition(without("").labels("n1", skylake).labels("n2", skylake), ConditionType.LEVEL_SUPPORTED)
                        .getStatus())
                .isEqualTo("True");
        assertThat(condition(without("").labels("n1", skylake), ConditionType.LEVEL_SUPPORTED)
                        .getStatus())
                .as("not known")
                .isEqualTo("True");
        World named = without("")
                .wish(Machines.orders(
                        "level: ContinuousAvailability",
                        "level: FaultTolerance",
                        "cpu: {cores: 2}",
                        "cpu: {cores: 2, model: Haswell}"))
                .labels("n1", skylake)
                .labels("n2", haswell);
        assertThat(condition(named, ConditionType.LEVEL_SUPPORTED).getStatus()).isEqualTo("True");
    }

    @Test
    void aNodeWithoutTheMemoryIsNamed() {
        World world = without("");
        PodFact pod = world.podOf("b");
        world.pod(new PodFact(
                pod.copy(),
                pod.name(),
                pod.uid(),
                pod.node(),
                pod.address(),
                pod.phase(),
                PodShape.Kind.RUNNER,
                true,
                Optional.empty(),
                Optional.of(world.now()),
                Optional.empty(),
                Optional.empty()));

        unsupported(world, Reason.NoMemoryForTwin, "spec.template.spec.domain.memory.guest");
        assertThat(level(world).message()).contains("node n2", "pod orders-b is deleted");
    }

    @Test
    void aVolumeWithoutRoomForTheOverlaysIsNamed() {
        World world = without("")
                .volumes(new ClaimFact.VolumeFact(11L << 30, false, "fast-local", Optional.empty()), "a")
                .pod("a", "n1", PodShape.Kind.TWIN);

        unsupported(world, Reason.NoSpaceForOverlays, "spec.disks[0]");
        assertThat(level(world).message()).contains("orders-a-root", "allowVolumeExpansion");
    }

    @Test
    void aMirrorOfAnEarlierReleaseIsNamed() {
        unsupported(World.runningFaultTolerance().says(Reports.active("a", 3, "b")), Reason.MirrorTooOld, "spec.level");
        unsupported(without("").says(Reports.standby("b", 3, "a")), Reason.MirrorTooOld, "spec.level");
    }

    @Test
    void aLongRoundTripCountsUntilItIsWellBelowTheBound() {
        World world = World.runningFaultTolerance();
        MirrorReport none = active(TwinState.NONE, "");

        world.says(Reports.roundTrip(none, 9_000));
        assertThat(condition(world, ConditionType.LEVEL_SUPPORTED).getStatus()).isEqualTo("True");
        world.says(Reports.roundTrip(none, 10_001));
        unsupported(world, Reason.RoundTripTooLong, "spec.placement");
        world.status(status(world)).says(Reports.roundTrip(none, 9_000));
        unsupported(world, Reason.RoundTripTooLong, "spec.placement");
        world.says(Reports.roundTrip(none, 7_999));
        assertThat(condition(world, ConditionType.LEVEL_SUPPORTED).getStatus()).isEqualTo("True");

        world.says(Reports.roundTrip(active(TwinState.RUNNING, ""), 20_000));
        assertThat(level(world).effective())
                .as("a twin that runs is judged by its checkpoints")
                .isEqualTo(EffectiveLevel.FaultTolerance);
    }

    @Test
    void theFiguresOfTheCheckpointsAreTakenNowAndThen() {
        World world = World.runningFaultTolerance();
        ProtectedVMStatus first = status(world);
        assertThat(first.checkpoints())
                .isEqualTo(new Checkpoints(
                        "2026-11-24T10:00:00Z",
                        1234L,
                        34L,
                        Duration.ofNanos(11_500_000),
                        Duration.ofMillis(45),
                        Duration.ofMillis(13_574),
                        Duration.ofMillis(210)));

        MirrorReport.Twin later = new MirrorReport.Twin(
                true,
                MirrorConfig.Checkpoint.DEFAULT,
                TwinState.RUNNING,
                "",
                1,
                0,
                2000,
                50,
                9_000,
                45_000,
                20_000_000,
                100);
        world.status(first)
                .says(Reports.with(Reports.active("a", 3, "b"), later))
                .after(Duration.ofMinutes(3));
        assertThat(status(world)).as("no write in between").isEqualTo(first);
        assertThat(Objects.requireNonNull(
                                status(world.after(Duration.ofMinutes(2))).checkpoints())
                        .taken())
                .isEqualTo(2000L);
    }

    @Test
    void theOldFiguresOfATwinThatEndedStay() {
        World world = without("the link is too slow");
        world.status(status(world));
        ProtectedVMStatus later = status(world.after(Duration.ofHours(1)));

        assertThat(Objects.requireNonNull(later.checkpoints()).asOf()).isEqualTo("2026-11-24T10:00:00Z");
    }
}
