package dev.pairvm.mirror.core;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Interval locks of one disk, first come first served. Overlapping writes must land in the same order on both copies, so the
 * second waits; a read waits for a write and a write for a read of the same bytes, so that nobody ever sees bytes of a write that
 * is not yet acknowledged and could still vanish; resync takes the range that it compares. Waiting in order of arrival also keeps a
 * guest that rewrites one range for ever from starving the resync.
 *
 * <p>A list, not a tree: a few dozen requests are in flight, and comparing them costs less than balancing.
 */
final class RangeLocks {
    /** Something that holds or waits for a range. */
    abstract static class Holder {
        final int disk;
        final long offset;
        final long length;
        final boolean exclusive;
        private boolean granted;

        Holder(int disk, long offset, long length, boolean exclusive) {
            this.disk = disk;
            this.offset = offset;
            this.length = length;
            this.exclusive = exclusive;
        }

        /** Called once, inside {@link #acquire} or a later {@link #release} of another. */
        abstract void granted();

        private boolean conflicts(Holder other) {
            return (exclusive || other.exclusive)
                    && offset < other.offset + other.length
                    && other.offset < offset + length;
        }
    }

    private final List<Holder> holders = new ArrayList<>();
    private final Rules rules;

    RangeLocks(Rules rules) {
        this.rules = rules;
    }

    void acquire(Holder holder) {
        holders.add(holder);
        if (free(holder, holders.size() - 1)) {
            holder.granted = true;
            holder.granted();
        }
    }

    /** Gives up a lock or a place in the queue; those behind may be granted inside. */
    void release(Holder holder) {
        int at = holders.indexOf(holder);
        ProtocolBugException.check(at >= 0, "only a holder releases", holder.offset);
        holders.remove(at);
        List<Holder> next = List.of(); // mostly nobody waits
        for (int i = at; i < holders.size(); i++) {
            Holder waiting = holders.get(i);
            if (!waiting.granted && waiting.conflicts(holder) && free(waiting, i)) {
                waiting.granted = true;
                if (next.isEmpty()) {
                    next = new ArrayList<>(2);
                }
                next.add(waiting);
            }
        }
        for (int i = 0; i < next.size(); i++) {
            next.get(i).granted();
        }
    }

    /** All holders in order of arrival; the list must not change meanwhile. */
    void forEach(Consumer<Holder> action) {
        List.copyOf(holders).forEach(action);
    }

    /** All holders in order of arrival, to look at. */
    List<Holder> all() {
        return java.util.Collections.unmodifiableList(holders);
    }

    int size() {
        return holders.size();
    }

    void clear() {
        holders.clear();
    }

    private boolean free(Holder holder, int before) {
        if (!rules.locksRanges()) {
            return true;
        }
        for (int i = 0; i < before; i++) {
            if (holders.get(i).conflicts(holder)) {
                return false;
            }
        }
        return true;
    }
}
