package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.network.NetworkException;

/** The gate of the guest's packets. */
interface GatePort {
    /** Open until then, nanoseconds of CLOCK_BOOTTIME. */
    void renew(long untilNanos) throws NetworkException;

    /** Open without end. */
    void openUnlimited() throws NetworkException;

    /** Closed when this returns. */
    void shut() throws NetworkException;
}
