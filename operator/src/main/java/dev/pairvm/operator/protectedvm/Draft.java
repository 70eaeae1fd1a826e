package dev.pairvm.operator.protectedvm;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A plan in the making; lives within one call of the planner. */
final class Draft {
    private final List<Action> actions = new ArrayList<>();
    private final List<Plan.Doing> doing = new ArrayList<>();
    private Optional<Plan.Doing> stuck = Optional.empty();
    private Duration again;

    /** {@code again} is the longest time until the next look. */
    Draft(Duration again) {
        this.again = again;
    }

    Draft act(Action action) {
        actions.add(action);
        return this;
    }

    Draft doing(Reason reason, String message) {
        doing.add(new Plan.Doing(reason, message));
        return this;
    }

    /** The first obstacle counts. */
    Draft stuck(Reason reason, String message) {
        stuck = stuck.or(() -> Optional.of(new Plan.Doing(reason, message)));
        return this;
    }

    /** Look again after this time at the latest. */
    Draft lookAgain(Duration after) {
        again = again.compareTo(after) < 0 ? again : after;
        return this;
    }

    Plan plan() {
        return new Plan(actions, doing, stuck, again);
    }
}
