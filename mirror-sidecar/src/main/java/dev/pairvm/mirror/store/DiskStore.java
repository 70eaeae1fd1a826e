package dev.pairvm.mirror.store;

import dev.pairvm.api.mirror.MirrorConfig;
import io.netty.buffer.ByteBuf;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The image of one disk of this copy, with its metadata. Calls block; several threads may call at once, for overlapping ranges
 * the caller keeps the order.
 *
 * <p>The first write, zero or flush that fails closes the store for further ones: each then throws that same failure without
 * touching the disk. Reads stay possible.
 */
public final class DiskStore implements AutoCloseable {
    private final String name;
    private volatile long sizeBytes;
    private final BlockFile image;
    private final MetadataArea metadata;
    private final AtomicReference<@Nullable DiskException> failure = new AtomicReference<>();

    DiskStore(String name, long sizeBytes, BlockFile image, MetadataArea metadata) {
        this.name = name;
        this.sizeBytes = sizeBytes;
        this.image = image;
        this.metadata = metadata;
    }

    /**
     * Opens a disk and locks it against every other process. A missing image file is created, sparse, where no metadata speak
     * of an earlier one; a smaller one is extended.
     *
     * @throws DiskSetupException missing, too small, in use, shrunk, image lost: what to change is in the message
     * @throws DiskException the device does not answer
     */
    public static DiskStore open(MirrorConfig.Disk disk) throws DiskSetupException, DiskException {
        return DiskOpening.open(disk);
    }

    /** The disk's name in the machine. */
    public String name() {
        return name;
    }

    /** Where reads and writes must end, in bytes: the disk's size, or more where room was made for a larger one. */
    public long sizeBytes() {
        return sizeBytes;
    }

    /** The failure that closed this store for writes, absent while it works. */
    public Optional<DiskException> failure() {
        return Optional.ofNullable(failure.get());
    }

    /** Reads {@code length} bytes and appends them to {@code target}, a direct buffer with room for them. */
    public void read(long offset, ByteBuf target, int length) throws DiskException {
        checkRange(offset, length);
        target.ensureWritable(length);
        image.read(offset, target.memoryAddress() + target.writerIndex(), length);
        target.writerIndex(target.writerIndex() + length);
    }

    /**
     * Like {@link #read}, but what the device holds, where the file system lets that be read.
     *
     * @param offset a multiple of 4 KiB
     * @param target empty, direct, its memory aligned to 4 KiB, with room for {@code length} rounded up to 4 KiB
     */
    public void readDevice(long offset, ByteBuf target, int length) throws DiskException {
        checkRange(offset, length);
        image.readDevice(offset, target.memoryAddress(), length);
        target.setIndex(0, length);
    }

    /**
     * Like {@link #read}, but never waits for the device.
     *
     * @return bytes appended, from 0 to {@code length}
     */
    int readCached(long offset, ByteBuf target, int length) throws DiskException {
        checkRange(offset, length);
        target.ensureWritable(length);
        int n = image.readCached(offset, target.memoryAddress() + target.writerIndex(), length);
        target.writerIndex(target.writerIndex() + n);
        return n;
    }

    /** Writes the readable bytes of a direct buffer, without moving its indexes. Not durable before {@link #flush}. */
    public void write(long offset, ByteBuf payload) throws DiskException {
        int length = payload.readableBytes();
        checkRange(offset, length);
        refuseIfFailed();
        try {
            image.write(offset, payload.memoryAddress() + payload.readerIndex(), length);
        } catch (DiskException e) {
            throw latch(e);
        }
    }

    /** Like {@link #write}, but these bytes are durable on return; earlier ones need not be. */
    public void writeDurably(long offset, ByteBuf payload) throws DiskException {
        int length = payload.readableBytes();
        checkRange(offset, length);
        refuseIfFailed();
        try {
            image.writeDurably(offset, payload.memoryAddress() + payload.readerIndex(), length);
        } catch (DiskException e) {
            throw latch(e);
        }
    }

    /**
     * Makes a range read as zeros. Not durable before {@link #flush}.
     *
     * @param mayPunch whether the space may be given back to the file system
     */
    public void zero(long offset, long length, boolean mayPunch) throws DiskException {
        checkRange(offset, length);
        refuseIfFailed();
        if (length == 0) {
            return;
        }
        try {
            image.zero(offset, length, mayPunch ? BlockFile.Zeros.PUNCH : BlockFile.Zeros.KEEP_ALLOCATED);
        } catch (DiskException e) {
            throw latch(e);
        }
    }

    /** Whether zeroing a range is quicker than writing zeros into it. */
    public boolean zeroIsFast() {
        return image.zeroIsFast();
    }

    /** Makes every write and zero that returned before durable. */
    public void flush() throws DiskException {
        refuseIfFailed();
        try {
            image.flush();
        } catch (DiskException e) {
            throw latch(e);
        }
    }

    /**
     * Makes room: afterwards the volume holds {@code to} bytes, those from {@code from} on read as zeros, and both is durable. What is
     * written there meanwhile is lost; nobody does, for the disk ends at {@code from}. Idempotent.
     *
     * @throws NoRoomException the volume can not hold it, nothing has changed
     * @throws DiskException a write or flush failed; a flush also closes this store
     */
    void makeRoom(long from, long to) throws NoRoomException, DiskException {
        refuseIfFailed();
        DiskRoom.make(name, image, metadata, from, to);
        flush();
        sizeBytes = Math.max(sizeBytes, to);
    }

    /** Walks the data and holes of a range until its end or until the visitor has enough. */
    public void blockMap(long offset, long length, ExtentVisitor visitor) throws DiskException {
        checkRange(offset, length);
        long end = offset + length;
        for (long at = offset; at < end; ) {
            long data = image.nextData(at, end);
            if (data > at) {
                if (!visitor.extent(at, data - at, true)) {
                    return;
                }
                at = data;
                continue;
            }
            long hole = Math.max(image.nextHole(at, end), at + 1);
            if (!visitor.extent(at, hole - at, false)) {
                return;
            }
            at = hole;
        }
    }

    /** The metadata of this disk. */
    MetadataArea metadata() {
        return metadata;
    }

    /**
     * Closes this store for writes because of a failure elsewhere: of its metadata, or one that an operator ordered.
     *
     * @return the failure that counts, the first one
     */
    DiskException latch(DiskException first) {
        DiskException earlier = failure.compareAndExchange(null, first);
        return earlier == null ? first : earlier;
    }

    void refuseIfFailed() throws DiskException {
        DiskException earlier = failure.get();
        if (earlier != null) {
            throw earlier;
        }
    }

    private void checkRange(long offset, long length) {
        if (offset < 0 || length < 0 || offset > sizeBytes - length) {
            throw new IllegalArgumentException(
                    "range " + offset + "+" + length + " is outside disk " + name + " of " + sizeBytes + " bytes");
        }
    }

    /** Gives descriptor and lock back. Does not flush. */
    @Override
    public void close() {
        image.close();
        metadata.close();
    }
}
