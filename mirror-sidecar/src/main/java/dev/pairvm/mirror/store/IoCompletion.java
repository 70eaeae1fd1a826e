package dev.pairvm.mirror.store;

import org.jspecify.annotations.Nullable;

/**
 * Told once when an asynchronous disk operation has ended. Implement it on the object that already exists per request, so that
 * nothing is allocated for the call.
 */
@FunctionalInterface
public interface IoCompletion {
    /**
     * The operation ended. Runs on the event loop; for small operations before the call that started it returned.
     *
     * @param failure why it failed, {@code null} when it succeeded
     */
    void ioDone(@Nullable DiskException failure);
}
