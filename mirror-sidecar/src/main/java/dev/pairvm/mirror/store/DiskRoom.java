package dev.pairvm.mirror.store;

/** Room for a larger disk on the volume that it lies on. */
final class DiskRoom {
    private DiskRoom() {}

    /**
     * Extends the image to {@code to} bytes, zeros from {@code from} on; not durable before the next flush.
     *
     * <p>A sparse file takes no space for that: what the guest writes there later may still find the file system full, and then fails as
     * any write does.
     */
    static void make(String disk, BlockFile image, MetadataArea metadata, long from, long to)
            throws NoRoomException, DiskException {
        if (metadata.base() > 0) {
            onDevice(disk, image, metadata, from, to);
        } else {
            inFile(disk, image, metadata, from, to);
        }
    }

    private static void inFile(String disk, BlockFile image, MetadataArea metadata, long from, long to)
            throws NoRoomException, DiskException {
        long needed = to + MetadataArea.sizeFor(to);
        if (image.mostBytes() < needed) {
            throw new NoRoomException("disk " + disk + ": the file system of " + image.path() + " has "
                    + image.mostBytes() + " bytes, " + needed + " are needed; expand its volume");
        }
        metadata.extend(MetadataArea.sizeFor(to));
        long had = image.sizeBytes();
        if (had > from) {
            // An earlier growth that was not completed, or a disk that was larger before it was filled anew.
            image.zero(from, Math.min(had, to) - from, BlockFile.Zeros.PUNCH);
        }
        if (had < to) {
            image.resize(to);
        }
    }

    private static void onDevice(String disk, BlockFile device, MetadataArea metadata, long from, long to)
            throws NoRoomException, DiskException {
        if (to > metadata.base()) {
            long deviceBytes = device.sizeBytes();
            long place = DeviceLayout.metadataOffset(deviceBytes);
            long least = Math.max(to, metadata.end()) + MetadataArea.sizeFor(Math.max(to, deviceBytes));
            if (place < to || place < metadata.end()) {
                throw new NoRoomException("disk " + disk + ": " + device.path() + " has " + deviceBytes
                        + " bytes; expand its volume to at least " + (least + MetadataArea.BLOCK_BYTES));
            }
            metadata.move(place, MetadataArea.sizeFor(deviceBytes));
        }
        // Anything may lie there: the place that the metadata had, and what the device held before.
        for (long at = from; at < to; at += ZEROED_AT_ONCE) {
            device.zero(at, Math.min(ZEROED_AT_ONCE, to - at), BlockFile.Zeros.PUNCH);
        }
    }

    private static final long ZEROED_AT_ONCE = 1L << 30;
}
