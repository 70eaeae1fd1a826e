package dev.pairvm.mirror.core.sim;

import java.util.ArrayDeque;
import java.util.EnumMap;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** True time, the queue of what will happen, and the dice. Knows nothing of the protocol. */
final class World {
    static final long MILLI = 1_000_000L;

    private record Due(long at, long order, Runnable action) implements Comparable<Due> {
        @Override
        public int compareTo(Due other) {
            int byTime = Long.compare(at, other.at);
            return byTime != 0 ? byTime : Long.compare(order, other.order);
        }
    }

    private final PriorityQueue<Due> queue = new PriorityQueue<>();
    private final SplittableRandom dice;
    private final ArrayDeque<String> trace = new ArrayDeque<>();
    private final int traceLines;
    final Map<Branch, Long> branches = new EnumMap<>(Branch.class);
    final TreeMap<String, Long> effects = new TreeMap<>();
    private long now;
    private long order;

    World(long seed, int traceLines) {
        this.dice = new SplittableRandom(seed);
        this.traceLines = traceLines;
    }

    long now() {
        return now;
    }

    void after(long nanos, Runnable action) {
        queue.add(new Due(now + Math.max(0, nanos), ++order, action));
    }

    void afterMillis(double millis, Runnable action) {
        after((long) (millis * MILLI), action);
    }

    /** Runs until that true time; {@code each} after every action. */
    void runUntil(long until, Runnable each) {
        for (Due next = queue.peek(); next != null && next.at() <= until; next = queue.peek()) {
            queue.remove();
            now = next.at();
            next.action().run();
            each.run();
        }
        now = until;
    }

    int below(int bound) {
        return dice.nextInt(bound);
    }

    double between(double from, double to) {
        return from + dice.nextDouble() * (to - from);
    }

    /** True once in so many. */
    boolean oneIn(int n) {
        return dice.nextInt(n) == 0;
    }

    boolean chance(double probability) {
        return dice.nextDouble() < probability;
    }

    long word() {
        return dice.nextLong() | 1;
    }

    void met(Branch branch) {
        branches.merge(branch, 1L, Long::sum);
    }

    boolean tracing() {
        return traceLines > 0;
    }

    void say(String who, Object what) {
        if (traceLines > 0) {
            if (trace.size() == traceLines) {
                trace.remove();
            }
            trace.add(String.format("%10.3f ms  %s  %s", now / (double) MILLI, who, what));
        }
    }

    String story() {
        return String.join("\n", trace);
    }

    /** Rare things that a good set of seeds must have met. */
    enum Branch {
        NODE_CRASH,
        PROCESS_CRASH,
        LINK_CUT,
        ONE_WAY_CUT,
        LINK_RESET,
        NODE_PAUSE,
        LOOP_STALL,
        ARBITER_OUTAGE,
        CAS_LATE,
        CAS_REPLY_LOST,
        CAS_CONFLICT,
        ADDRESS_LINE,
        STALE_FRAME,
        HALF_OPEN,
        BLANK_DISK,
        DISK_ERROR,
        DISK_STALL,
        FLUSH_ERROR,
        BAD_PLACE,
        DEVICE_DIED,
        READ_FROM_PEER,
        REPAIRED,
        WITHOUT_DISK,
        PROMOTED,
        STARTED,
        HANDED_OVER,
        CALM_HAND_OVER,
        HAND_OVER_LOST,
        SHRUNK,
        GROWN,
        SUSPENDED,
        RESUMED_IN_PLACE,
        FENCED,
        LEFT,
        CACHE_LOST,
        EXTENT_COOLED,
        CONTINUED,
        RECONCILED,
        RESYNCED
    }
}
