package dev.pairvm.mirror.store;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/**
 * One 4 KiB record of the activity log: ranges of extents that became hot, then ranges that became cold.
 *
 * <pre>
 *   0    "PVal"
 *   4    u16        1 change, 2 part of a snapshot
 *   6    u16        number of this part, from 0
 *   8    u64        sequence; the record's place is sequence mod 256
 *   16   u64        every record up to this sequence was durable when this one was written
 *   24   u16        parts of the snapshot
 *   26   u16        n, ranges that became hot
 *   28   u16        m, ranges that became cold
 *   30   u16        zero
 *   32   (n + m) x (u32 first extent, u32 extents)
 *   4092 u32        CRC32C
 * </pre>
 *
 * @param snapshot whether it replaces what earlier records said, together with its other parts
 */
record ActivityRecord(
        long sequence, long durableSequence, boolean snapshot, int part, int parts, List<Range> hot, List<Range> cold) {
    /** Most ranges in one record. */
    static final int MAX_RANGES = (BlockChecksum.OFFSET - 32) / 8;

    private static final int MAGIC = 0x5056616c;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN);

    /** Adjoining extents. */
    record Range(int first, int count) {
        /** The runs of set bits. */
        static List<Range> of(BitSet extents) {
            List<Range> ranges = new ArrayList<>();
            for (int first = extents.nextSetBit(0); first >= 0; ) {
                int end = extents.nextClearBit(first);
                ranges.add(new Range(first, end - first));
                first = extents.nextSetBit(end);
            }
            return ranges;
        }
    }

    /** Writes the record into a block. */
    void encode(MemorySegment block) {
        block.fill((byte) 0);
        block.set(INT, 0, MAGIC);
        block.set(SHORT, 4, (short) (snapshot ? 2 : 1));
        block.set(SHORT, 6, (short) part);
        block.set(LONG, 8, sequence);
        block.set(LONG, 16, durableSequence);
        block.set(SHORT, 24, (short) parts);
        block.set(SHORT, 26, (short) hot.size());
        block.set(SHORT, 28, (short) cold.size());
        int at = 32;
        for (Range range : hot) {
            at = put(block, at, range);
        }
        for (Range range : cold) {
            at = put(block, at, range);
        }
        BlockChecksum.seal(block);
    }

    private static int put(MemorySegment block, int at, Range range) {
        block.set(INT, at, range.first());
        block.set(INT, at + 4, range.count());
        return at + 8;
    }

    /** Reads a block; absent when it is torn, of another format, or contradicts itself. */
    static Optional<ActivityRecord> decode(MemorySegment block) {
        if (block.get(INT, 0) != MAGIC || !BlockChecksum.matches(block)) {
            return Optional.empty();
        }
        int kind = block.get(SHORT, 4);
        int part = Short.toUnsignedInt(block.get(SHORT, 6));
        int parts = Short.toUnsignedInt(block.get(SHORT, 24));
        int hot = Short.toUnsignedInt(block.get(SHORT, 26));
        int cold = Short.toUnsignedInt(block.get(SHORT, 28));
        long sequence = block.get(LONG, 8);
        if (kind < 1 || kind > 2 || part >= Math.max(parts, 1) || hot + cold > MAX_RANGES || sequence < 1) {
            return Optional.empty();
        }
        return Optional.of(new ActivityRecord(
                sequence,
                block.get(LONG, 16),
                kind == 2,
                part,
                parts,
                ranges(block, 32, hot),
                ranges(block, 32 + 8 * hot, cold)));
    }

    private static List<Range> ranges(MemorySegment block, int at, int count) {
        List<Range> ranges = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            ranges.add(new Range(block.get(INT, at + 8L * i), block.get(INT, at + 8L * i + 4)));
        }
        return ranges;
    }

    /** Applies the record to a set of hot extents; false when it names an extent that the disk has not. */
    boolean applyTo(BitSet extents, int diskExtents) {
        for (Range range : hot) {
            if (!within(range, diskExtents)) {
                return false;
            }
            extents.set(range.first(), range.first() + range.count());
        }
        for (Range range : cold) {
            if (!within(range, diskExtents)) {
                return false;
            }
            extents.clear(range.first(), range.first() + range.count());
        }
        return true;
    }

    private static boolean within(Range range, int diskExtents) {
        return range.first() >= 0 && range.count() > 0 && range.count() <= diskExtents - range.first();
    }
}
