package dev.pairvm.mirror.core;

import org.jspecify.annotations.Nullable;

/** Time, tokens and the way out for effects, shared by the components of one core. */
final class Outbox {
    private static final long NANOS_PER_MILLI = 1_000_000;

    private @Nullable EffectSink sink;
    /** A longer gap between two steps was this process' own pause, not somebody else's slowness. */
    private static final long LONGEST_GAP_NANOS = 100 * NANOS_PER_MILLI;

    private long now;
    private long waking;
    private long tokens;

    void begin(long at, EffectSink to) {
        ProtocolBugException.check(at >= now, "time does not run backwards", now - at);
        waking += now == 0 ? 0 : Math.min(at - now, LONGEST_GAP_NANOS);
        now = at;
        sink = to;
    }

    void end() {
        sink = null;
    }

    void emit(Effect effect) {
        EffectSink to = sink;
        if (to == null) {
            throw new ProtocolBugException("effect outside of a step [" + effect + "]");
        }
        to.emit(effect);
    }

    /** CLOCK_BOOTTIME of the running step in nanoseconds. */
    long now() {
        return now;
    }

    /**
     * Nanoseconds that this process has been awake, roughly: for judging others by their lateness. After a pause of the process, or of
     * its host, answers that came long ago are still to be taken.
     */
    long wakingNanos() {
        return waking;
    }

    /** The time this many milliseconds from now. */
    long after(long millis) {
        return now + millis * NANOS_PER_MILLI;
    }

    /** Rising for each call, so that the order of two requests can be told by their tokens. */
    long token() {
        return ++tokens;
    }
}
