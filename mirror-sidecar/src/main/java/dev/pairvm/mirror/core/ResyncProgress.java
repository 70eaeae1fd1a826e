package dev.pairvm.mirror.core;

import java.util.OptionalLong;

/** How far a resync is, and how long it will still take if it goes on as in the last seconds. */
final class ResyncProgress {
    private static final long SAMPLE_NANOS = 1_000_000_000;
    /** No estimate before this many samples: the first seconds are not like the rest. */
    private static final int ENOUGH = 2;
    /** Until then the average since the start says more than the last second. */
    private static final int FIRST = 8;

    private final Outbox out;
    private final long[] total;
    private final long[] done;
    private final long startedAt;
    private long sampledAt;
    private long sampledDone;
    private int samples;
    /** Chunks in 1,024 seconds, smoothed. */
    private long speed;

    ResyncProgress(Outbox out, DirtyMap todo) {
        this.out = out;
        total = new long[todo.disks()];
        done = new long[todo.disks()];
        for (int i = 0; i < total.length; i++) {
            total[i] = todo.chunks(i);
        }
        startedAt = out.now();
        sampledAt = startedAt;
    }

    void done(int disk, int chunks) {
        done[disk] += chunks;
    }

    long totalBytes(int disk) {
        return total[disk] * Extent.CHUNK_BYTES;
    }

    long doneBytes(int disk) {
        return done[disk] * Extent.CHUNK_BYTES;
    }

    void timePassed() {
        long past = out.now() - sampledAt;
        if (past < SAMPLE_NANOS) {
            return;
        }
        long all = sum(done);
        long now = perSecond(all - sampledDone, past);
        speed = samples < FIRST ? perSecond(all, out.now() - startedAt) : (3 * speed + now) / 4;
        samples++;
        sampledAt = out.now();
        sampledDone = all;
    }

    private static long perSecond(long chunks, long nanos) {
        return chunks * 1024 * 1000 / Math.max(1, nanos / 1_000_000);
    }

    /** Seconds until the end, rounded up; empty while that can not be told. */
    OptionalLong secondsLeft() {
        long left = sum(total) - sum(done);
        if (left == 0) {
            return OptionalLong.of(0);
        }
        if (samples < ENOUGH || speed <= 0) {
            return OptionalLong.empty();
        }
        return OptionalLong.of((left * 1024 + speed - 1) / speed);
    }

    private static long sum(long[] values) {
        long sum = 0;
        for (long value : values) {
            sum += value;
        }
        return sum;
    }
}
