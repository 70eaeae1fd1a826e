package dev.pairvm.operator.protectedvm;

import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConditionBuilder;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Builds the list of conditions. {@code lastTransitionTime} moves only when a status changes, not with its reason or message. */
final class Conditions {
    /** The API's bound is 32 KiB; nobody reads that. */
    private static final int LONGEST_MESSAGE = 1024;

    private final List<Condition> before;
    private final long generation;
    private final Instant now;
    private final List<Condition> after = new ArrayList<>();

    Conditions(List<Condition> before, long generation, Instant now) {
        this.before = before;
        this.generation = generation;
        this.now = now;
    }

    /** What a condition says. */
    enum Answer {
        True,
        False,
        /** Not known; neither of the two on the way to a decision. */
        Unknown
    }

    Conditions put(String type, Answer answer, Reason reason, String message) {
        String at = before.stream()
                .filter(condition -> condition.getType().equals(type))
                .filter(condition -> condition.getStatus().equals(answer.name()))
                .map(Condition::getLastTransitionTime)
                .findFirst()
                .orElse(now.truncatedTo(ChronoUnit.SECONDS).toString());
        after.add(new ConditionBuilder()
                .withType(type)
                .withStatus(answer.name())
                .withReason(reason.name())
                .withMessage(message.substring(0, Math.min(LONGEST_MESSAGE, message.length())))
                .withObservedGeneration(generation)
                .withLastTransitionTime(at)
                .build());
        return this;
    }

    List<Condition> list() {
        return List.copyOf(after);
    }

    static Optional<Condition> find(List<Condition> conditions, String type) {
        return conditions.stream()
                .filter(condition -> condition.getType().equals(type))
                .findFirst();
    }
}
