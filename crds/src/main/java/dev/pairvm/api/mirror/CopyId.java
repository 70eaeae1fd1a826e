package dev.pairvm.api.mirror;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.regex.Pattern;

/**
 * Names one copy of a machine's disks, for the life of the machine: {@code a}, {@code b}, {@code c}, … given out by the
 * operator and never given twice, so that a late frame or certificate of a lost copy can not be taken for its successor's.
 *
 * @param value one to three lower-case letters
 */
public record CopyId(@JsonValue String value) implements Comparable<CopyId> {
    private static final Pattern SHAPE = Pattern.compile("[a-z]{1,3}");

    /** Checks the shape; throws {@link IllegalArgumentException} naming what it got. */
    @JsonCreator
    public CopyId {
        if (!SHAPE.matcher(value).matches()) {
            throw new IllegalArgumentException(
                    "copy name must be one to three lower-case letters, got \"" + value + "\"");
        }
    }

    @Override
    public int compareTo(CopyId other) {
        int byLength = Integer.compare(value.length(), other.value.length());
        return byLength != 0 ? byLength : value.compareTo(other.value);
    }

    @Override
    public String toString() {
        return value;
    }
}
