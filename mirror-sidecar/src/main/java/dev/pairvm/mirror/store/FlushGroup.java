package dev.pairvm.mirror.store;

import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Group commit of one disk's flushes: whatever arrives while one runs shares the next. A flush that is already running can not
 * be joined, for it may have passed the point where the newcomer's writes would have been covered.
 *
 * <p>Used on the event loop only; the flush itself runs on a worker.
 */
final class FlushGroup {
    private final DiskStore store;
    private final IoWorkers workers;
    private final Executor loop;
    private final Runnable onWorker = this::flush;
    private final Runnable onLoop = this::flushed;
    private ArrayDeque<IoCompletion> running = new ArrayDeque<>();
    private ArrayDeque<IoCompletion> waiting = new ArrayDeque<>();
    private boolean busy;
    private long since;
    private long waitingSince;
    // Handed between loop and worker by the executors' own ordering.
    private @Nullable DiskException outcome;

    FlushGroup(DiskStore store, IoWorkers workers, Executor loop) {
        this.store = store;
        this.workers = workers;
        this.loop = loop;
    }

    /** When the flush under way began, by {@link #add}'s clock; 0 if there is none. */
    long since() {
        return busy ? since : 0;
    }

    /** {@code now}: roughly, of the caller's clock. */
    void add(IoCompletion done, long now) {
        if (waiting.isEmpty()) {
            waitingSince = now;
        }
        waiting.add(done);
        if (!busy) {
            startNext();
        }
    }

    private void startNext() {
        busy = true;
        since = waitingSince;
        ArrayDeque<IoCompletion> next = waiting;
        waiting = running;
        running = next;
        workers.submit(onWorker);
    }

    private void flush() {
        try {
            store.flush();
            outcome = null;
        } catch (DiskException e) {
            outcome = e;
        }
        loop.execute(onLoop);
    }

    private void flushed() {
        DiskException failure = outcome;
        IoCompletion done;
        // Still busy: who asks for a flush from within these calls waits for the next one.
        while ((done = running.poll()) != null) {
            done.ioDone(failure);
        }
        busy = false;
        if (!waiting.isEmpty()) {
            startNext();
        }
    }
}
