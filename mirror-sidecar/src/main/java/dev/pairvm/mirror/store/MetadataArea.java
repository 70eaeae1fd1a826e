package dev.pairvm.mirror.store;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.ReentrantReadWriteLock;

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

    private static final int MOVED_AT_ONCE = 1 << 20;

    static final long SUPERBLOCK = 0;
    static final long ACTIVITY = 64 << 10;
    static final int ACTIVITY_RECORDS = 256;
    static final long BITMAP = ACTIVITY + (long) ACTIVITY_RECORDS * BLOCK_BYTES;

    private final BlockFile file;
    /** Writers share it, a move has it alone. */
    private final ReentrantReadWriteLock moving = new ReentrantReadWriteLock();

    private long base;
    private long sizeBytes;
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
        moving.readLock().lock();
        try {
            check(at, into.byteSize());
            file.read(base + at, into.address(), (int) into.byteSize());
        } finally {
            moving.readLock().unlock();
        }
    }

    /** Writes the segment, durable on return. */
    void writeDurably(long at, MemorySegment from) throws DiskException {
        moving.readLock().lock();
        try {
            check(at, from.byteSize());
            file.writeDurably(base + at, from.address(), (int) from.byteSize());
        } finally {
            moving.readLock().unlock();
        }
    }

    /** Where it begins. */
    long base() {
        return base;
    }

    /** First byte behind it. */
    long end() {
        return base + sizeBytes;
    }

    /** In a file of its own there is always room for the metadata of a larger disk. */
    void extend(long bytes) {
        if (!ownsFile) {
            throw new IllegalStateException("the metadata of a device are moved, not extended");
        }
        sizeBytes = Math.max(sizeBytes, bytes);
    }

    /**
     * Moves the metadata to where they belong on a device that has grown.
     *
     * <p>Safety: the new place does not touch the old one, and its superblock is written last. Until that is durable only the old place
     * has one; afterwards the new one is found first, for it is at the device's end.
     *
     * @param to offset of the new place, at or above {@link #end}
     */
    void move(long to, long bytes) throws DiskException {
        if (ownsFile || to < end() || bytes < sizeBytes) {
            throw new IllegalArgumentException("metadata at " + base + "+" + sizeBytes + " can not move to " + to);
        }
        moving.writeLock().lock();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment piece = arena.allocate(MOVED_AT_ONCE, BLOCK_BYTES);
            copy(piece, to, ACTIVITY, bytes);
            copy(piece, to, SUPERBLOCK, ACTIVITY);
            base = to;
            sizeBytes = bytes;
        } finally {
            moving.writeLock().unlock();
        }
    }

    private void copy(MemorySegment piece, long to, long from, long until) throws DiskException {
        for (long at = from; at < until; at += piece.byteSize()) {
            MemorySegment part = piece.asSlice(0, Math.min(piece.byteSize(), until - at));
            part.fill((byte) 0);
            long known = Math.min(part.byteSize(), sizeBytes - at);
            if (known > 0) {
                file.read(base + at, part.address(), (int) known);
            }
            file.writeDurably(to + at, part.address(), (int) part.byteSize());
        }
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
