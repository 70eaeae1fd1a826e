package dev.pairvm.operator.protectedvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import dev.pairvm.operator.desired.PodBlueprint;
import dev.pairvm.operator.placement.NodeFact;
import dev.pairvm.operator.testing.Machines;
import dev.pairvm.operator.testing.Reports;
import dev.pairvm.operator.testing.World;
import io.fabric8.kubernetes.api.model.Pod;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Stories: what the world looks like, and what the operator then does. */
class PlannerTest {
    private static final CopyId A = new CopyId("a");
    private static final CopyId B = new CopyId("b");
    private static final CopyId C = new CopyId("c");

    private final Planner planner = new Planner(Machines.INSTALLATION, () -> "nonce");

    private Plan plan(World world) {
        return planner.plan(world.seen());
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

    private static boolean canRunGuest(Pod pod) {
        return pod.getSpec().getContainers().stream().anyMatch(c -> c.getName().equals(PodBlueprint.QEMU));
    }

    /** The status that a pass over this world writes. */
    private ProtectedVMStatus statusOf(World world) {
        return new StatusView(world.seen(), plan(world)).status();
    }

    @Test
    void firstCreationMakesTheLeaseBeforeAnyPod() {
        Plan plan = plan(new World());

        assertThat(plan.actions().getFirst()).isInstanceOf(Action.Provision.class);
        assertThat(pods(plan)).extracting(pod -> pod.getMetadata().getName()).containsExactly("orders-a", "orders-b");
        assertThat(pods(plan)).allMatch(PlannerTest::canRunGuest);
        int lastObject = plan.actions().size() - 1;
        assertThat(plan.actions().get(lastObject)).isInstanceOf(Action.Apply.class);
    }

    @Test
    void aCreationBrokenOffAfterTheLeaseGoesOnWithThatLease() {
        Plan plan = plan(new World().arbiter("a", 1, "a"));

        assertThat(plan.actions().getFirst()).isInstanceOf(Action.Provision.class);
        assertThat(pods(plan)).hasSize(2);
    }

    @Test
    void aLostLeaseIsNotAFreshStart() {
        Plan plan = plan(World.running().arbiter(new ArbiterFact.Missing()));

        assertThat(plan.actions()).isEmpty();
        assertThat(plan.stuck()).map(Plan.Doing::reason).contains(Reason.ArbiterLost);
    }

    @Test
    void anotherLeaseOfTheSameNameIsNotTrusted() {
        Plan plan = plan(World.running().memory(Memory.FRESH.withLease("the-first-one")));

        assertThat(plan.actions()).isEmpty();
        assertThat(plan.stuck()).map(Plan.Doing::reason).contains(Reason.ArbiterLost);
    }

    /** By the record that came back b is out of the pair, which it is not. */
    @Test
    void nothingIsDoneByALeaseThatIsOlderThanTheDisks() {
        World world =
                World.running().arbiter("a", 2, "a").says(Reports.arbiterRolledBack(Reports.standby("b", 4, "a")));
        Plan plan = plan(world);

        assertThat(plan.actions()).isEmpty();
        assertThat(plan.stuck()).map(Plan.Doing::reason).contains(Reason.ArbiterRolledBack);
        assertThat(new StatusView(world.seen(), plan).status().conditions())
                .filteredOn(condition -> condition.getType().equals("ArbiterReachable"))
                .singleElement()
                .satisfies(condition -> {
                    assertThat(condition.getReason()).isEqualTo("ArbiterRolledBack");
                    assertThat(condition.getMessage()).contains("copy b says").contains("epoch went from 4 to 2");
                });
    }

    @Test
    void aClaimOfAnEarlierMachineIsNotTakenOver() {
        Plan plan = plan(new World().stranger("orders-a-root"));

        assertThat(plan.actions()).isEmpty();
        assertThat(plan.stuck())
                .map(Plan.Doing::message)
                .hasValueSatisfying(m -> assertThat(m).contains("orders-a-root"));
    }

    @Test
    void aPairThatRunsIsLeftAlone() {
        Plan plan = plan(World.running());

        assertThat(pods(plan)).isEmpty();
        assertThat(of(plan, Action.DeletePod.class)).isEmpty();
        assertThat(of(plan, Action.SendOrder.class)).isEmpty();
        assertThat(plan.doing()).isEmpty();
    }

    @Test
    void levelDownAsksTheActiveToLetTheStandbyLeaveThenReplacesItsPod() {
        World world = World.running().wish(Machines.orders("ContinuousAvailability", "HighAvailability"));

        Plan first = plan(world);
        assertThat(of(first, Action.MarkReplacing.class)).hasSize(1);
        assertThat(of(first, Action.SendOrder.class))
                .containsExactly(new Action.SendOrder(A, new MirrorOrder.Leave(new Epoch(3), B)));
        assertThat(of(first, Action.DeletePod.class)).isEmpty();

        Plan second = plan(world.arbiter("a", 4, "a"));
        assertThat(of(second, Action.DeletePod.class))
                .extracting(delete -> delete.pod().copy())
                .containsExactly(B);

        Plan third = plan(world.noPod("b"));
        assertThat(pods(third)).singleElement().matches(pod -> !canRunGuest(pod));
    }

    @Test
    void levelUpGivesTheStandbyAGuestAndNeverTouchesTheActive() {
        World world = World.runningHighAvailability().wish(Machines.orders());

        Plan plan = plan(world);
        assertThat(of(plan, Action.SendOrder.class))
                .containsExactly(new Action.SendOrder(A, new MirrorOrder.Leave(new Epoch(3), B)));
        Plan next = plan(world.arbiter("a", 4, "a"));
        assertThat(of(next, Action.DeletePod.class))
                .allMatch(delete -> delete.pod().copy().equals(B));
    }

    @Test
    void levelChangeWaitsWhileTheActiveIsSilent() {
        World world = World.running()
                .wish(Machines.orders("ContinuousAvailability", "HighAvailability"))
                .silent("a");

        Plan plan = plan(world);

        assertThat(of(plan, Action.DeletePod.class)).isEmpty();
        assertThat(of(plan, Action.SendOrder.class)).isEmpty();
    }

    @Test
    void failoverAtHighAvailabilityReplacesThePodOfThePromotedCopyAtOnce() {
        World world = World.runningHighAvailability()
                .node("n1", NodeFact.Health.UNKNOWN, true)
                .silent("a")
                .arbiter("b", 4, "b");

        Plan plan = plan(world);

        List<Action> acts = plan.actions().stream()
                .filter(action -> action instanceof Action.MarkReplacing
                        || action instanceof Action.DeletePod
                        || (action instanceof Action.Apply apply && apply.desired() instanceof Pod))
                .toList();
        assertThat(acts).hasSize(3);
        assertThat(acts.get(0)).isInstanceOf(Action.MarkReplacing.class);
        assertThat(acts.get(1)).isInstanceOfSatisfying(Action.DeletePod.class, delete -> {
            assertThat(delete.pod().copy()).isEqualTo(B);
            assertThat(delete.graceSeconds()).isZero();
        });
        assertThat(canRunGuest(pods(plan).getFirst())).isTrue();
    }

    @Test
    void aLostNodeIsWaitedForAndItsPodStays() {
        World world = World.running()
                .node("n2", NodeFact.Health.UNKNOWN, true)
                .silent("b")
                .arbiter("a", 4, "a");

        Plan plan = plan(world);

        assertThat(of(plan, Action.DeletePod.class)).isEmpty();
        assertThat(of(plan, Action.Remember.class)).isEmpty();
        assertThat(plan.again()).isLessThanOrEqualTo(Duration.ofMinutes(10));
        assertThat(statusOf(world).copies().get(1).lostSince()).isNotNull();
    }

    @Test
    void aCopyLostForLongGetsASuccessorUnderALetterNeverUsed() {
        World world = World.running()
                .node("n2", NodeFact.Health.UNKNOWN, true)
                .silent("b")
                .arbiter("a", 4, "a");
        world.status(statusOf(world)).after(Duration.ofMinutes(11));

        Plan plan = plan(world);

        assertThat(of(plan, Action.Remember.class)).singleElement().satisfies(remember -> {
            assertThat(remember.memory().copies()).containsExactly(A, B, C);
            assertThat(remember.memory().last()).isEqualTo(C);
        });
        int remembered = plan.actions().indexOf(of(plan, Action.Remember.class).getFirst());
        int made = plan.actions()
                .indexOf(of(plan, Action.Apply.class).stream()
                        .filter(apply -> apply.desired() instanceof Pod)
                        .findFirst()
                        .orElseThrow());
        assertThat(remembered).as("intent before act").isLessThan(made);
        assertThat(pods(plan)).extracting(pod -> pod.getMetadata().getName()).containsExactly("orders-c");
    }

    @Test
    void noSuccessorWithoutASpareNode() {
        World world = World.running()
                .node("n2", NodeFact.Health.UNKNOWN, true)
                .node("n3", NodeFact.Health.READY, false)
                .silent("b")
                .arbiter("a", 4, "a");
        world.status(statusOf(world)).after(Duration.ofMinutes(11));

        Plan plan = plan(world);

        assertThat(of(plan, Action.Remember.class)).isEmpty();
        assertThat(plan.stuck()).map(Plan.Doing::reason).contains(Reason.NoSpareNode);
    }

    @Test
    void noSuccessorWhileTheActiveItselfIsNotHeard() {
        World world = World.running()
                .node("n2", NodeFact.Health.UNKNOWN, true)
                .silent("b")
                .arbiter("a", 4, "a");
        world.status(statusOf(world)).after(Duration.ofMinutes(11)).silent("a");

        assertThat(of(plan(world), Action.Remember.class)).isEmpty();
    }

    private static World replacing() {
        return World.running()
                .memory(Memory.FRESH.withLease("lease-uid").withNewCopy())
                .node("n2", NodeFact.Health.UNKNOWN, true)
                .silent("b")
                .arbiter("a", 4, "a")
                .pod("c", "n3", true)
                .says(Reports.report(
                        "c",
                        MirrorReport.Role.STANDBY,
                        4,
                        MirrorReport.CopyState.SYNCING,
                        MirrorReport.Guest.ABSENT,
                        true,
                        "a",
                        "a"));
    }

    @Test
    void theLostCopyStaysUntilItsSuccessorIsInSync() {
        Plan plan = plan(replacing());

        assertThat(of(plan, Action.Remember.class)).isEmpty();
        assertThat(of(plan, Action.DiscardCopy.class)).isEmpty();
    }

    @Test
    void theLostCopyGoesOnceItsSuccessorIsInSync() {
        World world = replacing().arbiter("a", 5, "a", "c").says(Reports.standby("c", 5, "a"));

        Plan plan = plan(world);

        assertThat(of(plan, Action.Remember.class))
                .singleElement()
                .satisfies(remember -> assertThat(remember.memory().copies()).containsExactly(A, C));
        assertThat(of(plan, Action.DiscardCopy.class)).containsExactly(new Action.DiscardCopy(B));
        assertThat(of(plan, Action.DeletePod.class)).singleElement().satisfies(delete -> {
            assertThat(delete.pod().copy()).isEqualTo(B);
            assertThat(delete.graceSeconds()).as("its node is out").isZero();
        });
    }

    @Test
    void theNewcomerGoesIfTheLostOneComesBackFirst() {
        World world = replacing()
                .node("n2", NodeFact.Health.READY, true)
                .arbiter("a", 5, "a", "b")
                .says(Reports.standby("b", 5, "a"));

        Plan plan = plan(world);

        assertThat(of(plan, Action.Remember.class)).singleElement().satisfies(remember -> {
            assertThat(remember.memory().copies()).containsExactly(A, B);
            assertThat(remember.memory().last()).as("its letter stays used").isEqualTo(C);
        });
        assertThat(of(plan, Action.DiscardCopy.class)).containsExactly(new Action.DiscardCopy(C));
    }

    @Test
    void ofThreeInSyncOneLeavesPolitelyFirst() {
        World world = replacing()
                .node("n2", NodeFact.Health.READY, true)
                .arbiter("a", 5, "a", "b", "c")
                .says(Reports.standby("b", 5, "a"))
                .says(Reports.standby("c", 5, "a"));

        Plan plan = plan(world);

        assertThat(of(plan, Action.SendOrder.class))
                .containsExactly(new Action.SendOrder(A, new MirrorOrder.Leave(new Epoch(5), B)));
        assertThat(of(plan, Action.DiscardCopy.class)).isEmpty();
    }

    @Test
    void aStrayCopyThatTheArbiterListsIsNeverDiscarded() {
        World world = World.running().pod("c", "n3", true).arbiter("a", 5, "a", "c");

        assertThat(of(plan(world), Action.DiscardCopy.class)).isEmpty();
    }

    @Test
    void aCordonedActiveNodeMovesTheGuestAway() {
        World world = World.running().node("n1", NodeFact.Health.READY, false);

        Plan plan = plan(world);

        assertThat(of(plan, Action.SendOrder.class))
                .containsExactly(new Action.SendOrder(A, new MirrorOrder.Switchover(new Epoch(3), B)));
        assertThat(of(plan, Action.DeletePod.class)).isEmpty();
    }

    @Test
    void atHighAvailabilityADrainFirstGivesTheStandbyAGuest() {
        World world = World.runningHighAvailability().node("n1", NodeFact.Health.READY, false);

        Plan first = plan(world);
        assertThat(of(first, Action.SendOrder.class))
                .containsExactly(new Action.SendOrder(A, new MirrorOrder.Leave(new Epoch(3), B)));
        Plan gone = plan(world.arbiter("a", 4, "a").noPod("b"));
        assertThat(pods(gone)).singleElement().matches(PlannerTest::canRunGuest);
        Plan back = plan(world.arbiter("a", 5, "a", "b").pod("b", "n2", true).says(Reports.standby("b", 5, "a")));
        assertThat(of(back, Action.SendOrder.class))
                .containsExactly(new Action.SendOrder(A, new MirrorOrder.Switchover(new Epoch(5), B)));
    }

    @Test
    void aDrainWaitsForAStandbyInSync() {
        World world = World.running()
                .node("n1", NodeFact.Health.READY, false)
                .arbiter("a", 4, "a")
                .says(Reports.report(
                        "b",
                        MirrorReport.Role.STANDBY,
                        4,
                        MirrorReport.CopyState.SYNCING,
                        MirrorReport.Guest.ABSENT,
                        true,
                        "a",
                        "a"));

        assertThat(of(plan(world), Action.SendOrder.class)).isEmpty();
    }

    @Test
    void anEvictedPodComesBackForItsDisk() {
        World world = World.running()
                .node("n2", NodeFact.Health.READY, false)
                .noPod("b")
                .arbiter("a", 4, "a");

        assertThat(pods(plan(world)))
                .extracting(pod -> pod.getMetadata().getName())
                .containsExactly("orders-b");
    }

    private static PodFact terminating(World world, String copy) {
        PodFact pod = world.podOf(copy);
        return new PodFact(
                pod.copy(),
                pod.name(),
                pod.uid(),
                pod.node(),
                pod.address(),
                pod.phase(),
                pod.kind(),
                pod.overlays(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.of(world.now()));
    }

    @Test
    void aTerminatingPodOnADeadNodeIsTakenOffTheBooksOnlyIfNobodyCountsOnIt() {
        World counted =
                World.running().node("n2", NodeFact.Health.UNKNOWN, true).silent("b");
        counted.pod(terminating(counted, "b")).after(Duration.ofMinutes(5));
        assertThat(of(plan(counted), Action.DeletePod.class)).isEmpty();

        World released = counted.arbiter("a", 4, "a");
        assertThat(of(plan(released), Action.DeletePod.class))
                .singleElement()
                .satisfies(delete -> assertThat(delete.graceSeconds()).isZero());
    }

    @Test
    void theWishToStopIsAnOrderToTheActive() {
        World world = World.running().wish(Machines.orders("level:", "running: false\n  level:"));

        assertThat(of(plan(world), Action.SendOrder.class))
                .containsExactly(new Action.SendOrder(A, new MirrorOrder.SetRunning(new Epoch(3), false, 30)));
    }

    @Test
    void aGuestThatSwitchedItselfOffStaysOffUntilWishedOffAndOnAgain() {
        World world = World.running().says(Reports.with(Reports.active("a", 3, "b"), MirrorReport.Guest.POWERED_OFF));
        assertThat(of(plan(world), Action.SendOrder.class)).isEmpty();
        world.status(statusOf(world));
        assertThat(of(plan(world), Action.SendOrder.class)).isEmpty();

        world.wish(Machines.orders("level:", "running: false\n  level:"));
        world.status(statusOf(world)).wish(Machines.orders());

        assertThat(of(plan(world), Action.SendOrder.class))
                .containsExactly(new Action.SendOrder(A, new MirrorOrder.SetRunning(new Epoch(3), true, 30)));
    }

    @Test
    void deletionStopsTheGuestThenThePodsThenTheLease() {
        DeletionPlanner deletion = new DeletionPlanner();
        World world = World.running();

        assertThat(deletion.plan(world.seen(), world.now()).actions())
                .containsExactly(new Action.SendOrder(A, new MirrorOrder.SetRunning(new Epoch(3), false, 30)));
        world.says(Reports.with(Reports.active("a", 3, "b"), MirrorReport.Guest.POWERED_OFF));
        assertThat(of(deletion.plan(world.seen(), world.now()), Action.DeletePod.class))
                .hasSize(2);
        world.noPod("a").noPod("b");
        assertThat(deletion.plan(world.seen(), world.now()).actions()).containsExactly(new Action.DeleteLease());
        assertThat(deletion.finished(world.seen())).isFalse();
        assertThat(deletion.finished(world.arbiter(new ArbiterFact.Missing()).seen()))
                .isTrue();
    }

    @Test
    void deletionDoesNotWaitForEverForASilentMirrorOrADeadNode() {
        DeletionPlanner deletion = new DeletionPlanner();
        World world = World.running().silent("a").silent("b").node("n1", NodeFact.Health.UNKNOWN, true);
        assertThat(of(deletion.plan(world.seen(), world.now()), Action.DeletePod.class))
                .hasSize(2);

        world.noPod("b").pod(terminating(world, "a"));
        java.time.Instant since = world.now();
        world.after(Duration.ofMinutes(2));
        assertThat(of(deletion.plan(world.seen(), since), Action.DeletePod.class))
                .singleElement()
                .satisfies(delete -> assertThat(delete.graceSeconds()).isZero());
    }

    @Test
    void lettersGoOnAfterZ() {
        assertThat(Stream.of("a", "y", "z", "az", "zz")
                        .map(CopyId::new)
                        .map(Memory::after)
                        .map(CopyId::value))
                .containsExactly("b", "z", "aa", "ba", "aaa");
    }

    @Test
    void aDamagedMemoryIsRefusedWithItsText() {
        org.assertj.core.api.Assertions.assertThatIllegalArgumentException()
                .isThrownBy(() -> Memory.read("{\"copies\": 7}"))
                .withMessageContaining("{\"copies\": 7}");
        assertThat(Memory.read(Memory.FRESH.withLease("u").withNewCopy().write()))
                .isEqualTo(Memory.FRESH.withLease("u").withNewCopy());
    }
}
