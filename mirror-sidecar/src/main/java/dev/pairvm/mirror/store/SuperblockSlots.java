package dev.pairvm.mirror.store;

import static dev.pairvm.mirror.store.MetadataArea.BLOCK_BYTES;

import dev.pairvm.mirror.store.SuperblockRead.Blank;
import dev.pairvm.mirror.store.SuperblockRead.Damaged;
import dev.pairvm.mirror.store.SuperblockRead.Found;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Two 4 KiB slots written in turn, so that one whole superblock exists at every moment: the slot being written is always the
 * older one, and it is durable before the other may be touched.
 *
 * <pre>
 *   0   8 bytes  "PairVMsb"
 *   8   u32      format version, 1
 *   12  u64      sequence; the higher one counts
 *   20  u64      size of the disk in bytes
 *   28  u16 + n  name of the disk, UTF-8
 *       u16 + n  content, see {@link SuperblockCodec}
 *       zeros
 *   4092 u32     CRC32C of the 4092 bytes before
 * </pre>
 */
final class SuperblockSlots {
    private static final long MAGIC = 0x50616972564d7362L;
    private static final int VERSION = 1;
    /** What fits beside the header and a disk name of 256 bytes. */
    static final int MAX_CONTENT_BYTES = 3700;

    private final MetadataArea area;
    /** The slot that may be overwritten: not the one with the newest whole superblock. */
    private int older;

    private final MemorySegment slot = Arena.ofAuto().allocate(BLOCK_BYTES, BLOCK_BYTES);

    SuperblockSlots(MetadataArea area) {
        this.area = area;
    }

    /** Reads both slots and takes the newer whole one. */
    synchronized SuperblockRead read() throws DiskException {
        SuperblockRead first = readSlot(0);
        SuperblockRead second = readSlot(1);
        if (first instanceof Found a && (!(second instanceof Found b) || a.sequence() > b.sequence())) {
            older = 1;
            return a;
        }
        older = 0;
        if (second instanceof Found) {
            return second;
        }
        if (first instanceof Blank && second instanceof Blank) {
            return first;
        }
        boolean ours = first instanceof Damaged a && a.ours() || second instanceof Damaged b && b.ours();
        return new Damaged(
                ours, "superblock of " + area.path() + ": slot 0 " + describe(first) + ", slot 1 " + describe(second));
    }

    private static String describe(SuperblockRead read) {
        return switch (read) {
            case Blank() -> "is zeros";
            case Damaged damaged -> damaged.reason();
            case Found found -> "is whole, sequence " + found.sequence();
        };
    }

    /** Whether either of two slots begins with the mark of this format. */
    static boolean isMarked(MemorySegment slots) {
        ByteBuffer blocks = slots.asByteBuffer();
        return blocks.getLong(0) == MAGIC || blocks.getLong(BLOCK_BYTES) == MAGIC;
    }

    private SuperblockRead readSlot(int index) throws DiskException {
        area.read(slotOffset(index), slot);
        ByteBuffer block = slot.asByteBuffer();
        if (BlockChecksum.isZero(slot)) {
            return new Blank();
        }
        boolean ours = block.getLong(0) == MAGIC;
        if (!ours) {
            return new Damaged(false, "does not begin with the mark of this format");
        }
        if (!BlockChecksum.matches(slot)) {
            return new Damaged(true, "has a wrong checksum");
        }
        int version = block.getInt(8);
        if (version != VERSION) {
            return new Damaged(true, "has format version " + version + ", this build knows " + VERSION);
        }
        String disk = readString(block, 28);
        byte[] content = disk == null ? null : readBytes(block, 30 + block.getShort(28));
        long sequence = block.getLong(12);
        if (disk == null || content == null) {
            return new Damaged(true, "contradicts itself although its checksum is right");
        }
        return new Found(sequence, disk, block.getLong(20), content);
    }

    private static @Nullable String readString(ByteBuffer block, int at) {
        byte[] bytes = readBytes(block, at);
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    private static byte @Nullable [] readBytes(ByteBuffer block, int at) {
        if (at + 2 > BlockChecksum.OFFSET) {
            return null;
        }
        int length = Short.toUnsignedInt(block.getShort(at));
        if (at + 2 + length > BlockChecksum.OFFSET) {
            return null;
        }
        byte[] bytes = new byte[length];
        block.get(at + 2, bytes);
        return bytes;
    }

    /**
     * Replaces the older slot; durable on return. {@link #read} comes first.
     *
     * @param sequence higher than any read or written before
     */
    synchronized void write(long sequence, String disk, long imageBytes, byte[] content) throws DiskException {
        byte[] name = disk.getBytes(StandardCharsets.UTF_8);
        if (content.length > MAX_CONTENT_BYTES || name.length > 256) {
            throw new IllegalArgumentException("superblock content of " + content.length + " bytes or disk name of "
                    + name.length + " bytes does not fit");
        }
        slot.fill((byte) 0);
        ByteBuffer block = slot.asByteBuffer();
        block.putLong(MAGIC).putInt(VERSION).putLong(sequence).putLong(imageBytes);
        block.putShort((short) name.length).put(name);
        block.putShort((short) content.length).put(content);
        BlockChecksum.seal(slot);
        area.writeDurably(slotOffset(older), slot);
        older = 1 - older;
    }

    private static long slotOffset(int index) {
        return MetadataArea.SUPERBLOCK + (long) index * BLOCK_BYTES;
    }
}
