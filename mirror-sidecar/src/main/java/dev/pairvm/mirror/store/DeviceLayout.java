package dev.pairvm.mirror.store;

/** Where the metadata of a {@code BLOCK} disk begin: at its end, computed from the device, so that they stay when the disk grows. */
public final class DeviceLayout {
    private DeviceLayout() {}

    /** Offset of the metadata on a device of this size, a multiple of 4 KiB; negative if the device is too small for any. */
    public static long metadataOffset(long deviceBytes) {
        return Math.floorDiv(deviceBytes - MetadataArea.sizeFor(deviceBytes), MetadataArea.BLOCK_BYTES)
                * MetadataArea.BLOCK_BYTES;
    }
}
