package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.operator.desired.MirrorConfiguration;
import java.util.Optional;

/**
 * Tells the active whether the guest shall have a twin, and how its checkpoints go, as long as its report says otherwise. Whatever needs the
 * standby without a twin (a smaller pod, a larger disk) waits until the report says that there is none.
 */
final class TwinPlanner {
    private final Observation seen;
    private final Optional<CopyId> switchoverTarget;
    private final Draft draft;

    TwinPlanner(Observation seen, Optional<CopyId> switchoverTarget, Draft draft) {
        this.seen = seen;
        this.switchoverTarget = switchoverTarget;
        this.draft = draft;
    }

    void plan() {
        Optional<MirrorReport.Twin> told = seen.servingActive().flatMap(MirrorReport::twin);
        if (told.isEmpty() || seen.arbiterRecord().isEmpty()) {
            return;
        }
        TwinWish wish = TwinWish.of(seen);
        MirrorConfig.Checkpoint checkpoint = MirrorConfiguration.checkpoint(seen.machine());
        MirrorReport.Twin twin = told.get();
        if (twin.wished() == wish.on() && twin.checkpoint().equals(checkpoint)) {
            return;
        }
        if (wish.on() && !twin.wished() && switchoverTarget.isPresent()) {
            return; // where the guest is going it is decided anew
        }
        draft.doing(
                Reason.ChangingLevel,
                wish.held()
                                .map(Plan.Doing::message)
                                .orElse(wish.on() ? "the guest is to have a twin" : "the guest is to have no twin")
                        + seen.refused(MirrorOrder.SetTwin.class));
        draft.act(new Action.SendOrder(
                seen.arbiterRecord().get().active(),
                new MirrorOrder.SetTwin(seen.arbiterRecord().get().epoch(), wish.on(), checkpoint)));
        draft.lookAgain(Planner.SOON);
    }

    /** Whether the active has no twin, is not to have one, and is not about to end one. */
    static boolean free(Observation seen) {
        return seen.servingActive()
                .flatMap(MirrorReport::twin)
                .filter(twin -> twin.wished() || twin.state() != MirrorReport.TwinState.NONE)
                .isEmpty();
    }
}
