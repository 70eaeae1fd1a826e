package dev.pairvm.mirror.nbd;

import io.netty.buffer.ByteBuf;
import java.util.function.BooleanSupplier;

/**
 * A disk for backup tools, beside the guest's export of it: reads and status only. Its clients come and go without being taken for
 * the guest; while {@code closed} says so, there is nothing true to read.
 */
public final class BackupView implements NbdBackend {
    private final NbdBackend disk;
    private final BooleanSupplier closed;

    /**
     * A view of {@code disk}.
     *
     * @param closed whether this copy is not the one whose content counts; reads fail with {@code EIO} then
     */
    public BackupView(NbdBackend disk, BooleanSupplier closed) {
        this.disk = disk;
        this.closed = closed;
    }

    @Override
    public void read(long offset, int length, ByteBuf target, NbdReply reply) {
        if (closed.getAsBoolean()) {
            reply.failed(NbdError.EIO);
        } else {
            disk.read(offset, length, target, reply);
        }
    }

    @Override
    public void write(long offset, ByteBuf payload, boolean fua, NbdReply reply) {
        reply.failed(NbdError.EPERM);
    }

    @Override
    public void zero(long offset, long length, boolean mayPunch, boolean onlyIfFast, boolean fua, NbdReply reply) {
        reply.failed(NbdError.EPERM);
    }

    @Override
    public void trim(long offset, long length, boolean fua, NbdReply reply) {
        reply.failed(NbdError.EPERM);
    }

    @Override
    public void flush(NbdReply reply) {
        disk.flush(reply);
    }

    @Override
    public void cache(long offset, long length, NbdReply reply) {
        reply.done();
    }

    @Override
    public void blockStatus(long offset, long length, NbdExtentsReply reply) {
        if (closed.getAsBoolean()) {
            reply.failed(NbdError.EIO);
        } else {
            disk.blockStatus(offset, length, reply);
        }
    }

    @Override
    public void clientGone(int remaining) {
        // Not the guest: what the guest waits for goes on.
    }
}
