package dev.pairvm.mirror.core;

import java.util.List;

/**
 * Which 64 KiB chunks may differ on the absent peer, in memory: one bit per chunk, one {@code long} per extent (1 TiB = 2 MiB). The
 * store persists a word before its extent leaves the activity log.
 */
final class DirtyMap {
    private final long[][] words;
    private final DiskSizes sizes;

    /** Follows the disks as they grow. */
    DirtyMap(DiskSizes sizes) {
        this.sizes = sizes;
        words = new long[sizes.count()][];
        for (int disk = 0; disk < words.length; disk++) {
            words[disk] = new long[extents(disk)];
        }
    }

    int disks() {
        return words.length;
    }

    int extents(int disk) {
        return Math.toIntExact((sizes.of(disk) + Extent.BYTES - 1) / Extent.BYTES);
    }

    long word(int disk, int index) {
        return index < words[disk].length ? words[disk][index] : 0;
    }

    void add(int disk, int index, long mask) {
        if (index >= extents(disk)) {
            return;
        }
        if (index >= words[disk].length) {
            words[disk] = java.util.Arrays.copyOf(words[disk], extents(disk));
        }
        words[disk][index] |= mask & existing(disk, index);
    }

    void remove(int disk, int index, long mask) {
        if (index < words[disk].length) {
            words[disk][index] &= ~mask;
        }
    }

    void addExtent(Extent extent) {
        add(extent.disk(), extent.index(), -1L);
    }

    void addAll() {
        for (int disk = 0; disk < words.length; disk++) {
            for (int index = 0; index < extents(disk); index++) {
                add(disk, index, -1L);
            }
        }
    }

    void addAll(DirtyMap other) {
        for (int disk = 0; disk < words.length; disk++) {
            for (int index = 0; index < other.words[disk].length; index++) {
                add(disk, index, other.words[disk][index]);
            }
        }
    }

    void addRange(int disk, long offset, long length) {
        int last = lastExtent(offset, length);
        for (int index = firstExtent(offset); index <= last; index++) {
            add(disk, index, mask(index, offset, length));
        }
    }

    void clear() {
        for (long[] disk : words) {
            java.util.Arrays.fill(disk, 0);
        }
    }

    /** All words that are not 0. */
    List<DirtyMask> masks() {
        List<DirtyMask> masks = new java.util.ArrayList<>();
        for (int disk = 0; disk < words.length; disk++) {
            for (int index = 0; index < words[disk].length; index++) {
                if (words[disk][index] != 0) {
                    masks.add(new DirtyMask(disk, index, words[disk][index]));
                }
            }
        }
        return masks;
    }

    long chunks(int disk) {
        long count = 0;
        for (long word : words[disk]) {
            count += Long.bitCount(word);
        }
        return count;
    }

    /** Bits of the chunks that exist: the last extent of a disk may be short. */
    private long existing(int disk, int index) {
        long bytes = sizes.of(disk) - (long) index * Extent.BYTES;
        if (bytes >= Extent.BYTES) {
            return -1L;
        }
        int chunks = (int) ((bytes + Extent.CHUNK_BYTES - 1) / Extent.CHUNK_BYTES);
        return -1L >>> (Long.SIZE - chunks); // a last chunk that is not whole is the 64th of its extent at times
    }

    static int firstExtent(long offset) {
        return (int) (offset / Extent.BYTES);
    }

    static int lastExtent(long offset, long length) {
        return (int) ((offset + length - 1) / Extent.BYTES);
    }

    /** Bits of the chunks of extent {@code index} that the range touches. */
    static long mask(int index, long offset, long length) {
        long start = (long) index * Extent.BYTES;
        long from = Math.max(offset, start) - start;
        long to = Math.min(offset + length, start + Extent.BYTES) - start;
        int first = (int) (from / Extent.CHUNK_BYTES);
        int last = (int) ((to - 1) / Extent.CHUNK_BYTES);
        return (-1L >>> (63 - (last - first))) << first;
    }
}
