package dev.pairvm.mirror.core;

/**
 * How long the guest waits for its requests, apart from each other for reads, writes and flushes: usually, and while a resync is under
 * way. What is usual is learned only while a peer follows (alone, a write is quicker) and no resync works.
 */
final class Foreground {
    /** What a request is; each kind is compared with its own past. */
    enum Kind {
        READ,
        WRITE,
        FLUSH
    }

    /** What a number of requests came to. */
    enum Verdict {
        /** Too few to tell. */
        OPEN,
        /** Well within what is allowed. */
        EASY,
        /** As much as is allowed. */
        FULL,
        /** More of them were late than is allowed. */
        LATE
    }

    private static final long NANOS_PER_MILLI = 1_000_000;
    /** The guest is busy by what it asked for in the last one or two of these. */
    private static final long WINDOW_NANOS = 500 * NANOS_PER_MILLI;
    /** Fewer requests in a window than this, none of them waiting for long, are nobody's hurry. */
    private static final int FEW = 10;
    /** One in a hundred may be late, so this many tell something. */
    private static final int ENOUGH = 100;
    /** A verdict on fewer requests, for a guest that asks for less. */
    private static final long PATIENCE_NANOS = 500 * NANOS_PER_MILLI;

    private final Outbox out;
    private final int percent;
    private final Latencies[] usual = {new Latencies(), new Latencies(), new Latencies()};
    private final long[] limits = {Long.MAX_VALUE, Long.MAX_VALUE, Long.MAX_VALUE};
    private boolean learning;
    private boolean judging;
    private int finished;
    private int late;
    private long judgedAt;
    private long windowAt;
    private int inWindow;
    private int inWindowBefore;
    private long waitedInWindow;
    private long waitedInWindowBefore;

    /** {@code percent}: how much of the usual latency is allowed while a resync is under way, e.g. 150. */
    Foreground(Outbox out, int percent) {
        this.out = out;
        this.percent = percent;
    }

    /** A request of the guest was answered, this long after it came. */
    void answered(Kind kind, long nanos) {
        roll();
        inWindow++;
        waitedInWindow += nanos;
        if (learning) {
            usual[kind.ordinal()].add(nanos);
        } else if (judging) {
            finished++;
            if (nanos > limits[kind.ordinal()]) {
                late++;
            }
        }
    }

    /** From now latencies are the usual ones. */
    void learn() {
        learning = true;
        judging = false;
    }

    /** From now latencies say nothing. */
    void ignore() {
        learning = false;
        judging = false;
    }

    /** What was learned long ago counts less from here. */
    void forgetSome() {
        for (Latencies each : usual) {
            each.halve();
        }
    }

    /** From now latencies are a resync's doing, and are compared with the usual ones. */
    void judge() {
        learning = false;
        judging = true;
        for (int i = 0; i < limits.length; i++) {
            long p99 = usual[i].p99();
            limits[i] = p99 >= Long.MAX_VALUE / 1000 ? Long.MAX_VALUE : p99 * percent / 100;
        }
        begin();
    }

    int learned() {
        int total = 0;
        for (Latencies each : usual) {
            total += each.total();
        }
        return total;
    }

    /** What was answered since the last verdict says about the resync; {@link Verdict#OPEN} until it says something. */
    Verdict verdict() {
        boolean waitedEnough = out.now() - judgedAt >= PATIENCE_NANOS;
        if (finished < ENOUGH && !waitedEnough) {
            return Verdict.OPEN;
        }
        Verdict verdict = of(finished, late);
        begin();
        return verdict;
    }

    private static Verdict of(int finished, int late) {
        if (late > 1 && late * 100L > finished) {
            return Verdict.LATE;
        }
        return late * 200L <= finished ? Verdict.EASY : Verdict.FULL;
    }

    private void begin() {
        finished = 0;
        late = 0;
        judgedAt = out.now();
    }

    /**
     * Whether the guest wants something of its disks: it asks often, or it waits for a good part of the time. Not by the number of
     * requests alone: one that waits long for each asks for few.
     */
    boolean busy() {
        roll();
        return busy(inWindow, waitedInWindow) || busy(inWindowBefore, waitedInWindowBefore);
    }

    private static boolean busy(int requests, long waited) {
        return requests >= FEW || waited >= WINDOW_NANOS / 4;
    }

    private void roll() {
        long past = out.now() - windowAt;
        if (past >= WINDOW_NANOS) {
            boolean adjoining = past < 2 * WINDOW_NANOS;
            inWindowBefore = adjoining ? inWindow : 0;
            waitedInWindowBefore = adjoining ? waitedInWindow : 0;
            inWindow = 0;
            waitedInWindow = 0;
            windowAt = out.now();
        }
    }
}
