package dev.pairvm.mirror.store;

/**
 * The lowest file interface: a file or block device by absolute byte offsets. Every call blocks and may be used by several
 * threads at once. {@link LinuxFile} is the real one; tests put doubles here that fail, stall, or lose unflushed writes.
 *
 * <p>Addresses are those of native memory that the caller keeps alive and unchanged during the call.
 */
interface BlockFile extends AutoCloseable {
    /** How zeros are stored. */
    enum Zeros {
        /** The range becomes a hole where the file system can: the space is given back. */
        PUNCH,
        /** The range stays allocated, so that a later write into it can not run out of space. */
        KEEP_ALLOCATED
    }

    /** For messages. */
    String path();

    /** Bytes from the start to the end of the file or device. */
    long sizeBytes() throws DiskException;

    /** The most bytes that it could ever have where it lies: those of its device or file system. */
    long mostBytes() throws DiskException;

    /** Reads exactly {@code length} bytes; what lies beyond the end of a file reads as zeros. */
    void read(long offset, long address, int length) throws DiskException;

    /**
     * Like {@link #read}, but what the device holds: written pages of the range go out first, cached ones are passed by. Where that can
     * not be had (a file system in memory, say) it is a {@link #read}.
     *
     * @param offset a multiple of 4 KiB
     * @param address aligned to 4 KiB, with room for {@code length} rounded up to 4 KiB
     */
    default void readDevice(long offset, long address, int length) throws DiskException {
        read(offset, address, length);
    }

    /**
     * Reads what can be had without waiting for the device.
     *
     * @return bytes read from {@code offset} on, from 0 to {@code length}
     */
    int readCached(long offset, long address, int length) throws DiskException;

    /** Writes exactly {@code length} bytes. Not durable before {@link #flush}. */
    void write(long offset, long address, int length) throws DiskException;

    /**
     * Writes exactly {@code length} bytes, durable on return. Only these bytes: what was written before may still be volatile,
     * so that metadata do not wait for a guest's dirty pages on the same device.
     */
    void writeDurably(long offset, long address, int length) throws DiskException;

    /** Makes the range read as zeros. Not durable before {@link #flush}. */
    void zero(long offset, long length, Zeros zeros) throws DiskException;

    /** Whether {@link #zero} is quicker here than writing zeros. */
    boolean zeroIsFast();

    /** Makes every write and zero that returned before durable ({@code fdatasync}). */
    void flush() throws DiskException;

    /**
     * First byte at or after {@code offset} that may hold data.
     *
     * @return an offset below {@code end}, or {@code end} where there is none
     */
    long nextData(long offset, long end) throws DiskException;

    /**
     * First byte at or after {@code offset} that lies in a hole.
     *
     * @return an offset below {@code end}, or {@code end} where there is none
     */
    long nextHole(long offset, long end) throws DiskException;

    /** Sets the size of a regular file; a device keeps its own and fails with {@code EINVAL}. */
    void resize(long sizeBytes) throws DiskException;

    /** Gives the descriptor and its lock back; never throws. */
    @Override
    void close();
}
