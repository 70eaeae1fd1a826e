package dev.pairvm.operator.desired;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.v1alpha1.MirroredDisk.VolumeMode;
import java.util.Map;

/**
 * What distinguishes one copy's pod from another's.
 *
 * @param copy whose pod
 * @param runner whether it can run the guest: it has a {@code qemu} container
 * @param fillsDisks whether it lays the disks' sources onto its volumes before it starts; only the machine's first copy does, and
 *     only before the machine's first start, for after that the sources are older than what the guest wrote
 * @param sourceModes volume mode of each claim that is a disk's source, by claim name
 */
public record PodShape(CopyId copy, boolean runner, boolean fillsDisks, Map<String, VolumeMode> sourceModes) {
    /** Copies the map. */
    public PodShape {
        sourceModes = Map.copyOf(sourceModes);
    }

    /** Value of the annotation {@link Labels#SHAPE}. */
    public String label() {
        return runner ? "runner" : "mirror";
    }
}
