package dev.pairvm.mirror.engine;

import org.jspecify.annotations.Nullable;

/** A part that others need before it exists: they hold this and ask when the first event comes. Set once, before any event. */
final class Late<T> {
    private volatile @Nullable T value;

    void set(T now) {
        if (value != null) {
            throw new IllegalStateException("set twice: " + now);
        }
        value = now;
    }

    T get() {
        T now = value;
        if (now == null) {
            throw new IllegalStateException("an event came before the mirror was put together");
        }
        return now;
    }
}
