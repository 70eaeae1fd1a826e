package dev.pairvm.operator.desired;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.v1alpha1.MirroredDisk.VolumeMode;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What distinguishes one copy's pod from another's.
 *
 * @param copy whose pod
 * @param kind what it can do
 * @param fillsDisks whether it lays the disks' sources onto its volumes before it starts; only the machine's first copy does, and
 *     only before the machine's first start, for after that the sources are older than what the guest wrote
 * @param sourceModes volume mode of each claim that is a disk's source, by claim name
 * @param noRoomSince since when there has been no room for the {@link Kind#TWIN} that this pod is made instead of
 */
public record PodShape(
        CopyId copy,
        Kind kind,
        boolean fillsDisks,
        Map<String, VolumeMode> sourceModes,
        Optional<Instant> noRoomSince) {
    /** Copies the map. */
    public PodShape {
        sourceModes = Map.copyOf(sourceModes);
    }

    /** What a pod can do, from the least to the most. */
    public enum Kind {
        /** Holds the disks. */
        MIRROR,
        /** Can run the guest too: it has a {@code qemu} container. */
        RUNNER,
        /** Can run a twin too: its {@code qemu} container has twice the guest's memory. */
        TWIN;

        /** Whether it has a {@code qemu} container. */
        public boolean runner() {
            return this != MIRROR;
        }

        /** Value of the annotation {@link Labels#SHAPE}. */
        public String label() {
            return switch (this) {
                case MIRROR -> "mirror";
                case RUNNER -> "runner";
                case TWIN -> "twin";
            };
        }

        /** The kind of a pod with this annotation; one that says nothing known only holds disks. */
        public static Kind of(String label) {
            return Stream.of(values())
                    .filter(kind -> kind.label().equals(label))
                    .findFirst()
                    .orElse(MIRROR);
        }
    }
}
