package dev.pairvm.mirror.core;

import org.jspecify.annotations.Nullable;

/** Time, tokens and the way out for effects, shared by the components of one core. */
final class Outbox {
    private static final long NANOS_PER_MILLI = 1_000_000;

    private @Nullable EffectSink sink;
    private long now;
    private long tokens;

    void begin(long at, EffectSink to) {
        ProtocolBugException.check(at >= now, "time does not run backwards", now - at);
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

    /** The time this many milliseconds from now. */
    long after(long millis) {
        return now + millis * NANOS_PER_MILLI;
    }

    /** Rising for each call, so that the order of two requests can be told by their tokens. */
    long token() {
        return ++tokens;
    }
}
