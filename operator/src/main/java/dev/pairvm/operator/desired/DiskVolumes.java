package dev.pairvm.operator.desired;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.api.v1alpha1.MirroredDisk.OnDelete;
import dev.pairvm.api.v1alpha1.MirroredDisk.VolumeMode;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaimBuilder;
import io.fabric8.kubernetes.api.model.Quantity;
import java.util.Map;

/** The claims of a copy's disks, and where the mirror finds the volumes. */
public final class DiskVolumes {
    private static final long MIB = 1L << 20;
    /** Room for the mirror's superblock, activity log and bitmap beside the image; generous, they are a few MiB per TiB. */
    private static final long METADATA_BYTES = 64 * MIB;
    /** A file system keeps a part of its volume for itself; ext4 about a twentieth with its reserve. */
    private static final long FILE_SYSTEM_SHARE = 16;

    private DiskVolumes() {}

    /** Where the disk lies in the mirror container: a directory, or a device. */
    public static String path(MirroredDisk disk) {
        return switch (disk.volumeMode()) {
            case Block -> "/dev/pairvm/" + disk.name();
            case Filesystem -> "/var/lib/pairvm/" + disk.name();
        };
    }

    /** How the mirror uses it. */
    public static MirrorConfig.Disk.Kind kind(MirroredDisk disk) {
        return switch (disk.volumeMode()) {
            case Block -> MirrorConfig.Disk.Kind.BLOCK;
            case Filesystem -> MirrorConfig.Disk.Kind.FILE;
        };
    }

    /**
     * The claim of a copy's disk. It belongs to the ProtectedVM, and goes with it, only where the user said {@code onDelete:
     * Delete}: data outlives a deleted object by default.
     */
    public static PersistentVolumeClaim claim(Machine machine, CopyId copy, MirroredDisk disk) {
        Map<String, String> labels = machine.labels(copy);
        labels.put(Labels.DISK, disk.name());
        String name = machine.claimName(copy, disk.name());
        ObjectMeta metadata = disk.onDelete() == OnDelete.Delete
                ? machine.owned(name, labels)
                : new ObjectMetaBuilder()
                        .withName(name)
                        .withNamespace(machine.namespace())
                        .withLabels(labels)
                        .build();
        return new PersistentVolumeClaimBuilder()
                .withMetadata(metadata)
                .withNewSpec()
                .withAccessModes("ReadWriteOnce")
                .withVolumeMode(disk.volumeMode().name())
                .withStorageClassName(disk.storageClassName())
                .withNewResources()
                .withRequests(Map.of("storage", new Quantity(claimBytes(machine, disk) / MIB + "Mi")))
                .endResources()
                .endSpec()
                .build();
    }

    /** What a claim of this disk asks for, in bytes; whole MiB. */
    public static long claimBytes(Machine machine, MirroredDisk disk) {
        return claimBytes(machine, disk, disk.sizeBytes());
    }

    /** What it would ask for if the disk had {@code image} bytes. */
    public static long claimBytes(Machine machine, MirroredDisk disk, long image) {
        long data = image + Overlays.reservedBytes(machine, disk);
        long share = disk.volumeMode() == VolumeMode.Filesystem ? data / FILE_SYSTEM_SHARE : 0;
        return (data + share + METADATA_BYTES + MIB - 1) / MIB * MIB;
    }
}
