package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.control.Health;
import dev.pairvm.mirror.link.MonotonicClock;
import java.util.concurrent.TimeUnit;

/** Alive: the loop ticks. Ready: the copy is open and the NBD server listens, which is so from the first answer on. */
final class Healthy implements Health {
    private static final long STALLED_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final MirrorEngine engine;
    private final MonotonicClock clock;

    Healthy(MirrorEngine engine, MonotonicClock clock) {
        this.engine = engine;
        this.clock = clock;
    }

    @Override
    public State live() {
        long age = clock.nanos() - engine.lastTickNanos();
        return age < STALLED_NANOS
                ? new State.Good()
                : new State.Bad("the event loop has not come round for " + TimeUnit.NANOSECONDS.toMillis(age) + " ms");
    }

    @Override
    public State ready() {
        return new State.Good();
    }
}
