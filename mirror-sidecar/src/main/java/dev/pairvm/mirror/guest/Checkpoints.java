package dev.pairvm.mirror.guest;

import java.time.Duration;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Counts the checkpoints of a twinning by the pauses that QEMU reports: {@code STOP} begins one, {@code RESUME} ends it. QEMU has no
 * event or query of its own for them, nor for their cause; what came clearly before the interval was over is {@code early}: the
 * twin's packets differed, or somebody asked. On the event loop.
 */
public final class Checkpoints {
    /** QEMU's timer and its event are never so far apart on a machine that is not overloaded. */
    private static final double EARLY_PART = 0.9;

    /**
     * Figures since the twinning began.
     *
     * @param completed checkpoints that ended
     * @param early of these: before the interval was over, so because packets differed or by order
     * @param lastPause of the last one; zero before the first
     * @param longestPause of all
     * @param totalPause of all
     * @param age since the last one ended, or since the twinning began
     */
    public record Figures(
            long completed, long early, Duration lastPause, Duration longestPause, Duration totalPause, Duration age) {}

    private final LongSupplier nanos;
    private Duration interval;
    private long completed;
    private long early;
    private long lastMicros;
    private long longestMicros;
    private long totalMicros;
    private long endedNanos;
    private @Nullable QmpEvent stopped;
    private long stoppedNanos;
    private long earlierStopNanos;

    Checkpoints(LongSupplier nanos, Duration interval) {
        this.nanos = nanos;
        this.interval = interval;
        this.endedNanos = nanos.getAsLong();
        this.earlierStopNanos = endedNanos;
    }

    void interval(Duration wished) {
        interval = wished;
    }

    /** @return whether a checkpoint ended with it */
    boolean heard(QmpEvent event) {
        switch (event.name()) {
            case "STOP" -> {
                stopped = event;
                stoppedNanos = nanos.getAsLong();
            }
            case "RESUME" -> {
                QmpEvent began = stopped;
                stopped = null;
                if (began != null) {
                    ended(began, event);
                    return true;
                }
            }
            default -> {}
        }
        return false;
    }

    private void ended(QmpEvent began, QmpEvent resumed) {
        endedNanos = nanos.getAsLong();
        // QEMU's own times where it has them: this loop may have been busy. They are wall clock, which may be set.
        long pause = began.micros() >= 0 && resumed.micros() >= began.micros()
                ? resumed.micros() - began.micros()
                : (endedNanos - stoppedNanos) / 1000;
        completed++;
        lastMicros = pause;
        longestMicros = Math.max(longestMicros, pause);
        totalMicros += pause;
        if (completed > 1 && stoppedNanos - earlierStopNanos < interval.toNanos() * EARLY_PART) {
            early++;
        }
        earlierStopNanos = stoppedNanos;
    }

    long completed() {
        return completed;
    }

    /** Time since the last checkpoint ended, or since the twinning began. */
    Duration age() {
        return Duration.ofNanos(nanos.getAsLong() - endedNanos);
    }

    Figures figures() {
        return new Figures(completed, early, micros(lastMicros), micros(longestMicros), micros(totalMicros), age());
    }

    private static Duration micros(long value) {
        return Duration.ofNanos(value * 1000);
    }
}
