package dev.pairvm.operator.desired;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.v1alpha1.Checkpoint;
import dev.pairvm.api.v1alpha1.Devices;
import dev.pairvm.api.v1alpha1.Domain;
import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.api.v1alpha1.Recovery;
import dev.pairvm.api.v1alpha1.TemplateSpec;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a copy's mirror is told: {@code mirror.json} in the ConfigMap {@code <vm>-<copy>}. */
public final class MirrorConfiguration {
    /** Key of the ConfigMap. */
    public static final String FILE = "mirror.json";

    private static final ObjectMapper JSON = new ObjectMapper().registerModule(new Jdk8Module());

    private MirrorConfiguration() {}

    /**
     * Whether a copy's pod can have to do with a twin.
     *
     * @param possible whether its containers see the overlays' directory, or have no guest at all
     * @param wished whether the guest shall have a twin at the start of the pod, if it is the active's
     */
    public record TwinChoice(boolean possible, boolean wished) {}

    /** The ConfigMap of a copy. */
    public static ConfigMap configMap(Machine machine, CopyId copy, Installation installation, TwinChoice twin) {
        return new ConfigMapBuilder()
                .withMetadata(machine.owned(machine.podName(copy), machine.labels(copy)))
                .withData(Map.of(FILE, json(config(machine, copy, installation, twin))))
                .build();
    }

    /** The same as an object. */
    public static MirrorConfig config(Machine machine, CopyId copy, Installation installation, TwinChoice twin) {
        Recovery recovery = machine.spec().recovery();
        return new MirrorConfig(
                machine.name(),
                machine.uid(),
                machine.namespace(),
                copy,
                machine.leaseName(),
                machine.spec().disks().stream().map(disk -> disk(machine, disk)).toList(),
                new MirrorConfig.Timing(
                        MirrorConfig.Timing.DEFAULT.beaconMillis(),
                        Math.toIntExact(recovery.lease().toMillis()),
                        Math.toIntExact(recovery.grace().toMillis())),
                switch (recovery.slowPeer()) {
                    case Degrade -> MirrorConfig.SlowPeer.DEGRADE;
                    case Suspend -> MirrorConfig.SlowPeer.SUSPEND;
                },
                new MirrorConfig.Link(Ports.LINK, new Networking(machine).linkInterfaces()),
                guest(machine, installation),
                machine.spec().running(),
                Optional.of(new MirrorConfig.Resync(
                        machine.spec().resync().foregroundPercent(),
                        machine.spec().resync().maxBytesPerSecond())),
                twin(machine, twin));
    }

    private static Optional<MirrorConfig.Twin> twin(Machine machine, TwinChoice choice) {
        return Overlays.disk(machine)
                .filter(disk -> choice.possible())
                .map(disk -> new MirrorConfig.Twin(
                        choice.wished(), checkpoint(machine), Overlays.path(machine), Overlays.bytes(machine)));
    }

    /** How the checkpoints of a machine go, as its mirrors are told. */
    public static MirrorConfig.Checkpoint checkpoint(Machine machine) {
        Checkpoint wished = machine.spec().checkpoint();
        return new MirrorConfig.Checkpoint(
                Math.toIntExact(wished.maxInterval().toMillis()),
                Math.toIntExact(wished.maxPause().toMillis()),
                Math.toIntExact(wished.compareTimeout().toMillis()));
    }

    private static MirrorConfig.Disk disk(Machine machine, MirroredDisk disk) {
        Optional<Devices.Disk> seen = machine.spec().template().spec().domain().devices().disks().stream()
                .filter(candidate -> candidate.name().equals(disk.name()))
                .findFirst();
        return new MirrorConfig.Disk(
                disk.name(),
                DiskVolumes.path(disk),
                DiskVolumes.kind(disk),
                disk.sizeBytes(),
                seen.flatMap(found -> Optional.ofNullable(found.serial())),
                seen.flatMap(found -> Optional.ofNullable(found.bootOrder())));
    }

    private static MirrorConfig.Guest guest(Machine machine, Installation installation) {
        TemplateSpec template = machine.spec().template().spec();
        Domain domain = template.domain();
        String uuid = domain.firmware().uuid();
        String hostname = template.hostname();
        return new MirrorConfig.Guest(
                cpu(domain.cpu(), installation),
                domain.memory().guestMib(),
                domain.machine().type(),
                new MirrorConfig.Firmware(
                        domain.firmware().efi(),
                        uuid == null ? machine.uid() : uuid,
                        Optional.ofNullable(domain.firmware().serial())),
                new Networking(machine).guestInterfaces(),
                Optional.of(hostname == null ? machine.name() : hostname),
                template.cloudInit() != null,
                Optional.empty(),
                switch (machine.spec().recovery().guestCrash()) {
                    case Restart -> MirrorConfig.OnCrash.RESTART;
                    case Stop -> MirrorConfig.OnCrash.STOP;
                },
                template.terminationGracePeriodSeconds());
    }

    /** KubeVirt's two words for "the host's own processor" are {@code host} to QEMU, which only hardware virtualisation knows. */
    private static MirrorConfig.Cpu cpu(Domain.Cpu cpu, Installation installation) {
        String wished = cpu.model();
        boolean hosts = wished != null && (wished.equals("host-model") || wished.equals("host-passthrough"));
        String model = wished == null || (hosts && installation.accelerator() == Installation.Accelerator.TCG)
                ? "max"
                : hosts ? "host" : wished;
        return new MirrorConfig.Cpu(cpu.sockets(), cpu.cores(), cpu.threads(), model);
    }

    private static String json(MirrorConfig config) {
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(config);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("records of strings and numbers always serialise", e);
        }
    }

    /** The names of the disks, in the order of the spec. */
    static List<String> diskNames(Machine machine) {
        return machine.spec().disks().stream().map(MirroredDisk::name).toList();
    }
}
