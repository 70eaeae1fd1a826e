package dev.pairvm.mirror.store;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.store.SuperblockRead.Found;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/** Opens a disk of either kind and refuses what would hide a loss. */
final class DiskOpening {
    private static final String IMAGE = "disk.img";
    private static final String METADATA = "disk.meta";

    private DiskOpening() {}

    static DiskStore open(MirrorConfig.Disk disk) throws DiskSetupException, DiskException {
        if (disk.sizeBytes() <= 0 || disk.sizeBytes() % 512 != 0) {
            throw new DiskSetupException(
                    "disk " + disk.name() + ": sizeBytes must be a positive multiple of 512, got " + disk.sizeBytes());
        }
        return switch (disk.kind()) {
            case FILE -> openFile(disk);
            case BLOCK -> openDevice(disk);
        };
    }

    private static DiskStore openFile(MirrorConfig.Disk disk) throws DiskSetupException, DiskException {
        Path directory = Path.of(disk.path());
        if (!Files.isDirectory(directory)) {
            throw new DiskSetupException("disk " + disk.name() + ": " + directory
                    + " is not a directory; a volume of mode Filesystem must be mounted there");
        }
        // The metadata first: their lock guards the image, which must not even be created under another mirror's hands.
        LinuxFile metadataFile = LinuxFile.openFile(directory.resolve(METADATA));
        MetadataArea metadata = new MetadataArea(metadataFile, 0, MetadataArea.sizeFor(disk.sizeBytes()), true);
        LinuxFile image = null;
        try {
            SuperblockRead superblock = new SuperblockSlots(metadata).read();
            Path imagePath = directory.resolve(IMAGE);
            refuseLostImage(disk, superblock, Files.exists(imagePath), imagePath);
            image = LinuxFile.openFile(imagePath);
            long size = fit(disk, image, superblock);
            if (metadataFile.sizeBytes() < MetadataArea.BITMAP) {
                // Written once as a whole, so that later writes change no allocation and need no journal commit.
                preallocate(metadata);
            }
            return new DiskStore(disk.name(), size, image, metadata);
        } catch (DiskSetupException | DiskException | RuntimeException e) {
            metadata.close();
            if (image != null) {
                image.close();
            }
            throw e;
        }
    }

    private static void refuseLostImage(MirrorConfig.Disk disk, SuperblockRead superblock, boolean exists, Path image)
            throws DiskSetupException {
        // Safety: metadata that call a copy in sync must never meet a fresh, empty image.
        if (!exists && !(superblock instanceof SuperblockRead.Blank)) {
            throw new DiskSetupException("disk " + disk.name() + ": " + image
                    + " is gone although its metadata remain; this copy is lost, let it be replaced by a new one");
        }
    }

    /** How large the disk is: as its superblock says, for it grows only together with its peer. A new one is as large as configured. */
    private static long fit(MirrorConfig.Disk disk, BlockFile image, SuperblockRead superblock)
            throws DiskSetupException, DiskException {
        long size = image.sizeBytes();
        if (superblock instanceof Found found) {
            checkIdentity(disk, found);
            if (size < found.imageBytes()) {
                throw new DiskSetupException(
                        "disk " + disk.name() + ": " + image.path() + " has " + size + " bytes but had "
                                + found.imageBytes() + "; this copy is lost, let it be replaced by a new one");
            }
            return found.imageBytes();
        }
        if (size > disk.sizeBytes()) {
            throw new DiskSetupException("disk " + disk.name() + ": " + image.path() + " has " + size
                    + " bytes, more than the " + disk.sizeBytes() + " configured; a disk can not be made smaller");
        }
        if (size < disk.sizeBytes()) {
            image.resize(disk.sizeBytes());
        }
        return disk.sizeBytes();
    }

    private static void checkIdentity(MirrorConfig.Disk disk, Found found) throws DiskSetupException {
        if (!found.disk().equals(disk.name())) {
            throw new DiskSetupException("disk " + disk.name() + ": " + disk.path() + " holds disk " + found.disk()
                    + "; the volumes of this machine are mounted in each other's place");
        }
        if (found.imageBytes() > disk.sizeBytes()) {
            throw new DiskSetupException("disk " + disk.name() + ": has " + found.imageBytes()
                    + " bytes, more than the " + disk.sizeBytes() + " configured; a disk can not be made smaller");
        }
    }

    private static void preallocate(MetadataArea metadata) throws DiskException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment zeros = arena.allocate(64 << 10, MetadataArea.BLOCK_BYTES);
            // Not over the superblock: it may have been written by an earlier start that ended right here.
            for (long at = MetadataArea.ACTIVITY; at < MetadataArea.BITMAP; at += zeros.byteSize()) {
                metadata.writeDurably(at, zeros);
            }
        }
    }

    private static DiskStore openDevice(MirrorConfig.Disk disk) throws DiskSetupException, DiskException {
        LinuxFile device = LinuxFile.openDevice(Path.of(disk.path()));
        try {
            long deviceBytes = device.sizeBytes();
            MetadataArea metadata = DeviceLayout.find(device, deviceBytes, disk.name());
            long size = disk.sizeBytes();
            if (new SuperblockSlots(metadata).read() instanceof Found found) {
                checkIdentity(disk, found);
                size = found.imageBytes();
            }
            if (metadata.base() < size) {
                throw new DiskSetupException("disk " + disk.name() + ": " + disk.path() + " has " + deviceBytes
                        + " bytes, of which the last " + MetadataArea.sizeFor(deviceBytes)
                        + " are for metadata; that leaves too little for " + size
                        + " bytes: ask for a volume of at least "
                        + (size + MetadataArea.sizeFor(deviceBytes) + MetadataArea.BLOCK_BYTES) + " bytes");
            }
            return new DiskStore(disk.name(), size, device, metadata);
        } catch (DiskSetupException | DiskException | RuntimeException e) {
            device.close();
            throw e;
        }
    }
}
