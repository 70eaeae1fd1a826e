package dev.pairvm.mirror.core;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which extents are hot: may differ between the copies after a crash of the active. An extent is durably hot before its first
 * write begins on either side, and goes cold only when every copy that follows has flushed all of it and its dirty bits are
 * durable (DRBD user guide, "activity log"). Per hot extent one {@code long} remembers the chunks written since the last flush that
 * both sides confirmed: an acknowledged write is not yet a durable one, so these are dirty when the peer vanishes.
 *
 * <p>Writes to cold extents wait in order of arrival; one record heats as many as fit.
 */
final class ActivityLog {
    private static final class Hot {
        final Extent extent;
        boolean heating;
        int inFlight;
        long unflushed;
        long flushing;
        long used;

        Hot(Extent extent) {
            this.extent = extent;
        }

        boolean clean() {
            return !heating && inFlight == 0 && (unflushed | flushing) == 0;
        }
    }

    /** Asked when only a flush can make room. */
    interface FlushWish {
        void flushFor(int disk);
    }

    private final int limit;
    private final Outbox out;
    private final Rules rules;
    private final DirtyMap dirty;
    private final FlushWish flushWish;
    private final LongTable<Hot> byKey = new LongTable<>();
    private final List<Hot> hot = new ArrayList<>();
    private final ArrayDeque<LoggedWrite> waiting = new ArrayDeque<>();
    private final List<Hot> heating = new ArrayList<>();
    private long token;
    private boolean writing;
    private long writingSince;
    private long uses;

    ActivityLog(int limit, Outbox out, Rules rules, DirtyMap dirty, FlushWish flushWish) {
        this.limit = limit;
        this.out = out;
        this.rules = rules;
        this.dirty = dirty;
        this.flushWish = flushWish;
    }

    /** Extents found hot at the start: nothing is known of them, so all their chunks may differ. */
    void found(List<Extent> extents) {
        for (Extent extent : extents) {
            Hot entry = new Hot(extent);
            entry.unflushed = -1L;
            insert(entry);
        }
    }

    /** Lets the write go on when its extents are hot: at once, or when a record is durable. */
    void enter(LoggedWrite write) {
        if (waiting.isEmpty() && allHot(write)) {
            begin(write);
        } else {
            waiting.add(write);
            pump();
        }
    }

    private boolean allHot(LoggedWrite write) {
        for (int index = write.firstExtent(); index <= write.lastExtent(); index++) {
            Hot entry = byKey.get(key(write.disk, index));
            if (entry == null || entry.heating) {
                return false;
            }
        }
        return true;
    }

    private void begin(LoggedWrite write) {
        for (int index = write.firstExtent(); index <= write.lastExtent(); index++) {
            Hot entry = existing(write.disk, index);
            entry.inFlight++;
            entry.used = ++uses;
            entry.unflushed |= DirtyMap.mask(index, write.offset, write.length);
        }
        write.logged = true;
        write.hot();
    }

    /** The write is complete. Marked again: a flush that began after the write did does not cover it. */
    void leave(LoggedWrite write) {
        for (int index = write.firstExtent(); index <= write.lastExtent(); index++) {
            Hot entry = existing(write.disk, index);
            entry.inFlight--;
            entry.unflushed |= DirtyMap.mask(index, write.offset, write.length);
        }
        if (!waiting.isEmpty()) {
            pump();
        }
    }

    void flushBegun(int disk) {
        for (Hot entry : hot) {
            if (entry.extent.disk() == disk) {
                entry.flushing |= entry.unflushed;
                entry.unflushed = 0;
            }
        }
    }

    void flushDone(int disk) {
        for (Hot entry : hot) {
            if (entry.extent.disk() == disk) {
                entry.flushing = 0;
            }
        }
        pump();
    }

    /** The peer that was asked to flush may have lost what it had: whatever its answer is, these chunks stay as they were. */
    void flushLost() {
        for (Hot entry : hot) {
            entry.unflushed |= entry.flushing;
            entry.flushing = 0;
        }
    }

    /** Adds to {@code to} every chunk that the peer has not confirmed durable. */
    void unflushedInto(DirtyMap to) {
        for (Hot entry : hot) {
            to.add(entry.extent.disk(), entry.extent.index(), entry.unflushed | entry.flushing);
        }
    }

    List<Extent> hotExtents() {
        return hot.stream().map(entry -> entry.extent).toList();
    }

    /** When the record that is not durable yet was written, by {@link Outbox#wakingNanos}; 0 if there is none. */
    long writingSince() {
        return writing ? writingSince : 0;
    }

