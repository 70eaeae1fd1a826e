package dev.pairvm.mirror.store;

import static dev.pairvm.mirror.store.MetadataArea.BLOCK_BYTES;

import dev.pairvm.mirror.core.DirtyMask;
import dev.pairvm.mirror.core.Extent;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * Which chunks of one disk may differ on the absent peer: 64 KiB a bit, so one word per {@link Extent}. In memory as a whole
 * (2 MiB per TiB), on the disk in pages of 4 KiB that are written when a word in them changed.
 *
 * <pre>
 *   0    "PVbm"
 *   4    u32      page number
 *   8    510 u64  words, one per extent
 *   4088 zeros
 *   4092 u32      CRC32C
 * </pre>
 *
 * <p>A page of zeros was never written and is clean. A page that fails its check comes back all dirty: a torn page resyncs too
 * much, never too little.
 */
final class DirtyBitmap {
    private static final int MAGIC = 0x5056626d;
    private static final int WORDS_AT = 8;
    private static final int WORDS_PER_PAGE = 510;
    private static final int BATCH_PAGES = 16;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN);

    private final MetadataArea area;
    private final int disk;
    private long[] words;
    private final BitSet changedPages = new BitSet();
    private final MemorySegment batch = Arena.ofAuto().allocate((long) BATCH_PAGES * BLOCK_BYTES, BLOCK_BYTES);

    private DirtyBitmap(MetadataArea area, int disk, int extents) {
        this.area = area;
        this.disk = disk;
        this.words = new long[extents];
    }

    /** Pages that an image of this size needs. */
    static long pagesFor(long imageBytes) {
        return Math.ceilDiv(extentsFor(imageBytes), WORDS_PER_PAGE);
    }

    static long extentsFor(long imageBytes) {
        return Math.ceilDiv(imageBytes, Extent.BYTES);
    }

    /** Reads the bitmap of the disk with this index in the machine. */
    static DirtyBitmap load(MetadataArea area, int disk, long imageBytes) throws DiskException {
        DirtyBitmap bitmap = new DirtyBitmap(area, disk, Math.toIntExact(extentsFor(imageBytes)));
        int pages = Math.toIntExact(pagesFor(imageBytes));
        for (int first = 0; first < pages; first += BATCH_PAGES) {
            int count = Math.min(BATCH_PAGES, pages - first);
            area.read(offsetOf(first), bitmap.batch.asSlice(0, (long) count * BLOCK_BYTES));
            for (int i = 0; i < count; i++) {
                bitmap.decode(first + i, bitmap.page(i));
            }
        }
        return bitmap;
    }

    private void decode(int page, MemorySegment from) {
        if (BlockChecksum.isZero(from)) {
            return;
        }
        boolean whole = BlockChecksum.matches(from) && from.get(INT, 0) == MAGIC && from.get(INT, 4) == page;
        int first = page * WORDS_PER_PAGE;
        for (int word = first; word < Math.min(words.length, first + WORDS_PER_PAGE); word++) {
            words[word] = whole ? from.get(LONG, WORDS_AT + 8L * (word - first)) : -1L;
        }
    }

    /** The words that are not 0, as the disk has them. */
    synchronized List<DirtyMask> dirty() {
        List<DirtyMask> dirty = new ArrayList<>();
        for (int extent = 0; extent < words.length; extent++) {
            if (words[extent] != 0) {
                dirty.add(new DirtyMask(disk, extent, words[extent]));
            }
        }
        return dirty;
    }

    /** The disk has more extents from now, all of them clean: their pages were never written. */
    synchronized void grow(int extents) {
        if (extents > words.length) {
            words = java.util.Arrays.copyOf(words, extents);
        }
    }

    /** Replaces one word, in memory only until {@link #writeDurably}. */
    synchronized void set(int extent, long mask) {
        if (words[extent] != mask) {
            words[extent] = mask;
            changedPages.set(extent / WORDS_PER_PAGE);
        }
    }

    /** Clears every word, in memory only until {@link #writeDurably}. */
    synchronized void clear() {
        for (int extent = 0; extent < words.length; extent++) {
            set(extent, 0);
        }
    }

    /** Writes the pages that changed; durable on return. */
    synchronized void writeDurably() throws DiskException {
        int first;
        while ((first = changedPages.nextSetBit(0)) >= 0) {
            int end = Math.min(changedPages.nextClearBit(first), first + BATCH_PAGES);
            for (int page = first; page < end; page++) {
                encode(page, page(page - first));
            }
            area.writeDurably(offsetOf(first), batch.asSlice(0, (long) (end - first) * BLOCK_BYTES));
            changedPages.clear(first, end);
        }
    }

    private void encode(int page, MemorySegment into) {
        into.fill((byte) 0);
        into.set(INT, 0, MAGIC);
        into.set(INT, 4, page);
        int first = page * WORDS_PER_PAGE;
        for (int word = first; word < Math.min(words.length, first + WORDS_PER_PAGE); word++) {
            into.set(LONG, WORDS_AT + 8L * (word - first), words[word]);
        }
        BlockChecksum.seal(into);
    }

    private MemorySegment page(int indexInBatch) {
        return batch.asSlice((long) indexInBatch * BLOCK_BYTES, BLOCK_BYTES);
    }

    private static long offsetOf(int page) {
        return MetadataArea.BITMAP + (long) page * BLOCK_BYTES;
    }
}
