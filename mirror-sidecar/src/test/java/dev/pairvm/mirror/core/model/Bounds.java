package dev.pairvm.mirror.core.model;

/**
 * How far the model is explored.
 *
 * @param writes distinct writes, at most 3
 * @param epochs highest epoch, at most 14
 * @param crashes crashes altogether
 * @param sessions sessions after the first
 */
record Bounds(int writes, int epochs, int crashes, int sessions) {
    static final Bounds SMALL = new Bounds(1, 5, 2, 4);
    static final Bounds FULL = new Bounds(2, 6, 3, 4);
    /** Enough for every mutation to show itself. */
    static final Bounds MUTANT = new Bounds(2, 5, 2, 4);
}
