package dev.pairvm.mirror.guest;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;

/**
 * What a twinning waits for: a named event or the answer to a command, each with a bound; all of it can be given up at once. On the
 * event loop.
 */
final class Waits {
    private final ColoPort port;
    private final List<Wait> open = new ArrayList<>();

    private record Wait(Predicate<QmpEvent> wanted, CompletableFuture<QmpEvent> future) {}

    Waits(ColoPort port) {
        this.port = port;
    }

    /**
     * The next event that pleases. To be called before the command that leads to it.
     *
     * @param what for the message when the limit is over: "the guest to resume"
     */
    CompletableFuture<QmpEvent> event(String what, Duration limit, Predicate<QmpEvent> wanted) {
        Wait wait = new Wait(wanted, new CompletableFuture<>());
        open.add(wait);
        port.later(
                limit,
                () -> wait.future.completeExceptionally(
                        new GuestException("waited " + limit.toMillis() + " ms in vain for " + what)));
        wait.future.whenComplete((_, _) -> open.remove(wait));
        return wait.future;
    }

    /** The same event, but not later than this from now on. */
    CompletableFuture<QmpEvent> within(Duration limit, CompletableFuture<QmpEvent> awaited) {
        port.later(
                limit,
                () -> awaited.completeExceptionally(
                        new GuestException("waited " + limit.toMillis() + " ms in vain for QEMU's switch")));
        return awaited;
    }

    /** The same future, but failing at once when everything is given up. */
    <T> CompletableFuture<T> orGivenUp(CompletableFuture<T> awaited) {
        CompletableFuture<T> result = new CompletableFuture<>();
        Wait wait = new Wait(event -> false, new CompletableFuture<>());
        open.add(wait);
        wait.future.whenComplete((_, why) -> {
            if (why != null) {
                result.completeExceptionally(why);
            }
        });
        awaited.whenComplete((value, failure) -> {
            open.remove(wait);
            if (failure == null) {
                result.complete(value);
            } else {
                result.completeExceptionally(failure);
            }
        });
        return result;
    }

    void heard(QmpEvent event) {
        for (Wait each : List.copyOf(open)) {
            if (each.wanted.test(event)) {
                each.future.complete(event);
            }
        }
    }

    /** Whoever waits fails with this. */
    void giveUp(GuestException why) {
        for (Wait each : List.copyOf(open)) {
            each.future.completeExceptionally(why);
        }
        open.clear();
    }
}
