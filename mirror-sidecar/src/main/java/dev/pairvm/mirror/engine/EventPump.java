package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.EffectSink;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.PairCore;
import java.util.ArrayDeque;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * Feeds the core one event at a time and has its effects begun in their order. An effect that ends at once (a small write) posts
 * its event from inside: that event waits until the effects of the running step have begun, so that neither the core nor the
 * order is re-entered.
 */
final class EventPump {
    private final PairCore core;
    private final LongSupplier clock;
    private final Consumer<Effect> executor;
    private final Runnable afterStep;
    private final ArrayDeque<Event> events = new ArrayDeque<>();
    private final ArrayDeque<Effect> effects = new ArrayDeque<>();
    private final EffectSink sink = effects::add;
    private boolean running;

    /**
     * Over one core.
     *
     * @param clock CLOCK_BOOTTIME in nanoseconds
     * @param executor begins one effect
     * @param afterStep called when the effects of a step have begun
     */
    EventPump(PairCore core, LongSupplier clock, Consumer<Effect> executor, Runnable afterStep) {
        this.core = core;
        this.clock = clock;
        this.executor = executor;
        this.afterStep = afterStep;
    }

    /** Takes an event; on the event loop only. */
    void post(Event event) {
        events.add(event);
        if (running) {
            return;
        }
        running = true;
        try {
            for (Event next = events.poll(); next != null; next = events.poll()) {
                core.step(clock.getAsLong(), next, sink);
                for (Effect effect = effects.poll(); effect != null; effect = effects.poll()) {
                    executor.accept(effect);
                }
                afterStep.run();
            }
        } finally {
            running = false;
        }
    }
}
