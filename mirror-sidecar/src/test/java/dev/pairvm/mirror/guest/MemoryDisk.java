package dev.pairvm.mirror.guest;

import dev.pairvm.mirror.nbd.NbdBackend;
import dev.pairvm.mirror.nbd.NbdExtentsReply;
import dev.pairvm.mirror.nbd.NbdReply;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A disk in memory that can withhold its answers, as a mirror does whose peer or arbiter is away. */
final class MemoryDisk implements NbdBackend {
    byte[] bytes = new byte[1 << 20];
    private final List<Runnable> held = new ArrayList<>();
    private boolean holding;
    private @Nullable PeerWriter peer;

    private void answer(NbdReply reply) {
        if (holding) {
            held.add(reply::done);
        } else {
            reply.done();
        }
    }

    /** It is larger from now, zeros behind what it has. */
    void grow(int size) {
        bytes = Arrays.copyOf(bytes, size);
    }

    void hold() {
        holding = true;
    }

    /** From the next write on it is answered when the peer has it too; null: by itself. On the event loop. */
    void mirrorTo(@Nullable PeerWriter target) {
        peer = target;
    }

    private void answerWhenMirrored(long offset, int length, NbdReply reply) {
        PeerWriter target = peer;
        if (target == null) {
            answer(reply);
        } else {
            target.write(offset, Arrays.copyOfRange(bytes, (int) offset, (int) offset + length), () -> answer(reply));
        }
    }

    @Override
    public void read(long offset, int length, ByteBuf target, NbdReply reply) {
        target.writeBytes(bytes, (int) offset, length);
        answer(reply);
    }

    @Override
    public void write(long offset, ByteBuf payload, boolean fua, NbdReply reply) {
        int length = payload.readableBytes();
        payload.getBytes(payload.readerIndex(), bytes, (int) offset, length);
        answerWhenMirrored(offset, length, reply);
    }

    @Override
    public void zero(long offset, long length, boolean mayPunch, boolean onlyIfFast, boolean fua, NbdReply reply) {
        Arrays.fill(bytes, (int) offset, (int) (offset + length), (byte) 0);
        answerWhenMirrored(offset, (int) length, reply);
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
