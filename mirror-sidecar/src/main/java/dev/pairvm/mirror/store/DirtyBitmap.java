package dev.pairvm.mirror.store;

import dev.pairvm.api.mirror.CopyId;
import java.util.concurrent.Executor;

/** placeholder */
public final class DirtyBitmap {
    /** Bitmaps that one disk can hold: for the peer that is away and for one that is being filled. */
    public static final int MAX_BITMAPS = 2;

    /** One bit stands for this many bytes. */
    public static final int CHUNK_BYTES = 64 << 10;

    static final int PAGE_PAYLOAD = 4080;

    private DirtyBitmap() {}

    static long pagesFor(long imageBytes) {
        long bits = (imageBytes + CHUNK_BYTES - 1) / CHUNK_BYTES;
        long perPage = PAGE_PAYLOAD * 8L;
        return (bits + perPage - 1) / perPage;
    }

    /**
     * Loads the bitmap of a peer, or takes a free place for it with every bit clear. A page that is damaged on the disk comes back
     * all dirty: too much is resynced, never too little.
     *
     * @throws DiskException when it can not be read
     * @throws IllegalStateException when both places belong to other copies; {@link #dropAllBut} first
     */
    public static DirtyBitmap open(DiskStore store, CopyId peer, IoWorkers workers, Executor loop)
            throws DiskException {
        throw new UnsupportedOperationException();
    }

    /** Which copies have a bitmap on this disk, and gives the places of all others back; durable on return (blocks). */
    public static void dropAllBut(DiskStore store, java.util.Set<CopyId> keep) throws DiskException {
        throw new UnsupportedOperationException();
    }

    /** The copy that lacks what the set bits name. */
    public CopyId peer() {
        throw new UnsupportedOperationException();
    }

    /** Marks every chunk that a range touches; in memory only. */
    public void mark(long offset, long length) {
        throw new UnsupportedOperationException();
    }

    /** Marks everything; in memory only. */
    public void markAll() {
        throw new UnsupportedOperationException();
    }

    /** Clears the chunks that lie wholly inside a range; in memory only. */
    public void clear(long offset, long length) {
        throw new UnsupportedOperationException();
    }

    /** Whether a range touches a marked chunk. */
    public boolean isDirty(long offset, long length) {
        throw new UnsupportedOperationException();
    }

    /**
     * First byte of the first marked chunk at or after an offset.
     *
     * @return -1 where there is none
     */
    public long nextDirty(long offset) {
        throw new UnsupportedOperationException();
    }

    /** Bytes that marked chunks stand for. */
    public long dirtyBytes() {
        throw new UnsupportedOperationException();
    }

    /**
     * Makes the bitmap durable as it is now: writes the pages that changed since they were last written. Calls that arrive
     * meanwhile share the next run.
     */
    public void persist(IoCompletion done) {
        throw new UnsupportedOperationException();
    }
}
