package dev.pairvm.e2e.guest;

import java.time.Duration;

/** When something was last heard, and the longest time that it was not. For any thread. */
public final class GapRecorder {
    private long lastNanos = System.nanoTime();
    private long longestNanos;

    /** Something was heard. */
    synchronized void heard() {
        longestNanos = Math.max(longestNanos, silenceNanos());
        lastNanos = System.nanoTime();
    }

    private long silenceNanos() {
        return System.nanoTime() - lastNanos;
    }

    /** Time since something was heard. */
    public synchronized Duration silence() {
        return Duration.ofNanos(silenceNanos());
    }

    /** The longest silence since the last {@link #mark}; one that began before it, and one that lasts, count whole. */
    public synchronized Duration longest() {
        return Duration.ofNanos(Math.max(longestNanos, silenceNanos()));
    }

    /** Begins a new measurement. */
    public synchronized void mark() {
        longestNanos = 0;
    }
}
