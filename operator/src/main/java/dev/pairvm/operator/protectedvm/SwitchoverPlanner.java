package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.operator.placement.NodeFact;
import java.util.Optional;

/**
 * Moves the guest away from a node that is being drained, and from a disk that died. Operations send their own orders; both need the target's pod to be able to
 * run a guest, which is why the target is known to the {@link PodPlanner} too.
 */
final class SwitchoverPlanner {
    private final Observation seen;
    private final Optional<CopyId> target;
    private final Draft draft;

    SwitchoverPlanner(Observation seen, Optional<CopyId> target, Draft draft) {
        this.seen = seen;
        this.target = target;
        this.draft = draft;
    }

    /** The copy that is to become active, by an operation or a drain; empty where there is none that could. */
    static Optional<CopyId> target(Observation seen) {
        if (!seen.switchover() && !draining(seen) && !FailedDisks.servedByPeer(seen)) {
            return Optional.empty();
        }
        return seen.standby()
                .filter(copy -> seen.nodeFactOf(copy).filter(NodeFact::usable).isPresent());
    }

    /** Whether the active's node is cordoned but works. */
    static boolean draining(Observation seen) {
        return seen.machine().spec().running()
                && seen.active()
                        .flatMap(seen::nodeFactOf)
                        .filter(node -> node.ready() && !node.schedulable())
                        .isPresent();
    }

    void plan() {
        if (FailedDisks.servedByPeer(seen)) {
            leaveTheDeadDisk();
            return;
        }
        if (!draining(seen)) {
            return;
        }
        if (target.isEmpty()) {
            draft.doing(Reason.Draining, "the active's node is cordoned and there is no standby to move to");
            draft.lookAgain(Planner.SOON);
            return;
        }
        CopyId to = target.get();
        draft.doing(
                Reason.Draining,
                "the active's node is cordoned; the guest moves to copy " + to
                        + seen.refused(MirrorOrder.Switchover.class));
        draft.lookAgain(Planner.SOON);
        if (ready(seen, to)) {
            seen.arbiterRecord()
                    .ifPresent(arbiter -> draft.act(
                            new Action.SendOrder(arbiter.active(), new MirrorOrder.Switchover(arbiter.epoch(), to))));
        }
    }

    /**
     * The guest is served by the other host's disk: it goes there. By a switchover where a guest can be taken over; else, at
     * HighAvailability, by a restart, which is what that level promises for a dead disk. Only to a copy that is seen to be well: it is the
     * last one.
     */
    private void leaveTheDeadDisk() {
        CopyId from = seen.active().orElseThrow();
        draft.doing(Reason.DiskFailed, FailedDisks.sentence(seen, from) + seen.refused(MirrorOrder.Switchover.class));
        draft.lookAgain(Planner.SOON);
        Optional<CopyId> to = target.filter(copy -> seen.inSync(copy)
                && seen.report(copy)
                        .filter(report -> report.role() == MirrorReport.Role.STANDBY)
                        .isPresent());
        if (to.isEmpty() || seen.servingActive().isEmpty()) {
            return;
        }
        if (ready(seen, to.get())) {
            seen.arbiterRecord()
                    .ifPresent(arbiter -> draft.act(new Action.SendOrder(
                            arbiter.active(), new MirrorOrder.Switchover(arbiter.epoch(), to.get()))));
        } else if (seen.pod(to.get()).filter(pod -> !pod.runner()).isPresent()) {
            seen.pod(from)
                    .filter(pod -> !pod.deleting())
                    .ifPresent(pod -> draft.act(new Action.DeletePod(
                            pod,
                            PodPlanner.STANDBY_GRACE_SECONDS,
                            "its disk failed; the guest restarts where its data are")));
        }
    }

    /** Whether a switchover to this copy can be ordered now. */
    static boolean ready(Observation seen, CopyId to) {
        return seen.inSync(to)
                && seen.servingActive()
                        .filter(report -> report.guest() == MirrorReport.Guest.RUNNING)
                        .isPresent()
                && seen.report(to)
                        .filter(report -> report.runner() && report.role() == MirrorReport.Role.STANDBY)
                        .isPresent();
    }
}
