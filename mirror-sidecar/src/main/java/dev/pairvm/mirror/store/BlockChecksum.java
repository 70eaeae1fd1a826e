package dev.pairvm.mirror.store;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/** The CRC32C in the last four bytes of every metadata block: tells a torn or rotten block from a whole one. */
final class BlockChecksum {
    /** Where the checksum lies; the payload of a block ends here. */
    static final int OFFSET = MetadataArea.BLOCK_BYTES - 4;

    private static final ValueLayout.OfInt BIG_ENDIAN_INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.BIG_ENDIAN);

    private BlockChecksum() {}

    private static int of(MemorySegment block) {
        CRC32C crc = new CRC32C();
        crc.update(block.asSlice(0, OFFSET).asByteBuffer());
        return (int) crc.getValue();
    }

    /** Writes the checksum of a block into it. */
    static void seal(MemorySegment block) {
        block.set(BIG_ENDIAN_INT, OFFSET, of(block));
    }

    /** Whether the block is as it was sealed. */
    static boolean matches(MemorySegment block) {
        return block.get(BIG_ENDIAN_INT, OFFSET) == of(block);
    }

    /** Whether the block was never written. */
    static boolean isZero(MemorySegment block) {
        for (long at = 0; at < block.byteSize(); at += 8) {
            if (block.get(ValueLayout.JAVA_LONG, at) != 0) {
                return false;
            }
        }
        return true;
    }
}
