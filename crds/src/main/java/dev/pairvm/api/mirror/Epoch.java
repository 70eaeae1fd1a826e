package dev.pairvm.api.mirror;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/**
 * The rising number in the arbiter record, stamped on every frame, order and report; a higher one fences a lower one
 * (a generation, in the words of DRBD and PacificA).
 *
 * @param value 0 (before the first start) or more
 */
public record Epoch(@JsonValue long value) implements Comparable<Epoch> {
    /** Before the first start of the machine. */
    public static final Epoch NONE = new Epoch(0);

    /** Checks the bound; throws {@link IllegalArgumentException} naming what it got. */
    @JsonCreator
    public Epoch {
        if (value < 0) {
            throw new IllegalArgumentException("epoch must not be negative, got " + value);
        }
    }

    /** The epoch after this one. */
    public Epoch next() {
        return new Epoch(Math.addExact(value, 1));
    }

    /** Whether this epoch fences the other, that is, is higher. */
    public boolean fences(Epoch other) {
        return value > other.value;
    }

    @Override
    public int compareTo(Epoch other) {
        return Long.compare(value, other.value);
    }

    @Override
    public String toString() {
        return Long.toString(value);
    }
}
