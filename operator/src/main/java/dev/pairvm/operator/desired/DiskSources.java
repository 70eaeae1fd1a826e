package dev.pairvm.operator.desired;

import dev.pairvm.api.v1alpha1.DiskSource;
import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.api.v1alpha1.MirroredDisk.VolumeMode;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerBuilder;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeBuilder;
import io.fabric8.kubernetes.api.model.VolumeDevice;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.VolumeMountBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The init containers that lay an image onto the first copy's disks before anything else starts. {@code pairvm-mirror import}
 * leaves a disk alone that has content, so a node's restart in between does no harm.
 */
final class DiskSources {
    private static final String SHA256 = "sha256:";

    private final Machine machine;
    private final Installation installation;
    private final PodShape shape;

    DiskSources(Machine machine, Installation installation, PodShape shape) {
        this.machine = machine;
        this.installation = installation;
        this.shape = shape;
    }

    /** One container per disk that has a source; empty where nothing is to be filled. */
    List<Container> containers() {
        return shape.fillsDisks()
                ? machine.spec().disks().stream()
                        .flatMap(disk -> container(disk).stream())
                        .toList()
                : List.of();
    }

    /** The volumes of the claims that are read. */
    List<Volume> volumes() {
        List<Volume> volumes = new ArrayList<>();
        if (shape.fillsDisks()) {
            for (MirroredDisk disk : machine.spec().disks()) {
                DiskSource.Claim claim = disk.source().persistentVolumeClaim();
                if (claim != null) {
                    volumes.add(new VolumeBuilder()
                            .withName("source-" + disk.name())
                            .withNewPersistentVolumeClaim(claim.name(), true)
                            .build());
                }
            }
        }
        return volumes;
    }

    private Optional<Container> container(MirroredDisk disk) {
        DiskSource.Http http = disk.source().http();
        DiskSource.Claim claim = disk.source().persistentVolumeClaim();
        if (http == null && claim == null) {
            return Optional.empty();
        }
        List<String> args = new ArrayList<>(List.of("import"));
        List<VolumeMount> mounts = new ArrayList<>(PodBlueprint.diskMounts(List.of(disk)));
        List<VolumeDevice> devices = new ArrayList<>(PodBlueprint.diskDevices(List.of(disk)));
        if (http != null) {
            args.addAll(List.of("--url", http.url()));
            String checksum = http.checksum();
            if (checksum != null) {
                args.addAll(List.of("--sha256", checksum.substring(SHA256.length())));
            }
        } else if (claim != null) {
            String volume = "source-" + disk.name();
            String path = "/mnt/" + volume;
            args.addAll(List.of("--from-path", path));
            if (shape.sourceModes().get(claim.name()) == VolumeMode.Block) {
                devices.add(new VolumeDevice(path, volume));
            } else {
                mounts.add(new VolumeMountBuilder()
                        .withName(volume)
                        .withMountPath(path)
                        .withReadOnly(true)
                        .build());
            }
        }
        args.addAll(List.of("--disk", DiskVolumes.path(disk)));
        args.addAll(List.of("--kind", DiskVolumes.kind(disk).name()));
        args.addAll(List.of("--size", Long.toString(disk.sizeBytes())));
        return Optional.of(new ContainerBuilder()
                .withName("import-" + disk.name())
                .withImage(installation.mirrorImage())
                .withImagePullPolicy(installation.imagePullPolicy())
                .withArgs(args)
                .withVolumeMounts(mounts)
                .withVolumeDevices(devices)
                .withSecurityContext(PodBlueprint.confined(List.of()))
                .withNewResources()
                .withRequests(Map.of("cpu", new Quantity("100m"), "memory", new Quantity("64Mi")))
                .withLimits(Map.of("memory", new Quantity("256Mi")))
                .endResources()
                .build());
    }

    /** Whether the importer can check this checksum. */
    static boolean canCheck(String checksum) {
        return checksum.startsWith(SHA256);
    }
}
