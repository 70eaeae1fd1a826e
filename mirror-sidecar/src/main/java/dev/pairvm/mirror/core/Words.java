package dev.pairvm.mirror.core;

/** Random words from the life of a process: deterministic for the core, unique in practice because the life is random. */
final class Words {
    private final long life;
    private long drawn;

    Words(long life) {
        this.life = life;
    }

    /** A fresh word, never 0. */
    long next() {
        return positive(mix(life, ++drawn));
    }

    static long positive(long word) {
        long value = word & Long.MAX_VALUE;
        return value == 0 ? 1 : value;
    }

    /** SplitMix64's finisher over both. */
    static long mix(long a, long b) {
        long z = a + Long.rotateLeft(b * 0x9E3779B97F4A7C15L, 31) + 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
