package dev.pairvm.mirror.core.sim;

import java.util.function.Supplier;

/** An invariant that does not hold ends the simulation. */
final class Checks {
    private Checks() {}

    static final class Violation extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Violation(String message) {
            super(message);
        }
    }

    static void that(boolean holds, String invariant, Supplier<String> facts) {
        if (!holds) {
            throw new Violation(invariant + ": " + facts.get());
        }
    }
}
