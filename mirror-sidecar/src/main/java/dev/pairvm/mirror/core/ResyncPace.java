package dev.pairvm.mirror.core;

import dev.pairvm.mirror.core.CoreView.Resyncing.Pace;

/**
 * How fast a resync may go: as fast as it can while the guest is quiet, else so that the guest's 99th percentile stays within what is
 * allowed of the usual one. Rises while all is well and falls by a third when it is not (additive increase, multiplicative decrease, as
 * TCP does), never below {@link #FLOOR} and never above the cap. What is usual is measured anew now and then, with nothing under way:
 * a guest whose load changes must not be judged by its past.
 *
 * <p>Pure: time is the running step's. Counts the bytes that are compared; those found to be zeroes on both sides are given back.
 */
final class ResyncPace {
    /** Goes on in any case, bytes per second: a resync that never ends is a pair that never is one (10 MB/s: 1 TB in 28 hours). */
    static final long FLOOR = 10_000_000;

    private static final long NANOS = 1_000_000_000;
    private static final long NANOS_PER_MILLI = 1_000_000;
    /** Where it begins beside a busy guest. */
    private static final long FIRST = 4 * FLOOR;
    /** No device or network here is faster. */
    private static final long FASTEST = 4_000_000_000L;
    /** Bytes under way at full speed: a round trip of 10 ms at 1.6 GB/s. */
    private static final long MOST_UNDER_WAY = 16L << 20;
    /** Held back, this much of a second's bytes may be under way, and may be saved up while nothing was. */
    private static final int WINDOW_PARTS = 16;

    private static final long LEAST_UNDER_WAY = 4L * Extent.CHUNK_BYTES;
    /** At most a sixteenth of a second's bytes at once: the guest waits behind each. */
    private static final long SMALLEST_STEP = Extent.CHUNK_BYTES;

    private static final long LARGEST_STEP = 1L << 20;
    /** Measuring takes so long, and up to thrice as long if the guest asks for little: at most a tenth of the time. */
    private static final long MEASURE_NANOS = 250 * NANOS_PER_MILLI;

    /** What the resync left in queues and caches still slows the guest for so long. */
    private static final long SETTLE_NANOS = 50 * NANOS_PER_MILLI;

    private static final long MEASURED_FOR_NANOS = 10 * NANOS;
    private static final int MEASURED_ENOUGH = 100;

    private final Outbox out;
    private final Foreground guest;
    private final long cap;
    private long rate = FIRST;
    /** Not slowed yet: it doubles instead of creeping. */
    private boolean searching = true;

    private long tokens;
    private long filledAt;
    private boolean measuring;
    private boolean learning;
    private long measuringSince;
    private long measuredAt;
    private long taken;
    private long takenSince;
    private Pace pace = Pace.FULL;

    /** {@code cap}: most bytes per second, at least {@link #FLOOR}; {@link Long#MAX_VALUE} for none. */
    ResyncPace(Outbox out, Foreground guest, long cap) {
        this.out = out;
        this.guest = guest;
        this.cap = cap;
        filledAt = out.now();
        takenSince = out.now();
        guest.ignore();
    }

    Pace pace() {
        return pace;
    }

    /** Bytes that may be begun now, with so many under way; 0 if none, else at least a chunk. */
    long allowance(long underWay) {
        if (!guest.busy()) {
            rest();
            return allow(cap, MOST_UNDER_WAY, underWay, cap < FASTEST ? Pace.AT_CAP : Pace.FULL);
        }
        if (measuring) {
            measure(underWay);
        } else if (measuredAt == 0 || out.now() - measuredAt >= MEASURED_FOR_NANOS) {
            measuring = true;
            learning = false;
            measuringSince = 0;
            guest.ignore();
            measure(underWay);
        }
        if (measuring) {
            pace = Pace.MEASURING;
            return 0;
        }
        adapt();
        long now = Math.min(rate, cap);
        Pace how = now == cap ? Pace.AT_CAP : now <= FLOOR ? Pace.AT_FLOOR : Pace.HELD_BACK;
        return allow(now, Math.clamp(now / WINDOW_PARTS, LEAST_UNDER_WAY, MOST_UNDER_WAY), underWay, how);
    }

    private void rest() {
        if (measuring) {
            measuring = false;
            guest.ignore();
        }
    }

    /** Nothing is begun until what is under way has ended; then the guest is watched for a while. */
    private void measure(long underWay) {
        if (underWay > 0) {
            return;
        }
        if (measuringSince == 0) {
            measuringSince = out.now() + SETTLE_NANOS;
        }
        long past = out.now() - measuringSince;
        if (past < 0) {
            return;
        }
        if (!learning) {
            learning = true;
            guest.forgetSome();
            guest.learn();
        }
        if (past >= 3 * MEASURE_NANOS || past >= MEASURE_NANOS && guest.learned() >= MEASURED_ENOUGH) {
            measuring = false;
            measuredAt = out.now();
            tokens = 0;
            filledAt = out.now();
            begin();
            guest.judge();
        }
    }

    private void adapt() {
        switch (guest.verdict()) {
            case OPEN -> {}
            case FULL -> begin();
            case EASY -> {
                // What it can not use is no allowance: a device that is slower for a while must not save it up.
                if (perSecond() >= rate / 2) {
                    rate = Math.min(FASTEST, rate + (searching ? rate / 2 : Math.max(FLOOR / 10, rate / 16)));
                }
                begin();
            }
            case LATE -> {
                searching = false;
                rate = Math.max(FLOOR, rate - rate / 3);
                begin();
            }
        }
    }

    private long perSecond() {
        long nanos = Math.max(NANOS_PER_MILLI, out.now() - takenSince);
        return taken / Math.max(1, nanos / NANOS_PER_MILLI) * 1000;
    }

    private void begin() {
        taken = 0;
        takenSince = out.now();
    }

    private long allow(long perSecond, long window, long underWay, Pace how) {
        pace = how;
        fill(perSecond, window);
        long room = Math.min(tokens, window - underWay);
        return room < SMALLEST_STEP ? 0 : Math.min(room, Math.clamp(window / 4, SMALLEST_STEP, LARGEST_STEP));
    }

    private void fill(long perSecond, long window) {
        long past = Math.min(NANOS, out.now() - filledAt);
        if (perSecond > FASTEST || past == NANOS) {
            tokens = window;
            filledAt = out.now();
            return;
        }
        long more = past * perSecond / NANOS;
        tokens += more;
        filledAt += more * NANOS / perSecond;
        if (tokens >= window) {
            tokens = window;
            filledAt = out.now();
        }
    }

    void took(long bytes) {
        tokens -= bytes;
        taken += bytes;
    }

    /** Zeroes on both sides: they cost next to nothing. */
    void giveBack(long bytes) {
        tokens += bytes;
    }
}
