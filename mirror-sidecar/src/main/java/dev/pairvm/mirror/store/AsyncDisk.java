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
    /** Up to this size a write is done on the loop: copying it takes some 30 µs, unless the kernel holds up whoever dirties memory. */
    public static final int INLINE_BYTES = 128 << 10;

    /**
     * Up to this size a read is done on the loop if the page cache has it: some 150 µs. The answer is copied to a socket from there anyway;
     * bytes that another processor has read are no more in the caches of this one.
     */
    static final int INLINE_READ_BYTES = 1 << 20;

    /** Request objects kept for reuse; more exist only while more are under way. */
    private static final int MAX_POOLED = 256;

    private enum Kind {
        READ,
        WRITE,
        WRITE_DURABLY,
        PUNCH,
        PUNCH_DURABLY,
        ZERO,
        ZERO_DURABLY
    }

    private final DiskStore store;
    private final IoWorkers workers;
    private final Executor loop;
    private final FlushGroup flushes;
    private final ArrayDeque<Operation> free = new ArrayDeque<>();
    /** Operations on workers, the oldest first. */
    private final Operation underWay = new Operation();

    private long now;
    private ChangeListener changes = (offset, length) -> {};

    /** Hears of every range that is written or zeroed, whoever asked for it: before it begins, and again when it is over. */
    public interface ChangeListener {
        /** {@code length} bytes at {@code offset} change or have just changed, or may have when it failed. */
        void changed(long offset, long length);
    }

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

    /** From now this one hears of changes, instead of any before. */
    public void onChange(ChangeListener listener) {
        changes = listener;
    }

    /** The store beneath. */
    public DiskStore store() {
        return store;
    }

    /** Reads and appends exactly {@code length} bytes, or when it fails none, to a direct buffer that has room for them. */
    public void read(long offset, ByteBuf target, int length, IoCompletion done) {
        int cached = 0;
        if (length <= INLINE_READ_BYTES) {
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
        start(Kind.READ, offset + cached, length - cached, target, cached, done);
    }

    /**
     * Writes the readable bytes of a direct buffer.
     *
     * @param durable whether these bytes are durable when it completes (FUA); if not, they are volatile until a {@link #flush} that
     *     starts later has ended
     */
    public void write(long offset, ByteBuf payload, boolean durable, IoCompletion done) {
        int length = payload.readableBytes();
        changes.changed(offset, length);
        if (durable || length > INLINE_BYTES) {
            start(durable ? Kind.WRITE_DURABLY : Kind.WRITE, offset, length, payload, done);
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

    /**
     * Makes a range read as zeros.
     *
     * @param mayPunch whether the space may be given back to the file system
     * @param durable as for {@link #write}
     */
    public void zero(long offset, long length, boolean mayPunch, boolean durable, IoCompletion done) {
        changes.changed(offset, length);
        Kind kind = mayPunch ? durable ? Kind.PUNCH_DURABLY : Kind.PUNCH : durable ? Kind.ZERO_DURABLY : Kind.ZERO;
        start(kind, offset, length, null, done);
    }

    /** Makes every write and zero whose completion was called before this call durable. */
    public void flush(IoCompletion done) {
        flushes.add(done, now);
    }

    /** Time passes; to be called every now and then, for ages are told as exactly as that. Nanoseconds of some clock, above 0. */
    public void timePassed(long nanos) {
        now = nanos;
    }

    /** Since when the oldest operation waits that has not come back, by {@link #timePassed}; 0 if none does. */
    public long oldestSince() {
        long oldest = underWay.next == underWay ? 0 : underWay.next.since;
        long flush = flushes.since();
        return oldest == 0 || flush != 0 && flush < oldest ? flush : oldest;
    }

    private void start(Kind kind, long offset, long length, @Nullable ByteBuf buffer, IoCompletion done) {
        start(kind, offset, length, buffer, 0, done);
    }

    private void start(Kind kind, long offset, long length, @Nullable ByteBuf buffer, int cached, IoCompletion done) {
        Operation operation = free.poll();
        if (operation == null) {
            operation = new Operation();
        }
        operation.kind = kind;
        operation.offset = offset;
        operation.length = length;
        operation.buffer = buffer;
        operation.cached = cached;
        operation.done = done;
        operation.since = now;
        operation.join(underWay);
        workers.submit(operation);
    }

    /** One operation on its way to a worker and back. */
    private final class Operation implements Runnable {
        private Kind kind = Kind.READ;
        private long offset;
        private long length;
        private int cached;
        private @Nullable ByteBuf buffer;
        private @Nullable IoCompletion done;
        private @Nullable DiskException failure;
        private final Runnable onLoop = this::ended;
        private long since;
        private Operation before = this;
        private Operation next = this;

        /** Event loop only: the last one in the ring of {@code head}. */
        private void join(Operation head) {
            before = head.before;
            next = head;
            before.next = this;
            head.before = this;
        }

        private void leave() {
            before.next = next;
            next.before = before;
            before = this;
            next = this;
        }

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
                case PUNCH -> store.zero(offset, length, true);
                case ZERO -> store.zero(offset, length, false);
                case PUNCH_DURABLY -> zeroDurably(true);
                case ZERO_DURABLY -> zeroDurably(false);
            }
        }

        private void zeroDurably(boolean mayPunch) throws DiskException {
            store.zero(offset, length, mayPunch);
            store.flush();
        }

        private void ended() {
            leave();
            IoCompletion completion = present(done);
            DiskException outcome = failure;
            if (outcome != null && cached > 0) {
                // All or nothing: the caller may want to fill the buffer from elsewhere.
                ByteBuf target = present(buffer);
                target.writerIndex(target.writerIndex() - cached);
            }
            if (kind != Kind.READ) {
                changes.changed(offset, length);
            }
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
