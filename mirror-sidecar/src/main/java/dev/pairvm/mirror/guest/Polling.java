package dev.pairvm.mirror.guest;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * Asks again and again, until the answer pleases or a question fails; the bound is the question's. Flat: no attempt hangs on the one before
 * it. Futures nested once for each attempt complete one inside the other, and a long wait then ends in a stack that is too small, without
 * anybody being told. On the event loop.
 */
final class Polling {
    /** A timer of the event loop. */
    @FunctionalInterface
    interface Timer {
        void later(Duration delay, Runnable task);
    }

    private Polling() {}

    /** {@code ask} gives what is wanted, or nothing yet: then it is asked again after {@code pause}. */
    static <T> CompletableFuture<T> until(Timer timer, Duration pause, Supplier<CompletableFuture<Optional<T>>> ask) {
        CompletableFuture<T> result = new CompletableFuture<>();
        attempt(timer, pause, ask, result);
        return result;
    }

    private static <T> void attempt(
            Timer timer, Duration pause, Supplier<CompletableFuture<Optional<T>>> ask, CompletableFuture<T> result) {
        CompletableFuture<Optional<T>> answer;
        try {
            answer = ask.get();
        } catch (RuntimeException e) {
            result.completeExceptionally(e); // a timer's task has nobody else to tell
            return;
        }
        answer.whenComplete((found, failure) -> {
            if (failure != null) {
                result.completeExceptionally(failure);
            } else if (found.isPresent()) {
                result.complete(found.get());
            } else {
                timer.later(pause, () -> attempt(timer, pause, ask, result));
            }
        });
    }

    /** An answer that needs no question. */
    static <T> CompletableFuture<Optional<T>> now(T found) {
        return CompletableFuture.completedFuture(Optional.of(found));
    }

    static <T> CompletableFuture<Optional<T>> notYet() {
        return CompletableFuture.completedFuture(Optional.empty());
    }
}
