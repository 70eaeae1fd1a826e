package dev.pairvm.mirror.store;

import dev.pairvm.mirror.core.Superblock;

/** What the disks of a copy together say of it. */
public sealed interface StoredSuperblock {
    /** No disk was ever part of a copy. */
    record Blank() implements StoredSuperblock {}

    /**
     * At least one disk holds something that is neither whole nor zeros, or the disks contradict each other. Never to be treated as
     * blank: it may be the only copy. It may be formatted only when the arbiter's record proves that nothing acknowledged can lie
     * here (this copy is not in sync, or nothing was ever started).
     *
     * @param ours whether a damaged disk bears this format's mark; if not, the volume may hold somebody else's old data
     * @param reason a sentence for the administrator, naming disk and fact
     */
    record Damaged(boolean ours, String reason) implements StoredSuperblock {}

    /**
     * Every disk has a whole superblock. Where a crash left them different, this is the worst of them: nothing was done yet on the
     * strength of a write that did not reach all. A disk that is blank while others are not makes the state {@code BLANK}.
     */
    record Found(Superblock superblock) implements StoredSuperblock {}
}
