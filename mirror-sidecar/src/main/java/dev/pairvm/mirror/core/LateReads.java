package dev.pairvm.mirror.core;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Local reads that the device has not answered in time and that the in-sync peer answered in its place. The device may still write into
 * the buffers that they were given, so those are kept, aside, until it has answered, and what it says then counts for nothing.
 *
 * <p>Bounded: a device that owes {@link #MOST} answers is asked for no more; the peer is, at once.
 */
final class LateReads {
    /** A read that takes longer is asked of the peer as well. */
    static final long LATE_NANOS = 500_000_000L;
    /** As many as the workers of a disk: more would only wait behind these. */
    static final int MOST = 4;

    private final List<GuestRequest> owed = new ArrayList<>();

    /** The peer has answered this read first. */
    void add(GuestRequest read) {
        owed.add(read);
    }

    /** The device has answered at last. Whether it was one of these. */
    boolean returned(long io) {
        for (int i = 0; i < owed.size(); i++) {
            if (owed.get(i).io == io) {
                owed.remove(i);
                return true;
            }
        }
        return false;
    }

    /** Whether this disk's device is not to be asked for a read now. */
    boolean owesTooMuch(int disk) {
        int count = 0;
        for (int i = 0; i < owed.size(); i++) {
            count += owed.get(i).disk == disk ? 1 : 0;
        }
        return count >= MOST;
    }

    /** A disk that was asked before this, by {@link Outbox#wakingNanos}; null if there is none. */
    @Nullable
    DiskFault stuck(long before) {
        for (GuestRequest read : owed) {
            if (read.localSince < before) {
                return DiskFault.stuck(Event.LocalFailed.Kind.READ, read.disk);
            }
        }
        return null;
    }
}
