package dev.pairvm.mirror.store;

import java.lang.foreign.MemorySegment;

/**
 * The bytes beside an image that hold what is known of it; on the same device as the image, so that losing one loses both.
 * Offsets are from the start of the area. For a {@code FILE} disk it is the file {@code disk.meta}, for a {@code BLOCK} disk
 * the last bytes of the device.
 *
 * <pre>
 *   0        superblock, slot 0 (4 KiB)          see {@link SuperblockSlots}
 *   4 KiB    superblock, slot 1 (4 KiB)
 *   8 KiB    zeros
 *   64 KiB   activity log, 256 records of 4 KiB  see {@link ActivityRing}
 *   1088 KiB bitmap, pages of 4 KiB              see {@link DirtyBitmap}
 * </pre>
 *
 * <p>The bitmap is last, so that a disk can grow without moving anything. Numbers are big-endian; each block ends in its CRC32C.
 */
final class MetadataArea implements AutoCloseable {
    /** Unit of every metadata write: no larger than what devices and file systems write as one, or detect as torn. */
    static final int BLOCK_BYTES = 4096;

    static final long SUPERBLOCK = 0;
    static final long ACTIVITY = 64 << 10;
    static final int ACTIVITY_RECORDS = 256;
    static final long BITMAP = ACTIVITY + (long) ACTIVITY_RECORDS * BLOCK_BYTES;

    private final BlockFile file;
    private final long base;
    private final long sizeBytes;
    private final boolean ownsFile;

    /**
     * A part of a file.
     *
     * @param base where in the file the area starts
     * @param ownsFile whether closing the area closes the file
     */
    MetadataArea(BlockFile file, long base, long sizeBytes, boolean ownsFile) {
        this.file = file;
        this.base = base;
        this.sizeBytes = sizeBytes;
        this.ownsFile = ownsFile;
    }

    /** Bytes of metadata that an image of this size needs. */
    static long sizeFor(long imageBytes) {
        return BITMAP + DirtyBitmap.pagesFor(imageBytes) * BLOCK_BYTES;
    }

    String path() {
        return file.path();
    }

    /** Fills the segment from the area; what was never written is zeros. */
    void read(long at, MemorySegment into) throws DiskException {
        check(at, into.byteSize());
        file.read(base + at, into.address(), (int) into.byteSize());
    }

    /** Writes the segment, durable on return. */
    void writeDurably(long at, MemorySegment from) throws DiskException {
        check(at, from.byteSize());
        file.writeDurably(base + at, from.address(), (int) from.byteSize());
    }

    private void check(long at, long length) {
        if (at < 0 || at % BLOCK_BYTES != 0 || length % BLOCK_BYTES != 0 || at + length > sizeBytes) {
            throw new IllegalArgumentException(
                    "metadata range " + at + "+" + length + " is not in the " + sizeBytes + " bytes of " + file.path());
        }
    }

    @Override
    public void close() {
        if (ownsFile) {
            file.close();
        }
    }
}
