package dev.pairvm.mirror.core;

/**
 * First 96 bits of the SHA-256 of a session's word and one piece (4 KiB, or less at the end of a disk): enough to find which pieces of a
 * chunk differ, at a third of the bytes. The word is random and not known to the guest, so contents can not be made to collide; by
 * accident two that differ are taken for equal once in 2^96.
 */
public record PieceHash(long a, int b) {
    /** Bytes of a piece: the smallest difference that is sent. */
    public static final int PIECE_BYTES = 4 << 10;
    /** Pieces of a whole chunk. */
    public static final int IN_CHUNK = Extent.CHUNK_BYTES / PIECE_BYTES;
    /** Stands for a piece of zeroes, which is no SHA-256 in practice. */
    public static final PieceHash ZERO = new PieceHash(0, 0);

    /** Stands for a piece that can not be read: equal to no other's, so it is written anew. No SHA-256 in practice. */
    static final PieceHash UNREADABLE = new PieceHash(-1, -1);
}
