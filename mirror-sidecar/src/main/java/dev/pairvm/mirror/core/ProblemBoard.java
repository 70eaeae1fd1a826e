package dev.pairvm.mirror.core;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** Problems that stand, at most one of a kind; tells only changes. */
final class ProblemBoard {
    private final Outbox out;
    private final Map<Problem.Kind, Problem> standing = new EnumMap<>(Problem.Kind.class);

    ProblemBoard(Outbox out) {
        this.out = out;
    }

    void raise(Problem.Kind kind, String message, Map<String, String> facts) {
        Problem problem = new Problem(kind, message, facts);
        if (!problem.equals(standing.put(kind, problem))) {
            out.emit(new Effect.RaiseProblem(problem));
        }
    }

    void clear(Problem.Kind kind) {
        if (standing.remove(kind) != null) {
            out.emit(new Effect.ClearProblem(kind));
        }
    }

    List<Problem> all() {
        return List.copyOf(standing.values());
    }
}
