package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * The end of a machine: stop the guest, then the pods, and the Lease last, for as long as a mirror runs somebody may ask it who is
 * active. Each step has a limit, so that a silent mirror or a dead node can not hold the deletion for ever. Claims that are to go belong
 * to the ProtectedVM and go with it; the others stay.
 */
public final class DeletionPlanner {
    /** What a guest's grace is extended by before its pod is simply deleted. */
    private static final Duration MARGIN = Duration.ofSeconds(30);

    /** Pure; nothing to give. */
    public DeletionPlanner() {}

    /**
     * What to do next. The machine is gone when the plan has no actions and {@link #finished}.
     *
     * @param since when the ProtectedVM was deleted
     */
    public Plan plan(Observation seen, Instant since) {
        Draft draft = new Draft(Planner.SOON);
        Duration grace =
                Duration.ofSeconds(seen.machine().spec().template().spec().terminationGracePeriodSeconds());
        Duration elapsed = Duration.between(since, seen.now());
        draft.doing(Reason.Deleting, "the machine is being deleted");
        Optional<MirrorReport> active = seen.servingActive();
        boolean guestOn = active.filter(report ->
                        report.guest() == MirrorReport.Guest.RUNNING || report.guest() == MirrorReport.Guest.CRASHED)
                .isPresent();
        if (guestOn && elapsed.compareTo(grace.plus(MARGIN)) < 0) {
            seen.arbiterRecord()
                    .ifPresent(arbiter -> draft.act(new Action.SendOrder(
                            arbiter.active(), new MirrorOrder.SetRunning(arbiter.epoch(), false, grace.toSeconds()))));
            return draft.plan();
        }
        for (PodFact pod : seen.pods().values()) {
            boolean patienceOver = pod.deletingSince()
                    .filter(at -> Duration.between(at, seen.now()).compareTo(MARGIN) >= 0 && seen.nodeOut(pod.copy()))
                    .isPresent();
            if (!pod.deleting()) {
                draft.act(new Action.DeletePod(pod, PodPlanner.STANDBY_GRACE_SECONDS, "the machine is deleted"));
            } else if (patienceOver) {
                draft.act(new Action.DeletePod(pod, 0, "the machine is deleted and the pod's node is out"));
            }
        }
        if (seen.pods().isEmpty() && ours(seen)) {
            draft.act(new Action.DeleteLease());
        }
        return draft.plan();
    }

    /** Whether nothing is left that needs the operator. */
    public boolean finished(Observation seen) {
        return seen.pods().isEmpty() && !ours(seen);
    }

    private static boolean ours(Observation seen) {
        return switch (seen.arbiter()) {
            case ArbiterFact.Missing missing -> false;
            case ArbiterFact.Damaged damaged -> damaged.ours();
            case ArbiterFact.Known known -> true;
        };
    }
}
