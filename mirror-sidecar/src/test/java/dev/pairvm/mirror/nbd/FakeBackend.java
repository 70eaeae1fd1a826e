package dev.pairvm.mirror.nbd;

import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A disk in memory that can hold requests for as long as the test likes, and fail them. */
final class FakeBackend implements NbdBackend {
    private final byte[] bytes;
    private final Queue<Runnable> held = new ArrayDeque<>();
    private final Queue<NbdReply> heldReplies = new ArrayDeque<>();
    private final AtomicInteger heldCount = new AtomicInteger();
    private volatile boolean holding;
    private volatile @Nullable NbdError error;

    /** What was asked, in order. */
    final List<String> calls = Collections.synchronizedList(new ArrayList<>());

    /** Buffers that were handed out, to see that each comes back. */
    final Queue<ByteBuf> buffers = new ConcurrentLinkedQueue<>();

    FakeBackend(int size) {
        bytes = new byte[size];
    }

    /** From now requests are kept unanswered. */
    void hold() {
        holding = true;
    }

    /** Requests kept unanswered now. */
    int held() {
        return heldCount.get();
    }

    /** Answers what was held; on the event loop only. */
    void release() {
        holding = false;
        heldReplies.clear();
        Runnable next;
        while ((next = held.poll()) != null) {
            heldCount.decrementAndGet();
            next.run();
        }
    }

    /** Gives up what was held; on the event loop only. */
    void abandonHeld() {
        holding = false;
        held.clear();
        NbdReply next;
        while ((next = heldReplies.poll()) != null) {
            heldCount.decrementAndGet();
            next.abandon();
        }
    }

    /** From now every request fails. */
    void fail(@Nullable NbdError with) {
        error = with;
    }

    private void answer(String call, NbdReply reply, Runnable action) {
        calls.add(call);
        Runnable work = () -> {
            NbdError failure = error;
            if (failure == null) {
                action.run();
                reply.done();
            } else {
                reply.failed(failure);
            }
        };
        if (holding) {
            heldCount.incrementAndGet();
            held.add(work);
            heldReplies.add(reply);
        } else {
            work.run();
        }
    }

    @Override
    public void read(long offset, int length, ByteBuf target, NbdReply reply) {
        buffers.add(target);
        answer("read " + offset + "+" + length, reply, () -> target.writeBytes(bytes, (int) offset, length));
    }

    @Override
    public void write(long offset, ByteBuf payload, boolean fua, NbdReply reply) {
        buffers.add(payload);
        answer(
                "write " + offset + "+" + payload.readableBytes() + (fua ? " fua" : ""),
                reply,
                () -> payload.getBytes(payload.readerIndex(), bytes, (int) offset, payload.readableBytes()));
    }

    @Override
    public void zero(long offset, long length, boolean mayPunch, boolean onlyIfFast, boolean fua, NbdReply reply) {
        String how = (mayPunch ? " punch" : "") + (onlyIfFast ? " fast" : "") + (fua ? " fua" : "");
        answer("zero " + offset + "+" + length + how, reply, () -> {});
    }

    @Override
    public void trim(long offset, long length, boolean fua, NbdReply reply) {
        answer("trim " + offset + "+" + length + (fua ? " fua" : ""), reply, () -> {});
    }

    @Override
    public void flush(NbdReply reply) {
        answer("flush", reply, () -> {});
    }

    @Override
    public void cache(long offset, long length, NbdReply reply) {
        answer("cache " + offset + "+" + length, reply, () -> {});
    }

    @Override
    public void blockStatus(long offset, long length, NbdExtentsReply reply) {
        // 64 KiB of data, 64 KiB of hole, and so on; in pieces of 32 KiB, which the server is to join.
        answer("status " + offset + "+" + length, reply, () -> {
            boolean more = true;
            for (long at = offset; more; ) {
                long end = (at / (32 << 10) + 1) * (32 << 10);
                boolean hole = at / (64 << 10) % 2 == 1;
                more = reply.extent(end - at, hole, hole);
                at = end;
            }
        });
    }

    @Override
    public void clientGone(int remaining) {
        calls.add("gone, remaining " + remaining);
    }
}
