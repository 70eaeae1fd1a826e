package dev.pairvm.mirror.core;

/**
 * An activity-log extent: 4 MiB of one disk, that is 64 chunks of 64 KiB, so that one {@code long} holds the dirty bits of an
 * extent.
 *
 * @param disk index of the disk in the machine, from 0
 * @param index number of the extent on that disk, from 0
 */
public record Extent(int disk, int index) {
    /** Bytes of an extent. */
    public static final int BYTES = 4 << 20;
    /** Bytes of a chunk: granularity of bitmap, resync and hashes. */
    public static final int CHUNK_BYTES = 64 << 10;
    /** Chunks in an extent. */
    public static final int CHUNKS = BYTES / CHUNK_BYTES;

    /** Checks the bounds; throws {@link IllegalArgumentException} naming what it got. */
    public Extent {
        if (disk < 0 || index < 0) {
            throw new IllegalArgumentException("extent needs disk and index of 0 or more, got " + disk + ", " + index);
        }
    }
}
