package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.store.WriteLog;
import dev.pairvm.mirror.store.WriteLog.Op;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * What a disk with a volatile cache holds if the power goes: everything that a flush covered, and of the rest any blocks. Built from the
 * disk's log, moment by moment.
 */
final class CrashImages implements AutoCloseable {
    /** What a disk is taken to write as one. */
    private static final int BLOCK = 4096;

    private final WriteLog log;
    private final List<Op> ops;
    private final Path durable;
    private final RandomAccessFile file;
    private final List<Op> pending = new ArrayList<>();
    private final List<Op> flushes = new ArrayList<>();
    private int next;

    /** {@code durable}: a new file for the flushed state. */
    CrashImages(WriteLog log, Path durable, long sizeBytes) throws IOException {
        this.log = log;
        this.ops = log.ops();
        this.durable = durable;
        this.file = new RandomAccessFile(durable.toFile(), "rw");
        file.setLength(sizeBytes);
    }

    /** Goes on to this moment, which is not before the last one. */
    void advance(long now) throws IOException {
        long floor = accept(now);
        List<Op> left = new ArrayList<>();
        for (Op op : pending) {
            if (op.ended() < floor || op.isDurable() && op.ended() <= now) {
                // An older one below it goes along: a disk keeps one content of a block, and this is the newer.
                for (Op older : left) {
                    if (older.offset() < op.offset() + op.length() && op.offset() < older.offset() + older.length()) {
                        put(file, older, null, 1);
                    }
                }
                left.removeIf(older ->
                        older.offset() < op.offset() + op.length() && op.offset() < older.offset() + older.length());
                put(file, op, null, 1);
            } else {
                left.add(op);
            }
        }
        pending.clear();
        pending.addAll(left);
    }

    /** Goes on to this moment as a disk that forgets every flush from now on: for showing that the judges would notice. */
    void advanceWithoutFlushing(long now) {
        accept(now);
    }

    private long accept(long now) {
        for (; next < ops.size() && ops.get(next).begun() <= now; next++) {
            Op op = ops.get(next);
            (op.isFlush() ? flushes : pending).add(op);
        }
        long floor = -1;
        for (Op flush : flushes) {
            if (flush.answered() && flush.ended() <= now) {
                floor = Math.max(floor, flush.begun());
            }
        }
        long covered = floor;
        flushes.removeIf(flush -> flush.ended() <= now && flush.begun() < covered);
        return floor;
    }

    /** Writes and zeroes that are not durable at this moment. */
    int pending() {
        return pending.size();
    }

    /** An image with each block that is not durable kept with this probability: 0 only what was flushed, 1 all. */
    void rebuild(Path to, Random coin, double kept) throws Exception {
        String said = FaultyDevice.run("cp", "--sparse=always", durable.toString(), to.toString());
        if (!said.isEmpty()) {
            throw new IOException(said);
        }
        try (RandomAccessFile image = new RandomAccessFile(to.toFile(), "rw")) {
            for (Op op : pending) {
                put(image, op, coin, kept);
            }
        }
    }

    private void put(RandomAccessFile into, Op op, @org.jspecify.annotations.Nullable Random coin, double kept)
            throws IOException {
        byte[] data = log.data(op);
        byte[] there = new byte[BLOCK];
        long end = op.offset() + op.length();
        for (long at = op.offset(); at < end; ) {
            int piece = (int) Math.min(BLOCK - at % BLOCK, end - at);
            if (coin == null || coin.nextDouble() < kept) {
                int from = (int) (at - op.offset());
                into.seek(at);
                into.readFully(there, 0, piece);
                // Holes stay holes.
                if (!java.util.Arrays.equals(there, 0, piece, data, from, from + piece)) {
                    into.seek(at);
                    into.write(data, from, piece);
                }
            }
            at += piece;
        }
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
