package dev.pairvm.mirror.store;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Where the metadata of a {@code BLOCK} disk lie: at the device's end, computed from its size. A device that has grown still has them
 * where its end was, until the disk grows too and they move ({@link MetadataArea#move}).
 */
public final class DeviceLayout {
    private static final long MIB = 1L << 20;
    private static final long GIB = 1L << 30;

    /** Volumes are made of such units; each is looked for so many times below the end. Some 20,000 reads of 8 KiB in all for 1 TiB. */
    private static final long[][] STEPS = {{GIB, 1 << 16}, {MIB, 4096}, {4 * MIB, 1 << 14}};

    private DeviceLayout() {}

    /** Offset of the metadata on a device of this size, a multiple of 4 KiB; negative if the device is too small for any. */
    public static long metadataOffset(long deviceBytes) {
        return Math.floorDiv(deviceBytes - MetadataArea.sizeFor(deviceBytes), MetadataArea.BLOCK_BYTES)
                * MetadataArea.BLOCK_BYTES;
    }

    /**
     * The metadata as they are: at the end, or where the end was before the device grew. Where there are none, their place at the end.
     *
     * <p>Safety: what a guest wrote can not be taken for them. They lie above the image, whose size they name, and are looked for from
     * the end downwards.
     */
    static MetadataArea find(BlockFile device, long deviceBytes, String disk) throws DiskException {
        MetadataArea atEnd = at(device, deviceBytes);
        if (atEnd.base() < 0 || new SuperblockSlots(atEnd).read() instanceof SuperblockRead.Found) {
            return atEnd;
        }
        MetadataArea best = atEnd;
        boolean found = false;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment slots = arena.allocate(2L * MetadataArea.BLOCK_BYTES, MetadataArea.BLOCK_BYTES);
            for (long[] step : STEPS) {
                long former = (deviceBytes - 1) / step[0] * step[0];
                for (long tries = step[1]; tries > 0 && metadataOffset(former) > 0; tries--, former -= step[0]) {
                    MetadataArea candidate = at(device, former);
                    candidate.read(MetadataArea.SUPERBLOCK, slots);
                    if (SuperblockSlots.isMarked(slots)
                            && new SuperblockSlots(candidate).read() instanceof SuperblockRead.Found it
                            && it.disk().equals(disk)
                            && it.imageBytes() <= candidate.base()
                            && (!found || candidate.base() > best.base())) {
                        best = candidate;
                        found = true;
                        break;
                    }
                }
            }
        }
        return best;
    }

    private static MetadataArea at(BlockFile device, long bytes) {
        return new MetadataArea(device, metadataOffset(bytes), MetadataArea.sizeFor(bytes), false);
    }
}
