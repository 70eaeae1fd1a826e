package dev.pairvm.mirror.core;

import java.util.List;
import java.util.Optional;

/**
 * The pair protocol of one machine on one side. Not thread-safe: all steps on one thread. Deterministic: the same configuration
 * and the same events give the same effects.
 */
public final class PairCore {
    private final CoreConfig config;

    /** A core that waits for {@link Event.Started}. */
    public PairCore(CoreConfig config) {
        this.config = config;
    }

    /**
     * Takes one event.
     *
     * @param now CLOCK_BOOTTIME in nanoseconds, never less than at the step before
     * @throws ProtocolBugException if an invariant of the core is broken: stop serving and restart
     */
    public void step(long now, Event event, EffectSink out) {
        ProtocolBugException.check(now >= 0, "time is not negative", now);
        throw new UnsupportedOperationException("step of " + config.self() + ": " + event + out);
    }

    /** A snapshot for reports. */
    public CoreView view() {
        return new CoreView(
                Role.IDLE,
                CopyState.BLANK,
                0,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                List.of(),
                List.of(),
                0);
    }
}
