package dev.pairvm.mirror.guest;

import dev.pairvm.mirror.nbd.NbdBackend;
import dev.pairvm.mirror.nbd.NbdExtentsReply;
import dev.pairvm.mirror.nbd.NbdReply;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A disk in memory that can withhold its answers, as a mirror does whose peer or arbiter is away. */
final class MemoryDisk implements NbdBackend {
    final byte[] bytes = new byte[1 << 20];
    private final List<Runnable> held = new ArrayList<>();
    private boolean holding;

    private void answer(NbdReply reply) {
        if (holding) {
            held.add(reply::done);
        } else {
            reply.done();
        }
    }

    void hold() {
        holding = true;
    }

    @Override
    public void read(long offset, int length, ByteBuf target, NbdReply reply) {
        target.writeBytes(bytes, (int) offset, length);
        answer(reply);
    }

    @Override
    public void write(long offset, ByteBuf payload, boolean fua, NbdReply reply) {
        payload.getBytes(payload.readerIndex(), bytes, (int) offset, payload.readableBytes());
        answer(reply);
    }

    @Override
    public void zero(long offset, long length, boolean mayPunch, boolean onlyIfFast, boolean fua, NbdReply reply) {
        Arrays.fill(bytes, (int) offset, (int) (offset + length), (byte) 0);
        answer(reply);
    }

    @Override
    public void trim(long offset, long length, boolean fua, NbdReply reply) {
        answer(reply);
    }

    @Override
    public void flush(NbdReply reply) {
        answer(reply);
    }

    @Override
    public void cache(long offset, long length, NbdReply reply) {
        answer(reply);
    }

    @Override
    public void blockStatus(long offset, long length, NbdExtentsReply reply) {
        reply.extent(length, false, false);
        answer(reply);
    }
}
