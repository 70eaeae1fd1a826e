package dev.pairvm.mirror.store;

import static dev.pairvm.mirror.store.MetadataArea.ACTIVITY_RECORDS;
import static dev.pairvm.mirror.store.MetadataArea.BLOCK_BYTES;

import dev.pairvm.mirror.store.ActivityRecord.Range;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * The activity log of one disk: which extents may have been written since both copies were last known equal there. A ring of
 * {@link ActivityRecord}s; every {@link #CHANGES_PER_SNAPSHOT} changes a full snapshot is written, so that what a reader needs is
 * never overwritten.
 *
 * <p>Reading starts from the newest snapshot of which all parts are whole and applies what follows, in order. A record missing
 * that was known to be durable means damage; one missing at the end was being written at the crash, and no data were written yet
 * on the strength of it. After damage every extent counts as hot.
 */
final class ActivityRing {
    private static final int CHANGES_PER_SNAPSHOT = 64;

    /** With the changes between, two snapshots fit into the ring. */
    private static final int MAX_SNAPSHOT_PARTS = 32;

    private final MetadataArea area;
    private int diskExtents;
    private final BitSet hot;
    private final boolean damaged;
    private final MemorySegment block = Arena.ofAuto().allocate(BLOCK_BYTES, BLOCK_BYTES);
    private long sequence;
    private int changesSinceSnapshot = CHANGES_PER_SNAPSHOT;

    private ActivityRing(MetadataArea area, int diskExtents, BitSet hot, boolean damaged, long sequence) {
        this.area = area;
        this.diskExtents = diskExtents;
        this.hot = hot;
        this.damaged = damaged;
        this.sequence = sequence;
    }

    /** Reads the ring of a disk with so many extents. */
    static ActivityRing load(MetadataArea area, int diskExtents) throws DiskException {
        List<ActivityRecord> records = new ArrayList<>();
        boolean blank = true;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ring = arena.allocate((long) ACTIVITY_RECORDS * BLOCK_BYTES, BLOCK_BYTES);
            area.read(MetadataArea.ACTIVITY, ring);
            for (int place = 0; place < ACTIVITY_RECORDS; place++) {
                MemorySegment slot = ring.asSlice((long) place * BLOCK_BYTES, BLOCK_BYTES);
                blank &= BlockChecksum.isZero(slot);
                int expected = place;
                ActivityRecord.decode(slot)
                        .filter(record -> record.sequence() % ACTIVITY_RECORDS == expected)
                        .ifPresent(records::add);
            }
        }
        records.sort(Comparator.comparingLong(ActivityRecord::sequence));
        long last = records.isEmpty() ? 0 : records.getLast().sequence();
        if (blank) {
            return new ActivityRing(area, diskExtents, new BitSet(), false, 0);
        }
        Optional<BitSet> recovered = replay(records, diskExtents);
        BitSet all = new BitSet();
        all.set(0, diskExtents);
        return new ActivityRing(area, diskExtents, recovered.orElse(all), recovered.isEmpty(), last);
    }

    /** The hot extents that whole records, sorted by sequence, amount to; absent when one that matters is missing. */
    private static Optional<BitSet> replay(List<ActivityRecord> records, int diskExtents) {
        long durable = records.stream()
                .mapToLong(ActivityRecord::durableSequence)
                .max()
                .orElse(0);
        int base = newestSnapshot(records);
        if (base < 0) {
            return Optional.empty();
        }
        BitSet hot = new BitSet();
        long expected = records.get(base).sequence();
        for (ActivityRecord record : records.subList(base, records.size())) {
            // A gap matters only where the missing record was durable once.
            if (record.sequence() != expected && expected <= durable) {
                return Optional.empty();
            }
            boolean partOfUnfinishedSnapshot = record.snapshot()
                    && record.sequence()
                            >= records.get(base).sequence() + records.get(base).parts();
            if (!partOfUnfinishedSnapshot && !record.applyTo(hot, diskExtents)) {
                return Optional.empty();
            }
            expected = record.sequence() + 1;
        }
        return expected <= durable ? Optional.empty() : Optional.of(hot);
    }

    private static int newestSnapshot(List<ActivityRecord> records) {
        for (int i = records.size() - 1; i >= 0; i--) {
            ActivityRecord first = records.get(i);
            if (first.snapshot() && first.part() == 0 && isWhole(records, i)) {
                return i;
            }
        }
        return -1;
    }

    private static boolean isWhole(List<ActivityRecord> records, int first) {
        int parts = records.get(first).parts();
        if (first + parts > records.size()) {
            return false;
        }
        for (int part = 0; part < parts; part++) {
            ActivityRecord record = records.get(first + part);
            if (!record.snapshot()
                    || record.part() != part
                    || record.parts() != parts
                    || record.sequence() != records.get(first).sequence() + part) {
                return false;
            }
        }
        return true;
    }

    /** Whether the log was damaged when it was read, and so everything counted as hot. */
    boolean damaged() {
        return damaged;
    }

    /** The extents that are hot on the disk now. */
    synchronized BitSet hot() {
        return (BitSet) hot.clone();
    }

    /** Makes extents hot and others cold in one go; durable on return. */
    synchronized void commit(BitSet heat, BitSet cool) throws DiskException {
        BitSet next = hot();
        next.andNot(cool);
        next.or(heat);
        BitSet cooled = (BitSet) cool.clone();
        cooled.andNot(heat);
        List<Range> hotter = Range.of(heat);
        List<Range> colder = Range.of(cooled);
        if (changesSinceSnapshot >= CHANGES_PER_SNAPSHOT || hotter.size() + colder.size() > ActivityRecord.MAX_RANGES) {
            writeSnapshot(next);
        } else {
            write(List.of(new ActivityRecord(sequence + 1, sequence, false, 0, 0, hotter, colder)));
            changesSinceSnapshot++;
        }
        hot.clear();
        hot.or(next);
    }

    /** Forgets everything but these; durable on return. */
    synchronized void reset(BitSet keep) throws DiskException {
        writeSnapshot(keep);
        hot.clear();
        hot.or(keep);
    }

    private void writeSnapshot(BitSet extents) throws DiskException {
        List<Range> ranges = coarsened(Range.of(extents));
        int parts = Math.max(1, Math.ceilDiv(ranges.size(), ActivityRecord.MAX_RANGES));
        List<ActivityRecord> records = new ArrayList<>(parts);
        for (int part = 0; part < parts; part++) {
            int from = part * ActivityRecord.MAX_RANGES;
            int to = Math.min(ranges.size(), from + ActivityRecord.MAX_RANGES);
            records.add(new ActivityRecord(
                    sequence + 1 + part, sequence, true, part, parts, ranges.subList(from, to), List.of()));
        }
        write(records);
        changesSinceSnapshot = 0;
    }

    /** More ranges than a snapshot can hold: join neighbours. Too much hot costs a comparison, too little would lose data. */
    private static List<Range> coarsened(List<Range> ranges) {
        List<Range> joined = ranges;
        while (joined.size() > MAX_SNAPSHOT_PARTS * ActivityRecord.MAX_RANGES) {
            List<Range> pairs = new ArrayList<>(joined.size() / 2 + 1);
            for (int i = 0; i < joined.size(); i += 2) {
                Range first = joined.get(i);
                Range second = joined.get(Math.min(i + 1, joined.size() - 1));
                pairs.add(new Range(first.first(), second.first() + second.count() - first.first()));
            }
            joined = pairs;
        }
        return joined;
    }

    private void write(List<ActivityRecord> records) throws DiskException {
        for (ActivityRecord record : records) {
            record.encode(block);
            area.writeDurably(MetadataArea.ACTIVITY + record.sequence() % ACTIVITY_RECORDS * BLOCK_BYTES, block);
        }
        sequence += records.size();
    }

    /** How many extents the disk has. */
    synchronized int diskExtents() {
        return diskExtents;
    }

    /** The disk has more extents from now, all of them cold. */
    synchronized void grow(int extents) {
        diskExtents = Math.max(diskExtents, extents);
    }
}
