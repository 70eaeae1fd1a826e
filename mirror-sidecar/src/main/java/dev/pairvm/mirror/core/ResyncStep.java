package dev.pairvm.mirror.core;

import java.util.ArrayList;
import java.util.List;

/**
 * Some chunks of one extent on their way: locked, then compared by chunk unless they are {@code named}, then by piece where that is
 * needed, then sent. It is over when nothing is unanswered.
 */
final class ResyncStep {
    final int disk;
    final int extent;
    /** Bits of the chunks. */
    final long chunks;
    /** How large the disk was here when it began. */
    final long diskBytes;
    /** Whether they are known to have been written: compared by piece at once. */
    final boolean named;

    final List<RangeLocks.Holder> locks = new ArrayList<>();
    int locksMissing;
    long bytes;
    /** Local hashing that is under way, or was last. */
    long io;
    /** Frames that the peer has not answered. */
    int unanswered;

    List<ChunkHash> mine = List.of();
    List<ChunkHash> theirs = List.of();
    /** Bits of the chunks whose pieces were asked for. */
    long asked;

    List<PieceHash> myPieces = List.of();
    List<PieceHash> theirPieces = List.of();

    ResyncStep(int disk, int extent, long chunks, long diskBytes, boolean named) {
        this.diskBytes = diskBytes;
        this.disk = disk;
        this.extent = extent;
        this.chunks = chunks;
        this.named = named;
    }

    long offset(int chunk) {
        return (long) extent * Extent.BYTES + (long) chunk * Extent.CHUNK_BYTES;
    }

    void askPieces(long of) {
        asked = of;
        myPieces = List.of();
        theirPieces = List.of();
    }

    /** Whether this side still hashes: what the peer has answered already waits for that. */
    boolean hashing() {
        return asked != 0 ? myPieces.isEmpty() : mine.isEmpty();
    }
}
