package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.core.ChunkHash;
import dev.pairvm.mirror.core.Extent;
import dev.pairvm.mirror.core.PieceHash;
import dev.pairvm.mirror.memory.Buffers;
import dev.pairvm.mirror.store.DiskException;
import dev.pairvm.mirror.store.DiskStore;
import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Hashes chunks and pieces of a disk; of chunks holes are passed over by the file's map. Blocks: on a worker thread. */
final class ChunkHasher {
    private static final int DEVICE_BLOCK_BYTES = 4096;

    private ChunkHasher() {}

    /**
     * One hash per chunk of the range, in order; a chunk of zeroes is {@link ChunkHash#ZERO}, a hole or not.
     *
     * @param onDevice what the device holds, and not what the page cache does
     */
    static List<ChunkHash> hash(DiskStore disk, long offset, int length, boolean onDevice) throws DiskException {
        boolean[] data = new boolean[Math.ceilDiv(length, Extent.CHUNK_BYTES)];
        disk.blockMap(offset, length, (at, size, hole) -> {
            if (!hole) {
                int first = (int) ((at - offset) / Extent.CHUNK_BYTES);
                int last = (int) ((Math.min(at + size, offset + length) - 1 - offset) / Extent.CHUNK_BYTES);
                Arrays.fill(data, first, last + 1, true);
            }
            return true;
        });
        List<ChunkHash> hashes = new ArrayList<>(data.length);
        MessageDigest digest = sha256();
        ByteBuf memory = Buffers.POOL.directBuffer(
                Extent.CHUNK_BYTES + DEVICE_BLOCK_BYTES, Extent.CHUNK_BYTES + DEVICE_BLOCK_BYTES);
        try {
            int aligned = (int) (-memory.memoryAddress() & DEVICE_BLOCK_BYTES - 1);
            ByteBuf buffer = memory.slice(aligned, Extent.CHUNK_BYTES);
            for (int chunk = 0; chunk < data.length; chunk++) {
                long at = offset + (long) chunk * Extent.CHUNK_BYTES;
                int size = (int) Math.min(Extent.CHUNK_BYTES, offset + length - at);
                hashes.add(data[chunk] ? one(disk, at, size, onDevice, buffer.clear(), digest) : ChunkHash.ZERO);
            }
        } finally {
            memory.release();
        }
        return hashes;
    }

    /** One hash for each 4 KiB piece of these chunks of an extent, up to the end of the disk, in order, behind {@code salt}. */
    static List<PieceHash> pieces(DiskStore disk, int extent, long chunks, long diskBytes, long salt)
            throws DiskException {
        List<PieceHash> hashes = new ArrayList<>(Long.bitCount(chunks) * PieceHash.IN_CHUNK);
        MessageDigest digest = sha256();
        byte[] word = ByteBuffer.allocate(Long.BYTES).putLong(salt).array();
        ByteBuf buffer = Buffers.POOL.directBuffer(Extent.CHUNK_BYTES, Extent.CHUNK_BYTES);
        try {
            for (long left = chunks; left != 0; left &= left - 1) {
                long at = (long) extent * Extent.BYTES + (long) Long.numberOfTrailingZeros(left) * Extent.CHUNK_BYTES;
                int size = (int) Math.min(Extent.CHUNK_BYTES, diskBytes - at);
                disk.read(at, buffer.clear(), size);
                for (int piece = 0; piece < size; piece += PieceHash.PIECE_BYTES) {
                    hashes.add(piece(buffer.slice(piece, Math.min(PieceHash.PIECE_BYTES, size - piece)), word, digest));
                }
            }
        } finally {
            buffer.release();
        }
        return hashes;
    }

    private static PieceHash piece(ByteBuf piece, byte[] salt, MessageDigest digest) {
        if (isZero(piece)) {
            return PieceHash.ZERO;
        }
        digest.update(salt);
        digest.update(piece.nioBuffer());
        ByteBuffer words = ByteBuffer.wrap(digest.digest());
        return new PieceHash(words.getLong(), words.getInt());
    }

    private static ChunkHash one(
            DiskStore disk, long at, int size, boolean onDevice, ByteBuf buffer, MessageDigest digest)
            throws DiskException {
        if (onDevice) {
            disk.readDevice(at, buffer, size);
        } else {
            disk.read(at, buffer, size);
        }
        if (isZero(buffer)) {
            return ChunkHash.ZERO;
        }
        digest.update(buffer.nioBuffer());
        ByteBuffer words = ByteBuffer.wrap(digest.digest());
        return new ChunkHash(words.getLong(), words.getLong(), words.getLong(), words.getLong());
    }

    private static boolean isZero(ByteBuf buffer) {
        int at = buffer.readerIndex();
        int end = buffer.writerIndex();
        for (; at + Long.BYTES <= end; at += Long.BYTES) {
            if (buffer.getLong(at) != 0) {
                return false;
            }
        }
        for (; at < end; at++) {
            if (buffer.getByte(at) != 0) {
                return false;
            }
        }
        return true;
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }
}
