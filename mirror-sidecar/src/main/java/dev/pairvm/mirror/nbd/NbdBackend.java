package dev.pairvm.mirror.nbd;

import io.netty.buffer.ByteBuf;

/**
 * What serves the requests of one export. The server has checked each of them: the range lies inside the export and is not
 * empty, writes come only to writable ones, and alignment is right.
 *
 * <p>Every method is called on the event loop and must return soon; the answer may come at any time later, or never: requests
 * that are held count against their own connection's bounds only. Several requests are out at once, from several connections,
 * and may be answered in any order; the client never has overlapping writes ordered by anything but replies. When a client
 * disconnects, its requests are still the backend's to finish.
 *
 * <p>Buffers belong to the server and are released after the answer; a backend that needs one longer retains it before
 * answering. Both kinds are direct memory.
 */
public interface NbdBackend {
    /**
     * Reads.
     *
     * @param target takes exactly {@code length} bytes, appended at its writer index, before {@link NbdReply#done}
     */
    void read(long offset, int length, ByteBuf target, NbdReply reply);

    /**
     * Writes.
     *
     * @param payload the readable bytes; they do not change before the answer
     * @param fua whether the answer promises durability of these bytes
     */
    void write(long offset, ByteBuf payload, boolean fua, NbdReply reply);

    /**
     * Makes a range read as zeros.
     *
     * @param mayPunch whether the space may be given back
     * @param onlyIfFast fail with {@link NbdError#ENOTSUP} at once where this is not quicker than writing zeros
     * @param fua whether the answer promises durability
     */
    void zero(long offset, long length, boolean mayPunch, boolean onlyIfFast, boolean fua, NbdReply reply);

    /** Says that the content of a range does not matter any more. */
    void trim(long offset, long length, boolean fua, NbdReply reply);

    /** Makes every write, zero and trim that was answered before this call durable, on whatever connection it came. */
    void flush(NbdReply reply);

    /** Hints that a range will soon be read. */
    void cache(long offset, long length, NbdReply reply);

    /** Says which parts of a range hold data; at least one extent. */
    void blockStatus(long offset, long length, NbdExtentsReply reply);

    /**
     * A client that had opened this export is gone, politely or not; what it still waited for is nobody's any more, and may be
     * finished or abandoned. On the event loop.
     *
     * @param remaining clients that still have the export open
     */
    default void clientGone(int remaining) {}
}
