package dev.pairvm.mirror.network;

import java.util.function.LongSupplier;

/**
 * The dead man's switch: the guest's packets pass, in both directions, only while an element with a timeout lives in a set of the
 * kernel's packet filter. If this process stalls or dies the kernel closes the gate by itself.
 *
 * <p>All methods may be called from any thread; each is one request to the kernel, answered in well under a millisecond as a rule
 * and given up after 200 ms. When a renewal fails the gate is left to close by itself, which is the safe side.
 */
public final class Gate implements AutoCloseable {

    Gate(LongSupplier bootNanos) {
        throw new UnsupportedOperationException();
    }

    /**
     * Keeps the gate open until then, and no longer. A time that has passed closes it.
     *
     * @param untilNanos nanoseconds of CLOCK_BOOTTIME
     */
    public void renew(long untilNanos) throws NetworkException {
        throw new UnsupportedOperationException();
    }

    /** Opens it without end, for an active that the arbiter recorded as alone: no other side can be promoted. */
    public void openUnlimited() throws NetworkException {
        throw new UnsupportedOperationException();
    }

    /** Closes it now; when this returns normally the kernel has done so. */
    public void shut() throws NetworkException {
        throw new UnsupportedOperationException();
    }

    /** Gives back the socket. The gate stays as it is: open until its timeout. */
    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }
}
