package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.nbd.NbdBackend;
import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdExtentsReply;
import dev.pairvm.mirror.nbd.NbdReply;
import dev.pairvm.mirror.store.AsyncDisk;
import dev.pairvm.mirror.store.DiskException;
import io.netty.buffer.ByteBuf;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One disk towards QEMU: turns NBD requests into events of the core. */
final class DiskBackend implements NbdBackend {
    /** The core's longest request; longer trims and zeroes are cut into such pieces. */
    private static final int LONGEST = 32 << 20;

    private final int index;
    private final AsyncDisk disk;
    private final GuestRequests requests;
    private final Consumer<Event> core;
    private final BooleanSupplier standby;
    private final TwinBacking backing;
    private final DiskCounters counters;

    DiskBackend(
            int index,
            AsyncDisk disk,
            GuestRequests requests,
            Consumer<Event> core,
            BooleanSupplier standby,
            TwinBacking backing,
            DiskCounters counters) {
        this.index = index;
        this.disk = disk;
        this.requests = requests;
        this.core = core;
        this.standby = standby;
        this.backing = backing;
        this.counters = counters;
    }

    @Override
    public void read(long offset, int length, ByteBuf target, NbdReply client) {
        NbdReply reply = counters.read(length, client);
        if (standby.getAsBoolean()) {
            // A prepared QEMU probes its disks while it is paused. No guest runs behind it, so these bytes decide
            // nothing.
            disk.read(offset, target, length, failure -> answer(reply, failure));
            return;
        }
        core.accept(new Event.ReadReceived(requests.open(reply, target), index, offset, length));
    }

    /** A twin's QEMU puts the active's writes where they belong: they are the pair's already, and no requests of a guest of this side. */
    private boolean isTwins() {
        return backing.isOpen() && standby.getAsBoolean();
    }

    @Override
    public void write(long offset, ByteBuf payload, boolean fua, NbdReply reply) {
        if (isTwins()) {
            NbdReply counted = backing.counted(reply);
            ByteBuf bytes = payload.retain();
            disk.write(offset, bytes, fua, failure -> {
                bytes.release();
                answer(counted, failure);
            });
            return;
        }
        core.accept(new Event.WriteReceived(
                requests.open(counters.write(payload.readableBytes(), reply), payload),
                index,
                offset,
                payload.readableBytes(),
                false,
                fua));
    }

    @Override
    public void zero(long offset, long length, boolean mayPunch, boolean onlyIfFast, boolean fua, NbdReply reply) {
        if (onlyIfFast && !disk.store().zeroIsFast()) {
            reply.failed(NbdError.ENOTSUP);
            return;
        }
        zeroes(offset, length, fua, reply);
    }

    @Override
    public void trim(long offset, long length, boolean fua, NbdReply reply) {
        // A trim leaves the content open; both copies must agree on it all the same, so it becomes zeroes.
        zeroes(offset, length, fua, reply);
    }

    private void zeroes(long offset, long length, boolean fua, NbdReply reply) {
        if (length == 0) {
            reply.done();
            return;
        }
        if (isTwins()) {
            NbdReply counted = backing.counted(reply);
            disk.zero(offset, length, true, fua, failure -> answer(counted, failure));
            return;
        }
        new Zeroing(offset, length, fua, reply).next();
    }

    @Override
    public void flush(NbdReply reply) {
        if (isTwins()) {
            NbdReply counted = backing.counted(reply);
            disk.flush(failure -> answer(counted, failure));
            return;
        }
        core.accept(new Event.FlushReceived(requests.open(counters.flush(reply), null), index));
    }

    @Override
    public void cache(long offset, long length, NbdReply reply) {
        reply.done();
    }

    @Override
    public void blockStatus(long offset, long length, NbdExtentsReply reply) {
        try {
            disk.store().blockMap(offset, length, (at, size, hole) -> reply.extent(size, hole, hole));
            reply.done();
        } catch (DiskException e) {
            // The map is a hint; "data" is always true.
            reply.extent(length, false, false);
            reply.done();
        }
    }

    @Override
    public void clientGone(int remaining) {
        if (remaining == 0) {
            // Requests still held are of a QEMU that is dead or will send them again: they must not take effect later.
            core.accept(new Event.GuestDisconnected());
        }
    }

    private static void answer(NbdReply reply, @Nullable DiskException failure) {
        if (failure == null) {
            reply.done();
        } else {
            reply.failed(NbdError.EIO);
        }
    }

    /**
     * A trim or zeroing, which may be 4 GiB long, in pieces that the core takes: one after the other, so that what a guest has under way
     * stays bounded by its number of requests. The first failure ends it.
     */
    private final class Zeroing implements NbdReply {
        private final long end;
        private final boolean fua;
        private final NbdReply whole;
        private long at;

        Zeroing(long offset, long length, boolean fua, NbdReply whole) {
            this.at = offset;
            this.end = offset + length;
            this.fua = fua;
            this.whole = whole;
        }

        void next() {
            int piece = (int) Math.min(LONGEST, end - at);
            long from = at;
            at += piece;
            core.accept(new Event.WriteReceived(requests.open(this, null), index, from, piece, true, fua));
        }

        @Override
        public void done() {
            if (at < end) {
                next();
            } else {
                whole.done();
            }
        }

        @Override
        public void failed(NbdError failure) {
            whole.failed(failure);
        }

        @Override
        public void abandon() {
            whole.abandon();
        }
    }
}
