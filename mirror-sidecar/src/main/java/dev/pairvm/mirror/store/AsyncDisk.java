package dev.pairvm.mirror.store;

import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * One disk as the event loop sees it: nothing here waits for a device for long, and nothing allocates in steady state. Small
 * transfers that the page cache can take are done at once, on the loop, because a hand-off costs more than they do; flushes,
 * durable writes, zeroing, large transfers and reads from the device run on {@link IoWorkers}.
 *
 * <p>Every method and every {@link IoCompletion} runs on the event loop. Operations on overlapping ranges that are under way
 * together may take effect in any order: keep them apart. Buffers must stay untouched, and are not released here.
 */
public final class AsyncDisk {
    /** Up to this size a transfer is done on the loop: copying it takes some 30 µs. */
    static final int INLINE_BYTES = 128 << 10;

    /** Request objects kept for reuse; more exist only while more are under way. */
    private static final int MAX_POOLED = 256;

    private enum Kind {
        READ,
        WRITE,
        WRITE_DURABLY,
        ZERO,
        ZERO_KEEP
    }

    private final DiskStore store;
    private final IoWorkers workers;
    private final Executor loop;
    private final FlushGroup flushes;
    private final ArrayDeque<Operation> free = new ArrayDeque<>();

    /**
     * Over an open store.
     *
     * @param loop runs tasks on the event loop
     */
    public AsyncDisk(DiskStore store, IoWorkers workers, Executor loop) {
        this.store = store;
        this.workers = workers;
        this.loop = loop;
        this.flushes = new FlushGroup(store, workers, loop);
    }

    /** The store beneath. */
    public DiskStore store() {
        return store;
    }

    /** Reads and appends exactly {@code length} bytes to a direct buffer that has room for them. */
    public void read(long offset, ByteBuf target, int length, IoCompletion done) {
        int cached = 0;
        if (length <= INLINE_BYTES) {
            try {
                cached = store.readCached(offset, target, length);
            } catch (DiskException e) {
                done.ioDone(e);
                return;
            }
            if (cached == length) {
                done.ioDone(null);
                return;
            }
        }
        start(Kind.READ, offset + cached, length - cached, target, done);
    }

    /** Writes the readable bytes of a direct buffer; they are volatile until a {@link #flush} that starts later has ended. */
    public void write(long offset, ByteBuf payload, IoCompletion done) {
        int length = payload.readableBytes();
        if (length > INLINE_BYTES) {
            start(Kind.WRITE, offset, length, payload, done);
            return;
        }
        DiskException failure = null;
        try {
            store.write(offset, payload);
        } catch (DiskException e) {
            failure = e;
        }
        done.ioDone(failure);
    }

    /** Writes the readable bytes of a direct buffer and makes these bytes durable. */
    public void writeDurably(long offset, ByteBuf payload, IoCompletion done) {
        start(Kind.WRITE_DURABLY, offset, payload.readableBytes(), payload, done);
    }

    /** Makes a range read as zeros; volatile like a write. */
    public void zero(long offset, long length, boolean mayPunch, IoCompletion done) {
        start(mayPunch ? Kind.ZERO : Kind.ZERO_KEEP, offset, length, null, done);
    }

    /** Makes every write and zero whose completion was called before this call durable. */
    public void flush(IoCompletion done) {
        flushes.add(done);
    }

    private void start(Kind kind, long offset, long length, @Nullable ByteBuf buffer, IoCompletion done) {
        Operation operation = free.poll();
        if (operation == null) {
            operation = new Operation();
        }
        operation.kind = kind;
        operation.offset = offset;
        operation.length = length;
        operation.buffer = buffer;
        operation.done = done;
        workers.submit(operation);
    }

    /** One operation on its way to a worker and back. */
    private final class Operation implements Runnable {
        private Kind kind = Kind.READ;
        private long offset;
        private long length;
        private @Nullable ByteBuf buffer;
        private @Nullable IoCompletion done;
        private @Nullable DiskException failure;
        private final Runnable onLoop = this::ended;

        @Override
        public void run() {
            try {
                perform();
                failure = null;
            } catch (DiskException e) {
                failure = e;
            }
            loop.execute(onLoop);
        }

        private void perform() throws DiskException {
            switch (kind) {
                case READ -> store.read(offset, present(buffer), (int) length);
                case WRITE -> store.write(offset, present(buffer));
                case WRITE_DURABLY -> store.writeDurably(offset, present(buffer));
                case ZERO -> store.zero(offset, length, true);
                case ZERO_KEEP -> store.zero(offset, length, false);
            }
        }

        private void ended() {
            IoCompletion completion = present(done);
            DiskException outcome = failure;
            buffer = null;
            done = null;
            failure = null;
            if (free.size() < MAX_POOLED) {
                free.push(this);
            }
            completion.ioDone(outcome);
        }
    }

    private static <T> T present(@Nullable T value) {
        if (value == null) {
            throw new IllegalStateException("an operation ran without its request");
        }
        return value;
    }
}
