package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** A wait of any length ends, in a stack of any size. */
class PollingTest {
    private final ArrayDeque<Runnable> timers = new ArrayDeque<>();
    private final AtomicInteger asked = new AtomicInteger();

    private void pass() {
        for (Runnable task = timers.poll(); task != null; task = timers.poll()) {
            task.run();
        }
    }

    /** The mirror's event loop has half a megabyte: some twenty attempts inside each other were too many for it, and the guest stood still. */
    @Test
    void aHundredThousandAttemptsEndInASmallStack() throws Exception {
        CompletableFuture<String> found = Polling.until(
                (delay, task) -> timers.add(task),
                Duration.ofMillis(5),
                () -> asked.incrementAndGet() < 100_000 ? Polling.notYet() : Polling.now("there"));
        Thread small = new Thread(null, this::pass, "small", 128 << 10);
        small.start();
        small.join();
        assertThat(found).isCompletedWithValue("there");
    }

    @Test
    void aQuestionThatFailsOrThrowsEndsIt() {
        CompletableFuture<Boolean> failed = Polling.until(
                (delay, task) -> timers.add(task),
                Duration.ofMillis(5),
                () -> CompletableFuture.failedFuture(new GuestException("no")));
        assertThat(failed).isCompletedExceptionally();
        CompletableFuture<Boolean> thrown =
                Polling.until((delay, task) -> timers.add(task), Duration.ofMillis(5), () -> {
                    if (asked.incrementAndGet() == 2) {
                        throw new IllegalStateException("in a timer");
                    }
                    return CompletableFuture.completedFuture(Optional.empty());
                });
        assertThat(thrown).isNotDone();
        pass();
        assertThat(thrown).isCompletedExceptionally();
    }
}
