package dev.pairvm.e2e.guest;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** Durations of one kind, and what is usual and what is worst among them. One thread at a time. */
public final class Distribution {
    private final List<Duration> sorted = new ArrayList<>();

    /** One more. */
    public void add(Duration duration) {
        int at = Collections.binarySearch(sorted, duration);
        sorted.add(at < 0 ? -at - 1 : at, duration);
    }

    /** How many there are. */
    public int count() {
        return sorted.size();
    }

    /** The least duration that so many hundredths of all do not exceed; zero of none. */
    public Duration percentile(int hundredths) {
        if (hundredths < 0 || hundredths > 100) {
            throw new IllegalArgumentException("hundredths must be from 0 to 100, got " + hundredths);
        }
        if (sorted.isEmpty()) {
            return Duration.ZERO;
        }
        int rank = (int) Math.ceil(hundredths / 100.0 * sorted.size());
        return sorted.get(Math.max(rank, 1) - 1);
    }

    /** The longest; zero of none. */
    public Duration max() {
        return percentile(100);
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "p50 %.1f ms, p99 %.1f ms, max %.1f ms of %d",
                millis(percentile(50)),
                millis(percentile(99)),
                millis(max()),
                count());
    }

    private static double millis(Duration duration) {
        return duration.toNanos() / 1e6;
    }
}
