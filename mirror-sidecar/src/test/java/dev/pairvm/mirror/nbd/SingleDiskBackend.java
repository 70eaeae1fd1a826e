package dev.pairvm.mirror.nbd;

import dev.pairvm.mirror.store.AsyncDisk;
import dev.pairvm.mirror.store.DiskException;
import dev.pairvm.mirror.store.Errno;
import dev.pairvm.mirror.store.IoCompletion;
import io.netty.buffer.ByteBuf;

/** Serves one disk without a peer: what the server and the store cost by themselves. */
public final class SingleDiskBackend implements NbdBackend {
    private final AsyncDisk disk;

    /** Over this disk. */
    public SingleDiskBackend(AsyncDisk disk) {
        this.disk = disk;
    }

    private static IoCompletion answering(NbdReply reply) {
        return failure -> {
            if (failure == null) {
                reply.done();
            } else {
                reply.failed(failure.errno().equals(Errno.ENOSPC) ? NbdError.ENOSPC : NbdError.EIO);
            }
        };
    }

    @Override
    public void read(long offset, int length, ByteBuf target, NbdReply reply) {
        disk.read(offset, target, length, answering(reply));
    }

    @Override
    public void write(long offset, ByteBuf payload, boolean fua, NbdReply reply) {
        disk.write(offset, payload, fua, answering(reply));
    }

    @Override
    public void zero(long offset, long length, boolean mayPunch, boolean onlyIfFast, boolean fua, NbdReply reply) {
        if (onlyIfFast && !disk.store().zeroIsFast()) {
            reply.failed(NbdError.ENOTSUP);
            return;
        }
        disk.zero(offset, length, mayPunch, fua, answering(reply));
    }

    @Override
    public void trim(long offset, long length, boolean fua, NbdReply reply) {
        disk.zero(offset, length, true, fua, answering(reply));
    }

    @Override
    public void flush(NbdReply reply) {
        disk.flush(answering(reply));
    }

    @Override
    public void cache(long offset, long length, NbdReply reply) {
        reply.done();
    }

    @Override
    public void blockStatus(long offset, long length, NbdExtentsReply reply) {
        try {
            disk.store().blockMap(offset, length, (at, bytes, hole) -> reply.extent(bytes, hole, hole));
            reply.done();
        } catch (DiskException e) {
            reply.failed(NbdError.EIO);
        }
    }
}
