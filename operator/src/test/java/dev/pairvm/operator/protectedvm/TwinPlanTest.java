package dev.pairvm.operator.protectedvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.mirror.MirrorReport.TwinState;
import dev.pairvm.operator.desired.DiskVolumes;
import dev.pairvm.operator.desired.Labels;
import dev.pairvm.operator.desired.Machine;
import dev.pairvm.operator.desired.MirrorConfiguration;
import dev.pairvm.operator.desired.PodShape;
import dev.pairvm.operator.placement.NodeFact;
import dev.pairvm.operator.testing.Machines;
import dev.pairvm.operator.testing.Reports;
import dev.pairvm.operator.testing.World;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Quantity;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The level becomes {@code FaultTolerance}, and something else again: pods, orders, and who waits for whom. */
class TwinPlanTest {
    private static final CopyId A = new CopyId("a");
    private static final CopyId B = new CopyId("b");
    private static final String ROOMY = "size: 10Gi";

    private final Planner planner = new Planner(Machines.INSTALLATION, () -> "nonce");

    private Plan plan(World world) {
        return planner.plan(world.seen());
    }

    private List<MirrorOrder> orders(World world) {
        return of(plan(world), Action.SendOrder.class).stream()
                .filter(sent -> sent.to().equals(A))
                .map(Action.SendOrder::order)
                .toList();
    }

    private static <T extends Action> List<T> of(Plan plan, Class<T> kind) {
        return plan.actions().stream().filter(kind::isInstance).map(kind::cast).toList();
    }

    private static List<Pod> pods(Plan plan) {
        return of(plan, Action.Apply.class).stream()
                .map(Action.Apply::desired)
                .filter(Pod.class::isInstance)
                .map(Pod.class::cast)
                .toList();
    }

    private static String shape(Pod pod) {
        return pod.getMetadata().getAnnotations().getOrDefault(Labels.SHAPE, "");
    }

    private static MirrorOrder set(boolean on) {
        return new MirrorOrder.SetTwin(new Epoch(3), on, MirrorConfig.Checkpoint.DEFAULT);
    }

    private static MirrorReport active(MirrorReport.Twin twin) {
        return Reports.with(Reports.active("a", 3, "b"), twin);
    }

    private static MirrorReport standby() {
        return Reports.with(Reports.standby("b", 3, "a"), Reports.noTwin());
    }

    /** The level was raised a moment ago: nothing has happened yet. */
    private static World raised() {
        return World.running()
                .wish(Machines.orders("ContinuousAvailability", "FaultTolerance"))
                .volumes(new ClaimFact.VolumeFact(12L << 30, true, "fast-local", Optional.empty()), "a", "b")
                .says(active(Reports.noTwin()))
                .says(standby());
    }

    private static World lowered(String level) {
        return World.runningFaultTolerance().wish(Machines.orders("ContinuousAvailability", level));
    }

