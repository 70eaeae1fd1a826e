package dev.pairvm.mirror.store;

import dev.pairvm.api.mirror.MirrorConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What one disk, or one export, was asked for: every write with its data, every flush, and when each began and was answered, on a clock
 * that several logs share. Any thread.
 */
public final class WriteLog implements AutoCloseable {
    /** The end of what has not been answered. */
    public static final long NEVER = Long.MAX_VALUE;

    private final AtomicLong clock;
    private final FileChannel spool;
    private final List<Op> ops = new ArrayList<>();
    private long spooled;

    /** What was asked for. */
    public enum Kind {
        WRITE,
        /** Durable when answered, by itself. */
        DURABLE_WRITE,
        ZERO,
        DURABLE_ZERO,
        FLUSH
    }

    /** One request. Times are ticks of the shared clock; no two are equal. */
    public static final class Op {
        private final Kind kind;
        private final long offset;
        private final long length;
        private final long spooledAt;
        private final long begun;
        private volatile long ended = NEVER;
        private volatile boolean answered;

        private Op(Kind kind, long offset, long length, long spooledAt, long begun) {
            this.kind = kind;
            this.offset = offset;
            this.length = length;
            this.spooledAt = spooledAt;
            this.begun = begun;
        }

        public Kind kind() {
            return kind;
        }

        public long offset() {
            return offset;
        }

        public long length() {
            return length;
        }

        public long begun() {
            return begun;
        }

        /** When it was answered or given up; {@link #NEVER} while it is under way. */
        public long ended() {
            return ended;
        }

        /** Whether it was answered without an error. */
        public boolean answered() {
            return answered;
        }

        /** Whether it is one of the flushes. */
        public boolean isFlush() {
            return kind == Kind.FLUSH;
        }

        /** Whether its own answer made it durable. */
        public boolean isDurable() {
            return kind == Kind.DURABLE_WRITE || kind == Kind.DURABLE_ZERO;
        }

        @Override
        public String toString() {
            return kind + " " + offset + "+" + length + " [" + begun + ", " + (ended == NEVER ? "never" : ended)
                    + (answered ? "]" : ", not answered]");
        }
    }

    /** Data go to the new file {@code spool}. */
    public WriteLog(AtomicLong clock, Path spool) throws IOException {
        this.clock = clock;
        this.spool = FileChannel.open(
                spool, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    /** Takes a request down before it is carried out; {@code data} is read here, and empty for what carries none. */
    public synchronized Op begin(Kind kind, long offset, long length, ByteBuffer data) {
        long at = spooled;
        try {
            while (data.hasRemaining()) {
                spooled += spool.write(data, spooled);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Op op = new Op(kind, offset, length, at, clock.incrementAndGet());
        ops.add(op);
        return op;
    }

    /** A request was answered, or failed, or given up; what comes after that is heard by nobody. */
    public synchronized void end(Op op, boolean answered) {
        if (op.ended == NEVER) {
            op.answered = answered;
            op.ended = clock.incrementAndGet();
        }
    }

    /** What is under way is nobody's any more: whatever begins from now on comes after it. */
    public synchronized void giveUp() {
        ops.stream().filter(op -> op.ended == NEVER).forEach(op -> end(op, false));
    }

    /** Everything so far, in the order in which it began. */
    public synchronized List<Op> ops() {
        return List.copyOf(ops);
    }

    /** The bytes of a write or zero. */
    public byte[] data(Op op) {
        byte[] bytes = new byte[Math.toIntExact(op.length)];
        if (op.kind == Kind.WRITE || op.kind == Kind.DURABLE_WRITE) {
            ByteBuffer into = ByteBuffer.wrap(bytes);
            try {
                while (into.hasRemaining()) {
                    if (spool.read(into, op.spooledAt + into.position()) < 0) {
                        throw new IllegalStateException("the spool ends within " + op);
                    }
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return bytes;
    }

    /**
     * A new copy of one {@code FILE} disk, whose image is written through this log.
     *
     * @throws DiskSetupException the folder does not serve
     * @throws DiskException it fails
     */
    public CopyStore open(MirrorConfig.Disk disk, IoWorkers workers, Executor loop)
            throws DiskSetupException, DiskException {
        Path folder = Path.of(disk.path());
        LinuxFile image = LinuxFile.openFile(folder.resolve("disk.img"));
        image.resize(disk.sizeBytes());
        LinuxFile beside = LinuxFile.openFile(folder.resolve("disk.meta"));
        MetadataArea metadata = new MetadataArea(beside, 0, MetadataArea.sizeFor(disk.sizeBytes()), true);
        return CopyStore.over(
                List.of(new DiskStore(disk.name(), disk.sizeBytes(), new Recorded(image), metadata)), workers, loop);
    }

    @Override
    public void close() throws IOException {
        spool.close();
    }

    private interface Call {
        void run() throws DiskException;
    }

    /** Takes down what passes, and passes it on. */
    private final class Recorded implements BlockFile {
        private final BlockFile file;

        Recorded(BlockFile file) {
            this.file = file;
        }

        private void recorded(Kind kind, long offset, long length, ByteBuffer data, Call call) throws DiskException {
            Op op = begin(kind, offset, length, data);
            boolean answered = false;
            try {
                call.run();
                answered = true;
            } finally {
                end(op, answered);
            }
        }

        private static ByteBuffer bytes(long address, int length) {
            return MemorySegment.ofAddress(address).reinterpret(length).asByteBuffer();
        }

        private static ByteBuffer none() {
            return ByteBuffer.allocate(0);
        }

        @Override
        public String path() {
            return file.path();
        }

        @Override
        public long sizeBytes() throws DiskException {
            return file.sizeBytes();
        }

        @Override
        public long mostBytes() throws DiskException {
            return file.mostBytes();
        }

        @Override
        public void read(long offset, long address, int length) throws DiskException {
            file.read(offset, address, length);
        }

        @Override
        public int readCached(long offset, long address, int length) throws DiskException {
            return file.readCached(offset, address, length);
        }

        @Override
        public void write(long offset, long address, int length) throws DiskException {
            recorded(Kind.WRITE, offset, length, bytes(address, length), () -> file.write(offset, address, length));
        }

        @Override
        public void writeDurably(long offset, long address, int length) throws DiskException {
            recorded(
                    Kind.DURABLE_WRITE,
                    offset,
                    length,
                    bytes(address, length),
                    () -> file.writeDurably(offset, address, length));
        }

        @Override
        public void zero(long offset, long length, Zeros zeros) throws DiskException {
            recorded(Kind.ZERO, offset, length, none(), () -> file.zero(offset, length, zeros));
        }

        @Override
        public boolean zeroIsFast() {
            return file.zeroIsFast();
        }

        @Override
        public void flush() throws DiskException {
            recorded(Kind.FLUSH, 0, 0, none(), file::flush);
        }

        @Override
        public long nextData(long offset, long end) throws DiskException {
            return file.nextData(offset, end);
        }

        @Override
        public long nextHole(long offset, long end) throws DiskException {
            return file.nextHole(offset, end);
        }

        @Override
        public void resize(long sizeBytes) throws DiskException {
            file.resize(sizeBytes);
        }

        @Override
        public void close() {
            file.close();
        }
    }
}