    boolean owns(long answered) {
        return writing && answered == token;
    }

    /** The record is durable. */
    void persisted() {
        writing = false;
        for (Hot entry : heating) {
            entry.heating = false;
        }
        heating.clear();
        pump();
    }

    private void pump() {
        while (!waiting.isEmpty()) {
            LoggedWrite head = waiting.peek();
            if (allHot(head)) {
                waiting.remove();
                begin(head);
            } else if (writing || !heat()) {
                return;
            }
        }
    }

    /** Writes one record for the longest run of waiting writes that fits; false if not even the first does. */
    private boolean heat() {
        List<Extent> wanted = new ArrayList<>();
        int admitted = 0;
        long batch = ++uses;
        List<Hot> cooled = new ArrayList<>();
        for (LoggedWrite write : waiting) {
            List<Extent> more = new ArrayList<>();
            for (int index = write.firstExtent(); index <= write.lastExtent(); index++) {
                Extent extent = new Extent(write.disk, index);
                Hot entry = byKey.get(key(write.disk, index));
                if (entry != null) {
                    entry.used = batch;
                } else if (!wanted.contains(extent)) {
                    more.add(extent);
                }
            }
            if (!makeRoom(wanted.size() + more.size(), batch, cooled)) {
                break;
            }
            wanted.addAll(more);
            admitted++;
        }
        if (admitted == 0) {
            askForFlush();
        }
        if (admitted == 0 || wanted.isEmpty()) {
            // Room made for a run that then did not fit stays in the list of hot extents: its record was not written.
            cooled.forEach(this::insert);
            return false;
        }
        write(wanted, cooled);
        return true;
    }

    private void write(List<Extent> wanted, List<Hot> cooled) {
        List<DirtyMask> masks = new ArrayList<>();
        List<Extent> cool = new ArrayList<>();
        for (Hot entry : cooled) {
            cool.add(entry.extent);
            long word = dirty.word(entry.extent.disk(), entry.extent.index());
            if (word != 0) {
                masks.add(new DirtyMask(entry.extent.disk(), entry.extent.index(), word));
            }
        }
        for (Extent extent : wanted) {
            Hot entry = new Hot(extent);
            entry.used = uses;
            entry.heating = rules.heatsBeforeWriting();
            heating.add(entry);
            insert(entry);
        }
        token = out.token();
        writing = true;
        writingSince = out.wakingNanos();
        out.emit(new Effect.PersistActivityLog(token, wanted, cool, masks));
    }

    private boolean makeRoom(int wanted, long batch, List<Hot> cooled) {
        while (hot.size() + wanted > limit) {
            Hot oldest = null;
            for (Hot entry : hot) {
                if (entry.clean() && entry.used != batch && (oldest == null || entry.used < oldest.used)) {
                    oldest = entry;
                }
            }
            if (oldest == null) {
                return false;
            }
            hot.remove(oldest);
            byKey.remove(key(oldest.extent.disk(), oldest.extent.index()));
            cooled.add(oldest);
        }
        return true;
    }

    private void askForFlush() {
        for (int disk = 0; disk < dirty.disks(); disk++) {
            boolean any = false;
            for (Hot entry : hot) {
                any |= entry.extent.disk() == disk && entry.unflushed != 0;
            }
            if (any) {
                flushWish.flushFor(disk);
            }
        }
    }

    /** Everything is equal and durable on both sides: no extent need be hot. Only while nothing is in flight. */
    void forgetAll() {
        for (Hot entry : hot) {
            ProtocolBugException.check(entry.inFlight == 0, "a quiet log has nothing in flight", entry.extent);
        }
        hot.clear();
        byKey.clear();
    }

    /** The local copy is out, no record of it means anything any more: gives back the writes that wait for one. */
    List<LoggedWrite> abandon() {
        List<LoggedWrite> released = List.copyOf(waiting);
        waiting.clear();
        return released;
    }

    /** Drops what waits; the requests are being dropped by the caller. */
    void dropWaiting() {
        waiting.clear();
    }

    private void insert(Hot entry) {
        hot.add(entry);
        byKey.put(key(entry.extent.disk(), entry.extent.index()), entry);
    }

    private Hot existing(int disk, int index) {
        @Nullable Hot entry = byKey.get(key(disk, index));
        if (entry == null) {
            throw new ProtocolBugException("an extent being written is hot [" + disk + "/" + index + "]");
        }
        return entry;
    }

    private static long key(int disk, int index) {
        return ((long) disk << 32 | index) + 1;
    }
}
