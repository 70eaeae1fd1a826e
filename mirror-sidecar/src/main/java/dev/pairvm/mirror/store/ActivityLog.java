package dev.pairvm.mirror.store;

import java.util.BitSet;
import java.util.concurrent.Executor;

/** placeholder */
public final class ActivityLog {
    /** Size of one extent: the unit in which a disk is hot or cold. */
    public static final int EXTENT_BYTES = 4 << 20;

    /** Most extents that may be hot at once: 25 GiB to compare after a crash. */
    public static final int MAX_HOT = 6400;

    private ActivityLog() {}

    /**
     * Reads the log of a disk.
     *
     * @throws DiskException when it can not be read
     */
    public static ActivityLog open(DiskStore store, IoWorkers workers, Executor loop) throws DiskException {
        throw new UnsupportedOperationException();
    }

    /** Whether the log on the disk is damaged: then every extent must be taken for hot, and {@link #reset} called. */
    public boolean damaged() {
        throw new UnsupportedOperationException();
    }

    /** The extents that are hot now, durably; a copy. After opening: those that a crash may have left different. */
    public BitSet hot() {
        throw new UnsupportedOperationException();
    }

    /** Whether every extent that a range touches is durably hot, so that it may be written. */
    public boolean isHot(long offset, long length) {
        throw new UnsupportedOperationException();
    }

    /** How many extents may still become hot. */
    public int room() {
        throw new UnsupportedOperationException();
    }

    /**
     * Makes every extent that a range touches hot. Completed when that is durable, at once where it already was; requests that
     * arrive while a record is being written share the next one.
     *
     * @throws IllegalStateException when there is no {@link #room}
     */
    public void makeHot(long offset, long length, IoCompletion done) {
        throw new UnsupportedOperationException();
    }

    /**
     * Makes an extent cold: at once in memory, on the disk with the next record; a crash before that leaves it hot, which costs a
     * comparison and nothing else. The caller has made sure that both copies flushed it, or that a bitmap page names it durably.
     */
    public void makeCold(int extent) {
        throw new UnsupportedOperationException();
    }

    /** Forgets every extent and starts the log anew; durable when completed. */
    public void reset(IoCompletion done) {
        throw new UnsupportedOperationException();
    }
}
