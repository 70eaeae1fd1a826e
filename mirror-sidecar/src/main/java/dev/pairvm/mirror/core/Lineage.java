package dev.pairvm.mirror.core;

import java.util.List;

/**
 * Names the data of a copy, to tell a partial resync from a full one and to recognise swapped or restored volumes (DRBD's
 * generation identifiers). Copies in sync have the same {@code current}; it changes whenever the set of copies in sync does.
 *
 * @param current random word of the data now; 0 = blank
 * @param base the {@code current} that the dirty bitmap is relative to: a peer that still has it needs only what the bitmap and
 *     its own activity log name; 0 = none
 * @param history earlier ones, newest first, at most eight
 */
public record Lineage(long current, long base, List<Long> history) {
    /** Most entries of {@code history}. */
    public static final int DEPTH = 8;
    /** Of a blank copy. */
    public static final Lineage BLANK = new Lineage(0, 0, List.of());

    /** Copies the list; throws {@link IllegalArgumentException} if it is too long. */
    public Lineage {
        history = List.copyOf(history);
        if (history.size() > DEPTH) {
            throw new IllegalArgumentException("lineage keeps " + DEPTH + " entries, got " + history.size());
        }
    }

    /** New data: what was current becomes the base, and the newest entry of the history. */
    Lineage branch(long next) {
        return new Lineage(next, current, pushed());
    }

    /** New data of which it is not known what an earlier copy in sync has missed: {@code unknown} is a base that nobody has. */
    Lineage apart(long next, long unknown) {
        return new Lineage(next, unknown, pushed());
    }

    /** Sealed with a peer as {@code next}: no bitmap is needed any more. */
    Lineage sealed(long next) {
        return new Lineage(next, 0, pushed());
    }

    private List<Long> pushed() {
        if (current == 0) {
            return history;
        }
        var longer = new java.util.ArrayList<Long>();
        longer.add(current);
        longer.addAll(history.subList(0, Math.min(history.size(), DEPTH - 1)));
        return longer;
    }
}
