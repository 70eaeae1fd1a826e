package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.CopyId;
import java.util.List;

/**
 * One verification of the two copies, as far as it is. Times are nanoseconds of CLOCK_BOOTTIME of this host.
 *
 * <p>What a complete run with every mismatch repaired proves: <em>no difference that arose before {@code beganAt} is left</em>. Each range
 * was compared at some moment after that, and from then on only writes went to it that both copies took. It does not say that all bytes
 * were equal at one moment: a range that was compared early may have rotted since, and that is for the next run to find.
 *
 * @param with the standby's copy
 * @param state how far it is
 * @param reason why it was aborted, else empty
 * @param beganAt when it began
 * @param endedAt when it ended, 0 while it runs
 * @param bytesTotal bytes of all disks
 * @param bytesCompared bytes of which both sides' hashes are known
 * @param mismatches chunks that differed, twice in a row
 * @param repaired of these, chunks that were written anew on the standby and found equal, and durable, after that
 * @param unreadableBytes bytes that this side could not read, so that nothing is known of them
 * @param kept the first mismatches
 */
public record VerifyRun(
        CopyId with,
        State state,
        String reason,
        long beganAt,
        long endedAt,
        long bytesTotal,
        long bytesCompared,
        long mismatches,
        long repaired,
        long unreadableBytes,
        List<Mismatch> kept) {
    /** Most mismatches that are kept one by one; further ones are counted. */
    public static final int MOST_KEPT = 16;

    /** Copies the list. */
    public VerifyRun {
        kept = List.copyOf(kept);
    }

    /** How far a verification is. */
    public enum State {
        RUNNING,
        /** Every byte was asked for. */
        COMPLETE,
        /** It ended before that. */
        ABORTED
    }

    /**
     * A chunk that differed.
     *
     * @param disk index of the disk
     * @param offset in bytes
     * @param length in bytes
     * @param active hash of the active's bytes, which count
     * @param standby hash of the standby's bytes; {@link ChunkHash#UNREADABLE} if it could not read them
     */
    public record Mismatch(int disk, long offset, int length, ChunkHash active, ChunkHash standby) {}

    /** Whether it proves that no difference from before its beginning is left. */
    public boolean proves() {
        return state == State.COMPLETE && repaired == mismatches && unreadableBytes == 0;
    }
}
