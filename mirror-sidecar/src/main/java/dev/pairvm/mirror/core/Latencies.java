package dev.pairvm.mirror.core;

import java.util.Arrays;

/** How often which latency came up: a histogram whose buckets are a sixteenth of a power of two wide. Nothing is allocated per entry. */
final class Latencies {
    private static final int SUB_BITS = 4;
    private static final int SUB = 1 << SUB_BITS;
    /** Above this many, older ones count half: what is measured follows the guest. */
    private static final int MOST = 8192;

    private final int[] counts = new int[(Long.SIZE - SUB_BITS) * SUB];
    private int total;

    void add(long nanos) {
        if (total >= MOST) {
            halve();
        }
        counts[bucket(Math.max(0, nanos))]++;
        total++;
    }

    int total() {
        return total;
    }

    void halve() {
        total = 0;
        for (int i = 0; i < counts.length; i++) {
            counts[i] >>= 1;
            total += counts[i];
        }
    }

    void clear() {
        Arrays.fill(counts, 0);
        total = 0;
    }

    /** The latency in nanoseconds that one in a hundred exceeds, at most a sixteenth too high; {@link Long#MAX_VALUE} if none is known. */
    long p99() {
        int above = total / 100;
        for (int i = counts.length - 1; i >= 0; i--) {
            above -= counts[i];
            if (above < 0) {
                return highest(i);
            }
        }
        return Long.MAX_VALUE;
    }

    private static int bucket(long nanos) {
        if (nanos < SUB) {
            return (int) nanos;
        }
        int exponent = Long.SIZE - 1 - Long.numberOfLeadingZeros(nanos);
        int sub = (int) (nanos >>> (exponent - SUB_BITS)) & (SUB - 1);
        return (exponent - SUB_BITS + 1) * SUB + sub;
    }

    private static long highest(int bucket) {
        if (bucket < SUB) {
            return bucket;
        }
        int exponent = bucket / SUB + SUB_BITS - 1;
        long sub = bucket % SUB;
        return ((SUB + sub + 1) << (exponent - SUB_BITS)) - 1;
    }
}
