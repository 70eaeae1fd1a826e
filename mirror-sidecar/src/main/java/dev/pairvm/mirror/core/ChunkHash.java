package dev.pairvm.mirror.core;

/**
 * SHA-256 of one chunk (64 KiB, or less at the end of a disk) as four big-endian words; a chunk of zeroes or a hole has the hash
 * {@link #ZERO}, which the store may answer from the file's map without reading.
 */
public record ChunkHash(long a, long b, long c, long d) {
    /** Stands for a chunk of zeroes; no SHA-256 in practice. */
    public static final ChunkHash ZERO = new ChunkHash(0, 0, 0, 0);

    /** Stands for a chunk that can not be read: equal to no other's, so it is written anew. No SHA-256 in practice. */
    public static final ChunkHash UNREADABLE = new ChunkHash(-1, -1, -1, -1);

    /** 64 hexadecimal digits, or what it stands for. */
    @Override
    public String toString() {
        if (equals(ZERO)) {
            return "zeroes";
        }
        return equals(UNREADABLE) ? "unreadable" : hex(a) + hex(b) + hex(c) + hex(d);
    }

    private static String hex(long word) {
        String digits = Long.toHexString(word);
        return "0".repeat(Long.BYTES * 2 - digits.length()) + digits;
    }
}
