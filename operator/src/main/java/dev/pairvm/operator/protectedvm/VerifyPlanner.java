package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.Verification;
import java.time.Duration;

/** Has the copies compared when it is time: only while both are in sync, and nothing else goes on. Operations send their own orders. */
final class VerifyPlanner {
    private final Observation seen;
    private final Draft draft;

    VerifyPlanner(Observation seen, Draft draft) {
        this.seen = seen;
        this.draft = draft;
    }

    void plan() {
        Verification known = VerificationView.of(seen);
        String next = known.next();
        if (next == null) {
            return;
        }
        Duration left = Duration.between(seen.now(), VerificationView.time(next));
        if (left.isPositive()) {
            draft.lookAgain(left.plusSeconds(1));
        } else if (quiet()) {
            seen.arbiterRecord()
                    .ifPresent(arbiter -> draft.act(new Action.SendOrder(
                            arbiter.active(), new MirrorOrder.Verify(arbiter.epoch(), "scheduled-" + next))));
        }
    }

    private boolean quiet() {
        return seen.current().size() >= 2
                && !seen.switchover()
                && !SwitchoverPlanner.draining(seen)
                && seen.servingActive()
                        .filter(active -> active.verify()
                                .filter(run -> run.state() == MirrorReport.VerifyState.RUNNING)
                                .isEmpty())
                        .isPresent();
    }
}
