package dev.pairvm.operator.desired;

import dev.pairvm.api.v1alpha1.Level;
import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.api.v1alpha1.MirroredDisk.VolumeMode;
import java.util.Optional;

/**
 * Where a twin's overlays lie: what it wrote since the last checkpoint, and after a failover all that its copy's image does not have yet. So
 * they are durable data, on the volume of the first disk that has a file system, in a directory of their own.
 */
public final class Overlays {
    /** The directory in that volume. */
    public static final String DIRECTORY = "overlays";

    private static final String PATH = "/var/lib/pairvm/overlays";
    private static final long LEAST_BYTES = 64L << 20;
    /** A guest that dirties a quarter of its memory between two checkpoints is not one to be run twice. */
    private static final long SHARE_OF_MEMORY = 4;
    /** Per disk: what the twin's QEMU writes, and what the image had before the active's writes. */
    private static final long PER_DISK = 2;

    private Overlays() {}

    /** The disk on whose volume they lie; empty where every disk is a block volume, and so no twin can be. */
    public static Optional<MirroredDisk> disk(Machine machine) {
        return machine.spec().disks().stream()
                .filter(disk -> disk.volumeMode() == VolumeMode.Filesystem)
                .findFirst();
    }

    /** The directory as both containers see it; never the one of a disk, whatever its name. */
    public static String path(Machine machine) {
        // No disk has a dot in its name.
        return machine.spec().disk(DIRECTORY) == null ? PATH : PATH + ".twin";
    }

    /** Bound of one overlay's file: a twin that reaches it asks for a checkpoint. */
    public static long bytes(Machine machine) {
        long memory = (long) machine.spec().template().spec().domain().memory().guestMib() << 20;
        return Math.max(LEAST_BYTES, memory / SHARE_OF_MEMORY);
    }

    /**
     * What the volume of this disk has to have beyond the image. Only while the level asks for a twin: a claim grows with the level where its
     * class lets it, and never shrinks.
     */
    static long reservedBytes(Machine machine, MirroredDisk disk) {
        boolean here = machine.spec().level() == Level.FaultTolerance
                && disk(machine).filter(disk::equals).isPresent();
        return here ? PER_DISK * machine.spec().disks().size() * bytes(machine) : 0;
    }
}
