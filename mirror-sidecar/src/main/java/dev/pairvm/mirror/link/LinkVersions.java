package dev.pairvm.mirror.link;

import java.util.OptionalInt;

/**
 * The versions of the link that one side speaks, all from {@code oldest} to {@code newest}. Two sides speak the newest that both know,
 * so that one can be upgraded before the other as long as their ranges meet: a release that adds a version keeps the one before.
 *
 * @param oldest at least 1
 * @param newest not below {@code oldest}
 */
public record LinkVersions(int oldest, int newest) {
    /** What this build speaks. */
    public static final LinkVersions OURS = new LinkVersions(1, 1);

    /** Checks the bounds; throws {@link IllegalArgumentException}. */
    public LinkVersions {
        if (oldest < 1 || newest < oldest) {
            throw new IllegalArgumentException("versions from " + oldest + " to " + newest + " are no range");
        }
    }

    /** The version that both speak; empty if there is none. */
    OptionalInt common(LinkVersions other) {
        int candidate = Math.min(newest, other.newest);
        return candidate >= Math.max(oldest, other.oldest) ? OptionalInt.of(candidate) : OptionalInt.empty();
    }

    @Override
    public String toString() {
        return oldest == newest ? "version " + oldest : "versions " + oldest + " to " + newest;
    }
}
