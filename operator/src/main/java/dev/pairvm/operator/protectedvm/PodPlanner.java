package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.v1alpha1.Level;
import dev.pairvm.operator.desired.ArbiterProvision;
import dev.pairvm.operator.desired.Installation;
import dev.pairvm.operator.desired.PodBlueprint;
import dev.pairvm.operator.desired.PodShape;
import dev.pairvm.operator.placement.NodeFact;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * The pods: one per copy, of the shape that level and role ask for. The active's pod is left alone whatever else happens, unless it can
 * not run a guest: then it is replaced at once, for that is how a HighAvailability machine fails over. At FaultTolerance every new pod has the
 * memory for a twin, so that the sides may change; where no node has that memory a smaller one stands in, for less protection is better than
 * none.
 */
final class PodPlanner {
    /** A standby has nothing to save but its mirror's farewell. */
    static final long STANDBY_GRACE_SECONDS = 10;
    /** An active that was asked to let its standby leave has had its time after this; the standby's going is then a peer loss. */
    private static final Duration LEAVE_PATIENCE = Duration.ofSeconds(5);
    /** How long a pod may take to end on a node that is out, before it is taken out of the API server's books. */
    private static final Duration TERMINATION_PATIENCE = Duration.ofSeconds(30);

    private final Installation installation;
    private final Observation seen;
    private final Optional<CopyId> switchoverTarget;
    private final Draft draft;

    PodPlanner(Installation installation, Observation seen, Optional<CopyId> switchoverTarget, Draft draft) {
        this.installation = installation;
        this.seen = seen;
        this.switchoverTarget = switchoverTarget;
        this.draft = draft;
    }

    void plan() {
        if (seen.arbiterRecord().isEmpty()) {
            return;
        }
        seen.memory().copies().forEach(this::plan);
    }

    private void plan(CopyId copy) {
        Optional<PodFact> found = seen.pod(copy);
        if (found.isEmpty()) {
            create(copy);
            return;
        }
        PodFact pod = found.get();
        if (isActive(copy) && !pod.runner()) {
            promote(pod);
        } else if (pod.deleting()) {
            bury(pod);
        } else if (pod.phase() == PodFact.Phase.ENDED) {
            draft.doing(Reason.ReplacingPod, "pod " + pod.name() + " has ended");
            draft.act(new Action.DeletePod(pod, STANDBY_GRACE_SECONDS, "it has ended"));
        } else if (pod.kind() == PodShape.Kind.TWIN
                && pod.node().isEmpty()
                && pod.shortOfMemory().isPresent()) {
            standIn(pod);
        } else if (!fits(pod)) {
            reshape(pod);
        }
    }

    private boolean isActive(CopyId copy) {
        return seen.active().filter(copy::equals).isPresent();
    }

    /** Whether it has the guest, or is about to get it. */
    private boolean needsGuest(CopyId copy) {
        return isActive(copy) || switchoverTarget.filter(copy::equals).isPresent();
    }

    private PodShape.Kind wanted(CopyId copy) {
        return switch (seen.machine().spec().level()) {
            case HighAvailability -> needsGuest(copy) ? PodShape.Kind.RUNNER : PodShape.Kind.MIRROR;
            case ContinuousAvailability -> PodShape.Kind.RUNNER;
            case FaultTolerance ->
                new TwinSupport(seen).lasting().isEmpty() ? PodShape.Kind.TWIN : PodShape.Kind.RUNNER;
        };
    }

    private boolean fits(PodFact pod) {
        if (needsGuest(pod.copy())) {
            return pod.runner();
        }
        if (seen.machine().spec().level() == Level.FaultTolerance && pod.kind() == PodShape.Kind.TWIN) {
            return true; // also where a twin can not be: that may pass, and the level asks for the memory
        }
        PodShape.Kind wanted = wanted(pod.copy());
        return pod.kind() == wanted || wanted == PodShape.Kind.TWIN && TwinSupport.standsIn(seen, pod);
    }

    private void create(CopyId copy) {
        create(copy, wanted(copy), Optional.empty());
    }

    private void create(CopyId copy, PodShape.Kind kind, Optional<Instant> noRoomSince) {
        boolean first = seen.arbiterRecord()
                .filter(arbiter -> arbiter.epoch().equals(ArbiterRecord.PROVISIONED))
                .isPresent();
        PodShape shape =
                new PodShape(copy, kind, first && copy.equals(ArbiterProvision.FIRST), seen.sources(), noRoomSince);
        draft.doing(Reason.ReplacingPod, "starting the pod of copy " + copy);
        draft.act(new Action.Apply(Owned.stamped(new PodBlueprint(seen.machine(), installation, shape).pod())));
    }

