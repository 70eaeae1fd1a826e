package dev.pairvm.operator.desired;

import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.api.v1alpha1.MirroredDisk.VolumeMode;
import dev.pairvm.api.v1alpha1.Placement;
import dev.pairvm.api.v1alpha1.TemplateSpec;
import dev.pairvm.api.v1alpha1.Volume.CloudInitNoCloud;
import dev.pairvm.operator.placement.PodPlacement;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerBuilder;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.EnvVarBuilder;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.ProbeBuilder;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.SecurityContext;
import io.fabric8.kubernetes.api.model.SecurityContextBuilder;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeDevice;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.VolumeMountBuilder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The pod of a copy: the mirror as a native sidecar of QEMU where the pod can run the guest, else the mirror alone. No container is privileged; only the
 * mirror has a capability, {@code NET_ADMIN}, for the gate. Only the mirror sees the API token, certificates and disks; QEMU sees of the disks'
 * volumes one directory, for the overlays of a twin.
 */
public final class PodBlueprint {
    /** Name of the mirror's container. */
    public static final String MIRROR = "mirror";
    /** Name of QEMU's container. */
    public static final String QEMU = "qemu";

    private static final String RUN = "run";
    private static final String TUN = "tun";
    /** What QEMU itself needs beside the guest's memory: a fixed part, and page tables and queues in proportion. */
    private static final int QEMU_OVERHEAD_MIB = 256;
    /** One part in so many of the guest's memory. */
    private static final int QEMU_OVERHEAD_SHARE = 50;
    /** Several times what a vCPU asks for: a mirror that is kept waiting by its own guest is late with its beacons. */
    private static final String MIRROR_CPU = "250m";

    /** A guest's processor asks for so much of a host's; the customary over-commitment of ten. */
    private static final int MILLI_CPU_PER_VCPU = 100;
    /** The kubelet gives the mirror so much longer than the guest, so that it can leave politely. */
    private static final int GRACE_MARGIN_SECONDS = 15;

    private final Machine machine;
    private final Installation installation;
    private final PodShape shape;

    /** For one copy of a machine whose template passed validation. */
    public PodBlueprint(Machine machine, Installation installation, PodShape shape) {
        this.machine = machine;
        this.installation = installation;
        this.shape = shape;
    }

    /** The pod. */
    public Pod pod() {
        DiskSources sources = new DiskSources(machine, installation, shape);
        List<Container> initContainers = new ArrayList<>(sources.containers());
        if (shape.kind().runner()) {
            // A native sidecar: up before QEMU, and down after it.
            initContainers.add(mirror().edit().withRestartPolicy("Always").build());
        }
        List<Volume> volumes = new PodVolumes(machine, shape.copy()).all();
        volumes.addAll(sources.volumes());
        PodPlacement placement = new PodPlacement(
                machine.name(),
                machine.spec().placement(),
                machine.spec().template().spec());
        return new PodBuilder()
                .withMetadata(metadata())
                .withNewSpec()
                .withServiceAccountName(machine.leaseName())
                .withAutomountServiceAccountToken(false)
                .withShareProcessNamespace(true)
                .withEnableServiceLinks(false)
                .withRestartPolicy("Always")
                .withTerminationGracePeriodSeconds(
                        (long) template().terminationGracePeriodSeconds() + GRACE_MARGIN_SECONDS)
                .withNewSecurityContext()
                .withNewSeccompProfile()
                .withType("RuntimeDefault")
                .endSeccompProfile()
                .endSecurityContext()
                .withNodeSelector(template().nodeSelector())
                .withAffinity(placement.affinity(shape.fillsDisks() || isFirst()))
                .withTolerations(placement.tolerations())
                .withInitContainers(initContainers)
                .withContainers(shape.kind().runner() ? qemu() : mirror())
                .withVolumes(volumes)
                .endSpec()
                .build();
    }

    /** Copy {@code a} is the one that {@link Placement#preferredNode()} speaks of. */
    private boolean isFirst() {
        return shape.copy().value().equals("a");
    }

    private TemplateSpec template() {
        return machine.spec().template().spec();
    }

    private ObjectMeta metadata() {
        Map<String, String> labels =
                new LinkedHashMap<>(machine.spec().template().metadata().labels());
        labels.putAll(machine.labels(shape.copy()));
        Map<String, String> annotations =
                new LinkedHashMap<>(machine.spec().template().metadata().annotations());
        annotations.put(Labels.SHAPE, shape.kind().label());
        shape.noRoomSince().ifPresent(since -> annotations.put(Labels.NO_ROOM_SINCE, since.toString()));
        new Networking(machine).multusAnnotation().ifPresent(networks -> annotations.put(Networking.MULTUS, networks));
        ObjectMeta metadata = machine.owned(machine.podName(shape.copy()), labels);
        metadata.setAnnotations(annotations);
        return metadata;
    }

