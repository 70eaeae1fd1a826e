package dev.pairvm.mirror.core.sim;

import java.util.ArrayDeque;
import java.util.EnumMap;
import java.util.IdentityHashMap;
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
    final Map<Fault, Long> faults = new EnumMap<>(Fault.class);
    /** What the cores took and gave, by class; refusals, reasons and problems by name. */
    final Map<Class<?>, long[]> kinds = new IdentityHashMap<>();

    final Map<String, Long> reasons = new TreeMap<>();
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

    void struck(Fault fault) {
        faults.merge(fault, 1L, Long::sum);
    }

    void count(Class<?> kind) {
        long[] count = kinds.get(kind);
        if (count == null) {
            count = new long[1];
            kinds.put(kind, count);
        }
        count[0]++;
    }

    void reason(String reason) {
        reasons.merge(reason, 1L, Long::sum);
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
        CAS_LATE,
        CAS_REPLY_LOST,
        CAS_CONFLICT,
        STALE_FRAME,
        HALF_OPEN,
        PROMOTED,
        STARTED,
        HANDED_OVER,
        CALM_HAND_OVER,
        DISK_GROWN,
        FOLLOWER_LARGER,
        CALM_GROWTH,
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
        RESYNCED,
        RESYNC_AT_FULL_SPEED,
        RESYNC_MEASURED_THE_GUEST,
        RESYNC_HELD_BACK,
        RESYNC_AT_FLOOR,
        RESYNC_AT_CAP,
        DISK_ERROR,
        FLUSH_ERROR,
        BAD_PLACE,
        DEVICE_DIED,
        READ_FROM_PEER,
        READ_FROM_PEER_INSTEAD,
        REPAIRED,
        WITHOUT_DISK,
        GUEST_SAW_AN_ERROR,
        GUEST_REBOOTED,
        KILLED_IN_PHASE,
        CHECKPOINT,
        TAKEN_OVER,
        HANDED_TO_TWIN,
        COMMITTED_BY_ANOTHER_LIFE,
        MISMATCH,
        VERIFIED,
        VERIFY_CUT,
        ROT_REPAIRED,
        LOOP_STUCK,
        // From here on: what only three copies come to.
        LOST_COPY_REPLACED,
        FAILED_COPY_REPLACED,
        TWO_WAIT_TO_BE_FILLED,
        OLD_COPY_CAME_FIRST,
        NEW_COPY_GIVEN_UP,
        NEW_COPY_JOINED,
        NEW_COPY_JOINED_A_PROMOTED,
        NEW_COPY_LEADS,
        DISCARDED_COPY_MET,
        DISCARDED_COPY_FILLED,
        DISCARDED_WHILE_LISTED,
        LEAVES_DEAD_DISK
    }
}