    private static PodFact pending(World world, PodShape.Kind kind, boolean shortOfMemory) {
        PodFact pod = world.podOf("b");
        return new PodFact(
                pod.copy(),
                pod.name(),
                pod.uid(),
                Optional.empty(),
                Optional.empty(),
                PodFact.Phase.PENDING,
                kind,
                true,
                Optional.of("0/3 nodes are available: 1 Insufficient memory").filter(message -> shortOfMemory),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }

    private static PodFact standIn(World world) {
        PodFact pod = world.podOf("b");
        return new PodFact(
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
                Optional.empty());
    }

    @Test
    void aMachineWithItsTwinIsLeftAlone() {
        Plan plan = plan(World.runningFaultTolerance());

        assertThat(of(plan, Action.SendOrder.class)).isEmpty();
        assertThat(of(plan, Action.DeletePod.class)).isEmpty();
        assertThat(pods(plan)).isEmpty();
        assertThat(plan.doing()).isEmpty();
    }

    @Test
    void theStandbyGetsTheMemoryFirstAndTheActivesPodStays() {
        World world = raised();
        assertThat(orders(world))
                .as("no twin before its pod has the memory")
                .containsExactly(new MirrorOrder.Leave(new Epoch(3), B));

        Plan second = plan(world.arbiter("a", 4, "a"));
        assertThat(of(second, Action.DeletePod.class))
                .extracting(delete -> delete.pod().copy())
                .containsExactly(B);
        Plan third = plan(world.noPod("b"));
        assertThat(pods(third)).singleElement().extracting(TwinPlanTest::shape).isEqualTo("twin");

        world.pod("b", "n2", PodShape.Kind.TWIN).says(standby()).arbiter("a", 3, "a", "b");
        assertThat(orders(world)).containsExactly(set(true));
        assertThat(plan(world).again()).isLessThanOrEqualTo(Planner.SOON);
    }

    @Test
    void theOrderIsGivenUntilTheReportSaysSo() {
        World world = raised().pod("b", "n2", PodShape.Kind.TWIN);
        assertThat(orders(world)).containsExactly(set(true));
        assertThat(orders(world)).containsExactly(set(true));

        world.says(active(Reports.twin(true, TwinState.STARTING, "")));
        assertThat(orders(world)).isEmpty();
    }

    @Test
    void otherCheckpointsAreTold() {
        World world = World.runningFaultTolerance()
                .wish(Machines.orders("ContinuousAvailability", "FaultTolerance\n  checkpoint: {maxPause: 50ms}"));

        assertThat(orders(world))
                .containsExactly(
                        new MirrorOrder.SetTwin(new Epoch(3), true, new MirrorConfig.Checkpoint(500, 50, 500)));
    }

    @Test
    void aMirrorThatKnowsNoTwinsIsToldNothing() {
        World world = raised().pod("b", "n2", PodShape.Kind.TWIN).says(Reports.active("a", 3, "b"));

        assertThat(orders(world)).isEmpty();
    }

    @Test
    void onTheWayDownTheTwinEndsBeforeThePodGoes() {
        World world = lowered("ContinuousAvailability");
        assertThat(orders(world)).containsExactly(set(false));
        assertThat(of(plan(world), Action.DeletePod.class)).isEmpty();

        world.says(active(Reports.twin(false, TwinState.ENDING, "")));
        assertThat(orders(world)).isEmpty();
        assertThat(of(plan(world), Action.MarkReplacing.class)).isEmpty();

        world.says(active(Reports.twin(false, TwinState.NONE, "")));
        assertThat(orders(world)).containsExactly(new MirrorOrder.Leave(new Epoch(3), B));
    }

    @Test
    void twoLevelsDownIsTheSame() {
        World world = lowered("HighAvailability");
        assertThat(orders(world)).containsExactly(set(false));

        world.says(active(Reports.twin(false, TwinState.NONE, ""))).arbiter("a", 4, "a");
        assertThat(of(plan(world), Action.DeletePod.class))
                .extracting(delete -> delete.pod().copy())
                .containsExactly(B);
        assertThat(pods(plan(world.noPod("b"))))
                .singleElement()
                .extracting(TwinPlanTest::shape)
                .isEqualTo("mirror");
    }

    /** The old active's pod had no memory for a twin; now it is the standby's. */
    @Test
    void afterAFailoverOrAnExchangeTheSmallerPodIsReplacedBeforeItGetsATwin() {
        World world = World.runningFaultTolerance().pod("b", "n2", PodShape.Kind.RUNNER);
        assertThat(orders(world)).containsExactly(set(false));
        assertThat(of(plan(world), Action.MarkReplacing.class)).isEmpty();

        world.says(active(Reports.twin(false, TwinState.NONE, "")));
        assertThat(orders(world)).containsExactly(new MirrorOrder.Leave(new Epoch(3), B));
    }

    @Test
    void theActivesPodIsOfAnySize() {
        World world = World.runningFaultTolerance().pod("a", "n1", PodShape.Kind.RUNNER);
        assertThat(of(plan(world), Action.DeletePod.class)).isEmpty();
        assertThat(orders(world)).isEmpty();

        World back = lowered("ContinuousAvailability")
                .pod("b", "n2", PodShape.Kind.RUNNER)
                .says(active(Reports.noTwin()));
        assertThat(orders(back)).as("the active's pod is the larger one").isEmpty();
        assertThat(of(plan(back), Action.DeletePod.class)).isEmpty();
    }

    @Test
    void whereNoNodeHasTheMemoryASmallerPodStandsInForSomeHours() {
        World world = raised().arbiter("a", 4, "a");
        world.noPod("b").pod("b", "n2", PodShape.Kind.TWIN);
        world.pod(pending(world, PodShape.Kind.TWIN, true));

        Plan plan = plan(world);
        assertThat(of(plan, Action.DeletePod.class)).singleElement().satisfies(delete -> {
            assertThat(delete.pod().copy()).isEqualTo(B);
            assertThat(delete.graceSeconds()).isZero();
        });
        assertThat(pods(plan)).singleElement().satisfies(pod -> {
            assertThat(shape(pod)).isEqualTo("runner");
            assertThat(pod.getMetadata().getAnnotations())
                    .containsEntry(Labels.NO_ROOM_SINCE, world.now().toString());
        });

        world.pod("b", "n2", PodShape.Kind.RUNNER);
        world.pod(standIn(world)).arbiter("a", 3, "a", "b").says(standby());
        assertThat(orders(world)).as("it could not hold a twin").isEmpty();
        assertThat(of(plan(world), Action.DeletePod.class)).isEmpty();

        world.after(TwinSupport.NO_ROOM_PATIENCE.plusSeconds(1));
        assertThat(orders(world)).containsExactly(new MirrorOrder.Leave(new Epoch(3), B));
    }

    @Test
    void aPodThatWaitsForAnythingElseGoesOnWaiting() {
        World world = raised().arbiter("a", 4, "a");
        world.pod(pending(world, PodShape.Kind.TWIN, false));

        assertThat(of(plan(world), Action.DeletePod.class)).isEmpty();
    }

    @Test
    void aDiskGrowsWithoutATwinAndThenHasOneAgain() {
        World world = World.runningFaultTolerance()
                .wish(Machines.orders("level: ContinuousAvailability", "level: FaultTolerance", ROOMY, "size: 20Gi"))
                .volumes(new ClaimFact.VolumeFact(23L << 30, true, "fast-local", Optional.empty()), "a", "b");
        assertThat(orders(world)).containsExactly(set(false));

        world.says(active(Reports.twin(false, TwinState.ENDING, "")));
        assertThat(orders(world)).isEmpty();
        world.says(active(Reports.twin(false, TwinState.NONE, "")));
        assertThat(orders(world)).containsExactly(new MirrorOrder.Grow(new Epoch(3), "root", 20L << 30));

        world.wish(Machines.orders("ContinuousAvailability", "FaultTolerance"));
        assertThat(orders(world)).containsExactly(set(true));
    }

    @Test
    void aDiskThatWaitsForItsVolumeLeavesTheTwinAlone() {
        World world = World.runningFaultTolerance()
                .wish(Machines.orders("level: ContinuousAvailability", "level: FaultTolerance", ROOMY, "size: 20Gi"));

        assertThat(orders(world)).isEmpty();
    }

    /** Labels of nodes come and go with what puts them there. */
    @Test
    void whatIsLearntOfTheHostsLaterEndsNoTwinThatRunsAndReplacesNoPod() {
        World world = World.runningFaultTolerance()
                .labels("n1", Map.of("feature.node.kubernetes.io/cpu-model.id", "85"))
                .labels("n2", Map.of("feature.node.kubernetes.io/cpu-model.id", "63"));
        assertThat(orders(world)).isEmpty();

        world.says(active(Reports.twin(true, TwinState.STARTING, "")));
        assertThat(orders(world)).containsExactly(set(false));
        world.says(active(Reports.twin(false, TwinState.NONE, "")));
        assertThat(plan(world).actions())
                .noneMatch(action -> action instanceof Action.DeletePod || action instanceof Action.SendOrder);
    }

    @Test
    void aDrainMovesTheGuestAsAlways() {
        World world = World.runningFaultTolerance().node("n1", NodeFact.Health.READY, false);
        assertThat(orders(world)).containsExactly(new MirrorOrder.Switchover(new Epoch(3), B));

        World before = raised().pod("b", "n2", PodShape.Kind.TWIN).node("n1", NodeFact.Health.READY, false);
        assertThat(orders(before)).containsExactly(new MirrorOrder.Switchover(new Epoch(3), B));

        World small = raised().node("n1", NodeFact.Health.READY, false);
        assertThat(orders(small))
                .as("a drain does not wait for memory")
                .containsExactly(new MirrorOrder.Switchover(new Epoch(3), B));
    }

    @Test
    void everyPodOfANewMachineHasTheMemory() {
        Plan plan = plan(new World().wish(Machines.orders("ContinuousAvailability", "FaultTolerance")));

        assertThat(pods(plan)).hasSize(2).extracting(TwinPlanTest::shape).containsOnly("twin");
        assertThat(configs(plan))
                .hasSize(2)
                .allSatisfy(config -> assertThat(config).contains("\"wished\" : true"));
    }

    @Test
    void withoutAFileSystemNoPodHasThem() {
        Plan plan = plan(new World()
                .wish(Machines.orders(
                        "level: ContinuousAvailability", "level: FaultTolerance", "Filesystem", "Block")));

        assertThat(pods(plan)).hasSize(2).extracting(TwinPlanTest::shape).containsOnly("runner");
        assertThat(configs(plan))
                .hasSize(2)
                .allSatisfy(config -> assertThat(config).contains("\"twin\" : null"));
    }

    /** Its container has no such directory: what is written there would be lost with it. */
    @Test
    void aPodOfAnEarlierReleaseIsToldOfNoTwin() {
        World world = raised();
        PodFact pod = world.podOf("a");
        world.pod(new PodFact(
                A,
                pod.name(),
                pod.uid(),
                pod.node(),
                pod.address(),
                pod.phase(),
                PodShape.Kind.RUNNER,
                false,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty()));

        List<String> configs = configs(plan(world));
        assertThat(configs).hasSize(2);
        assertThat(configs.getFirst()).contains("\"twin\" : null");
        assertThat(configs.getLast()).contains("\"overlays\"", "\"wished\" : false");
    }

    @Test
    void aClaimThatGrewWithTheLevelDoesNotShrinkWithIt() {
        Machine with = Machine.of(Machines.orders("ContinuousAvailability", "FaultTolerance"));
        PersistentVolumeClaim there =
                DiskVolumes.claim(with, A, with.spec().disks().getFirst());
        World world = lowered("ContinuousAvailability").owns(there);

        assertThat(asked(world, "orders-a-root"))
                .isEqualTo(there.getSpec().getResources().getRequests());
        assertThat(asked(world, "orders-b-root")).as("a new one").isNotEqualTo(asked(world, "orders-a-root"));
        assertThat(asked(
                        World.runningFaultTolerance()
                                .owns(DiskVolumes.claim(
                                        Machines.machine(),
                                        A,
                                        with.spec().disks().getFirst())),
                        "orders-a-root"))
                .as("grows with the level")
                .isEqualTo(there.getSpec().getResources().getRequests());
    }

    private Map<String, Quantity> asked(World world, String claim) {
        return of(plan(world), Action.Apply.class).stream()
                .map(Action.Apply::desired)
                .filter(PersistentVolumeClaim.class::isInstance)
                .map(PersistentVolumeClaim.class::cast)
                .filter(found -> found.getMetadata().getName().equals(claim))
                .findFirst()
                .orElseThrow()
                .getSpec()
                .getResources()
                .getRequests();
    }

    private static List<String> configs(Plan plan) {
        return of(plan, Action.Apply.class).stream()
                .map(Action.Apply::desired)
                .filter(ConfigMap.class::isInstance)
                .map(map -> ((ConfigMap) map).getData().get(MirrorConfiguration.FILE))
                .toList();
    }

    @Test
    void nobodyWaitsForEver() {
        assertThat(plan(raised()).again()).isLessThanOrEqualTo(Duration.ofSeconds(2));
        assertThat(plan(lowered("ContinuousAvailability")).again()).isLessThanOrEqualTo(Duration.ofSeconds(2));
    }
}