    private Container mirror() {
        List<VolumeMount> mounts = new ArrayList<>(List.of(
                mount(RUN, "/run/pairvm", false),
                mount(PodVolumes.CONFIG, "/etc/pairvm/config", true),
                mount(PodVolumes.TLS, "/etc/pairvm/tls", true),
                mount(PodVolumes.TOKEN, "/var/run/secrets/kubernetes.io/serviceaccount", true),
                mount(TUN, "/dev/net/tun", false)));
        CloudInitNoCloud cloudInit = template().cloudInit();
        if (cloudInit != null) {
            mounts.add(mount(PodVolumes.CLOUD_INIT, "/etc/pairvm/cloudinit", true));
        }
        mounts.addAll(diskMounts(machine.spec().disks()));
        mounts.addAll(overlayMounts());
        return new ContainerBuilder()
                .withName(MIRROR)
                .withImage(installation.mirrorImage())
                .withImagePullPolicy(installation.imagePullPolicy())
                .withEnv(
                        field("POD_IP", "status.podIP"),
                        field("NODE_NAME", "spec.nodeName"),
                        plain(
                                "PAIRVM_ACCELERATOR",
                                installation.accelerator().name().toLowerCase(Locale.ROOT)),
                        plain("PAIRVM_RUNNER", Boolean.toString(shape.kind().runner())))
                .withVolumeMounts(mounts)
                .withVolumeDevices(diskDevices(machine.spec().disks()))
                .addNewPort()
                .withName("link")
                .withContainerPort(Ports.LINK)
                .endPort()
                .addNewPort()
                .withName("control")
                .withContainerPort(Ports.CONTROL)
                .endPort()
                .addNewPort()
                .withName("health")
                .withContainerPort(Ports.HEALTH)
                .endPort()
                .withLivenessProbe(probe("/livez", 10, 6))
                .withReadinessProbe(probe("/readyz", 5, 3))
                .withSecurityContext(confined(List.of("NET_ADMIN")))
                .withNewResources()
                .withRequests(Map.of("cpu", new Quantity(MIRROR_CPU), "memory", new Quantity("96Mi")))
                .withLimits(Map.of("memory", new Quantity("256Mi")))
                .endResources()
                .build();
    }

    private Container qemu() {
        int guestMib = template().domain().memory().guestMib();
        // A twin's QEMU keeps a second image of the memory beside the guest's: the last checkpoint's, until the next
        // one is whole.
        int images = shape.kind() == PodShape.Kind.TWIN ? 2 : 1;
        int memoryMib = images * guestMib + QEMU_OVERHEAD_MIB + guestMib / QEMU_OVERHEAD_SHARE;
        Map<String, Quantity> requests = new LinkedHashMap<>();
        requests.put("cpu", new Quantity(template().domain().cpu().count() * MILLI_CPU_PER_VCPU + "m"));
        requests.put("memory", new Quantity(memoryMib + "Mi"));
        Map<String, Quantity> limits = new LinkedHashMap<>(Map.of("memory", new Quantity(memoryMib + "Mi")));
        if (installation.accelerator() == Installation.Accelerator.KVM) {
            installation.kvmResource().ifPresent(resource -> {
                requests.put(resource, new Quantity("1"));
                limits.put(resource, new Quantity("1"));
            });
        }
        List<VolumeMount> mounts =
                new ArrayList<>(List.of(mount(RUN, "/run/pairvm", false), mount(TUN, "/dev/net/tun", false)));
        mounts.addAll(overlayMounts());
        return new ContainerBuilder()
                .withName(QEMU)
                .withImage(installation.qemuImage())
                .withImagePullPolicy(installation.imagePullPolicy())
                .withVolumeMounts(mounts)
                .withSecurityContext(confined(List.of()))
                .withNewResources()
                .withRequests(requests)
                .withLimits(limits)
                .endResources()
                .build();
    }

    /** Root inside the container, for the disks belong to root, but without any privilege beyond the named capabilities. */
    static SecurityContext confined(List<String> capabilities) {
        return new SecurityContextBuilder()
                .withRunAsUser(0L)
                .withAllowPrivilegeEscalation(false)
                .withNewCapabilities()
                .withDrop("ALL")
                .withAdd(capabilities)
                .endCapabilities()
                .build();
    }

    /** At every level: the level may become FaultTolerance, and an active's pod is not replaced for that. */
    private List<VolumeMount> overlayMounts() {
        return !shape.kind().runner()
                ? List.of()
                : Overlays.disk(machine).stream()
                        .map(disk -> new VolumeMountBuilder()
                                .withName(PodVolumes.disk(disk))
                                .withMountPath(Overlays.path(machine))
                                .withSubPath(Overlays.DIRECTORY)
                                .build())
                        .toList();
    }

    static List<VolumeMount> diskMounts(List<MirroredDisk> disks) {
        return disks.stream()
                .filter(disk -> disk.volumeMode() == VolumeMode.Filesystem)
                .map(disk -> mount(PodVolumes.disk(disk), DiskVolumes.path(disk), false))
                .toList();
    }

    static List<VolumeDevice> diskDevices(List<MirroredDisk> disks) {
        return disks.stream()
                .filter(disk -> disk.volumeMode() == VolumeMode.Block)
                .map(disk -> new VolumeDevice(DiskVolumes.path(disk), PodVolumes.disk(disk)))
                .toList();
    }

    private static VolumeMount mount(String volume, String path, boolean readOnly) {
        return new VolumeMountBuilder()
                .withName(volume)
                .withMountPath(path)
                .withReadOnly(readOnly ? true : null)
                .build();
    }

    private static EnvVar plain(String name, String value) {
        return new EnvVarBuilder().withName(name).withValue(value).build();
    }

    private static EnvVar field(String name, String path) {
        return new EnvVarBuilder()
                .withName(name)
                .withNewValueFrom()
                .withNewFieldRef("v1", path)
                .endValueFrom()
                .build();
    }

    private static Probe probe(String path, int periodSeconds, int failures) {
        return new ProbeBuilder()
                .withNewHttpGet()
                .withPath(path)
                .withNewPort(Ports.HEALTH)
                .endHttpGet()
                .withPeriodSeconds(periodSeconds)
                .withTimeoutSeconds(3)
                .withFailureThreshold(failures)
                .build();
    }
}
