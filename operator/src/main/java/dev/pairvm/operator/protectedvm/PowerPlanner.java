package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ConditionType;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/**
 * The wished power state. A guest that switched itself off stays off; one that was switched off by wish is switched on by wish. Which of
 * the two it was is remembered in the reason of the condition Ready.
 */
final class PowerPlanner {
    private static final Set<Reason> OFF_BY_WISH = EnumSet.of(Reason.Stopping, Reason.Stopped, Reason.Starting);
    private static final Set<MirrorReport.Guest> ON =
            EnumSet.of(MirrorReport.Guest.RUNNING, MirrorReport.Guest.CRASHED);

    private final Observation seen;
    private final Draft draft;

    PowerPlanner(Observation seen, Draft draft) {
        this.seen = seen;
        this.draft = draft;
    }

    void plan() {
        boolean wished = seen.machine().spec().running();
        Optional<MirrorReport> active = seen.servingActive();
        if (active.isEmpty()) {
            return;
        }
        boolean on = ON.contains(active.get().guest());
        if (!wished && on) {
            order(false);
        } else if (wished && !on && offByWish(seen)) {
            order(true);
        }
    }

    private void order(boolean running) {
        int grace = seen.machine().spec().template().spec().terminationGracePeriodSeconds();
        seen.arbiterRecord()
                .ifPresent(arbiter -> draft.act(new Action.SendOrder(
                        arbiter.active(), new MirrorOrder.SetRunning(arbiter.epoch(), running, grace))));
        draft.lookAgain(Planner.SOON);
    }

    /** Whether the guest was off because the user wished so. */
    static boolean offByWish(Observation seen) {
        return seen.before().conditions().stream()
                .filter(condition -> condition.getType().equals(ConditionType.READY))
                .anyMatch(condition ->
                        OFF_BY_WISH.stream().anyMatch(reason -> reason.name().equals(condition.getReason())));
    }
}
