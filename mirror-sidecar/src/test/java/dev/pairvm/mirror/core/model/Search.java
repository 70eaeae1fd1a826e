package dev.pairvm.mirror.core.model;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Breadth-first search over a small model whose states are values. */
final class Search {
    /** A model: where it begins, what can happen, what must never be. */
    interface Model<S> {
        S initial();

        void successors(S state, Steps<S> out);

        /** The invariant that does not hold, empty if all do. */
        String violated(S state);
    }

    /** Takes what can happen next. */
    interface Steps<S> {
        void add(String action, S next);
    }

    private record From<S>(@Nullable S before, String action) {}

    private Search() {}

    static <S> Explorer.Result explore(Model<S> model) {
        Map<S, From<S>> seen = new HashMap<>();
        ArrayDeque<S> open = new ArrayDeque<>();
        S first = model.initial();
        seen.put(first, new From<>(null, ""));
        open.add(first);
        for (S state = open.poll(); state != null; state = open.poll()) {
            String violation = model.violated(state);
            if (!violation.isEmpty()) {
                return new Explorer.Result(violation, path(seen, state), seen.size());
            }
            S here = state;
            model.successors(here, (action, next) -> {
                if (seen.putIfAbsent(next, new From<>(here, action)) == null) {
                    open.add(next);
                }
            });
        }
        return new Explorer.Result("", List.of(), seen.size());
    }

    private static <S> List<String> path(Map<S, From<S>> seen, S end) {
        List<String> path = new ArrayList<>();
        for (From<S> from = seen.get(end); from != null && from.before() != null; from = seen.get(from.before())) {
            path.add(from.action());
        }
        Collections.reverse(path);
        return path;
    }
}
