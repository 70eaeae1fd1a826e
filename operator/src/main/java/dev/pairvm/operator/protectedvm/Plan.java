package dev.pairvm.operator.protectedvm;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * What one pass is going to do.
 *
 * @param actions in order
 * @param doing what it is about, for the condition {@code Reconciling}; empty where there is nothing to do but wait and watch
 * @param stuck why nothing can be done until somebody acts, for the condition {@code Stalled}
 * @param again when to look again, though nothing happens
 */
public record Plan(List<Action> actions, List<Doing> doing, Optional<Doing> stuck, Duration again) {
    /** Copies the lists. */
    public Plan {
        actions = List.copyOf(actions);
        doing = List.copyOf(doing);
    }

    /** A reason, and a sentence. */
    public record Doing(Reason reason, String message) {}
}