    /**
     * Failover at HighAvailability. No grace and no waiting for the old pod's end: its mirror is the one that won the epoch and holds
     * the disk's lock until it is gone; the new one waits for that lock.
     */
    private void promote(PodFact pod) {
        draft.doing(Reason.ReplacingPod, "copy " + pod.copy() + " became the active; its pod gets a guest");
        if (pod.replacingSince().isEmpty()) {
            draft.act(new Action.MarkReplacing(pod));
        }
        draft.act(new Action.DeletePod(pod, 0, "its copy became the active and the pod can not run a guest"));
        create(pod.copy());
    }

    /** No node has the memory for a twin: a pod that has not begun is replaced by one that can at least run the guest. */
    private void standIn(PodFact pod) {
        Plan.Doing why = new TwinSupport(seen).noMemory(pod);
        draft.doing(why.reason(), why.message());
        draft.act(new Action.DeletePod(pod, 0, "no node has the memory for a twin"));
        create(pod.copy(), PodShape.Kind.RUNNER, Optional.of(seen.now()));
    }

    /** A pod that was deleted ends by itself, if its node lives. If not, only a copy that nobody counts on is taken off the books. */
    private void bury(PodFact pod) {
        Instant since = pod.deletingSince().orElse(seen.now());
        boolean nobodyCountsOnIt = !isActive(pod.copy()) && !seen.inSync(pod.copy());
        if (seen.nodeOut(pod.copy()) && nobodyCountsOnIt) {
            if (Duration.between(since, seen.now()).compareTo(TERMINATION_PATIENCE) >= 0) {
                draft.act(new Action.DeletePod(pod, 0, "its node is out and its copy is not in sync"));
            }
            draft.lookAgain(Planner.SOON);
        }
        draft.doing(Reason.ReplacingPod, "waiting for pod " + pod.name() + " to end");
    }

    /** Level change, on the standby's side: leave politely, go, come back in the other shape, catch up by delta. */
    private void reshape(PodFact pod) {
        CopyId copy = pod.copy();
        if (pod.node().isEmpty()) {
            draft.doing(Reason.ChangingLevel, "pod " + pod.name() + " waits for a node in the wrong shape");
            draft.act(new Action.DeletePod(pod, 0, "it has the wrong shape and no node yet"));
            return;
        }
        // The last copy in sync stays where it is until it has the guest.
        if (FailedDisks.servedByPeer(seen)) {
            return;
        }
        // A cordoned node would not take the new pod; a node that is out would not end the old one.
        if (!seen.nodeFactOf(copy).filter(NodeFact::usable).isPresent()) {
            return;
        }
        Optional<ArbiterRecord> arbiter = seen.arbiterRecord();
        if (seen.servingActive().isEmpty() || arbiter.isEmpty()) {
            draft.doing(Reason.ChangingLevel, "waiting for the active before the standby's pod is replaced");
            draft.lookAgain(Planner.SOON);
            return;
        }
        if (!TwinPlanner.free(seen)) {
            draft.doing(Reason.ChangingLevel, "waiting for the twin to end before the standby's pod is replaced");
            draft.lookAgain(Planner.SOON);
            return;
        }
        draft.doing(
                Reason.ChangingLevel,
                "replacing the standby's pod " + pod.name() + " by one "
                        + switch (wanted(copy)) {
                            case MIRROR -> "without a guest";
                            case RUNNER -> "with a guest";
                            case TWIN -> "with memory for a twin";
                        }
                        + seen.refused(MirrorOrder.Leave.class));
        boolean patienceOver = pod.replacingSince()
                .filter(since -> Duration.between(since, seen.now()).compareTo(LEAVE_PATIENCE) >= 0)
                .isPresent();
        if (pod.replacingSince().isEmpty()) {
            draft.act(new Action.MarkReplacing(pod));
        }
        if (seen.inSync(copy) && !patienceOver) {
            draft.act(new Action.SendOrder(
                    arbiter.get().active(), new MirrorOrder.Leave(arbiter.get().epoch(), copy)));
            draft.lookAgain(Duration.ofMillis(500));
        } else {
            draft.act(new Action.DeletePod(pod, STANDBY_GRACE_SECONDS, "the level asks for another shape"));
        }
    }
}
