package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ConditionType;
import dev.pairvm.api.v1alpha1.Level;
import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.operator.desired.DiskVolumes;
import dev.pairvm.operator.desired.Overlays;
import dev.pairvm.operator.desired.PodShape;
import dev.pairvm.operator.placement.NodeFact;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What keeps this machine, on these hosts, from having a twin: each obstacle begins with the field that it stands against. What a mirror
 * finds out by trying is its own to tell ({@link MirrorReport.Twin#why}). Pure.
 */
final class TwinSupport {
    /** How long a pod stands in for one that found no memory, before that is tried again: each try costs the standby for some seconds. */
    static final Duration NO_ROOM_PATIENCE = Duration.ofHours(6);
    /** The bound for pairing; and what it must fall below before it is believed again. */
    private static final long MOST_ROUND_TRIP_MICROS = 10_000;

    private static final long GOOD_ROUND_TRIP_MICROS = 8_000;
    /** Node Feature Discovery's labels of a node's processor. */
    private static final Set<String> PROCESSOR = Set.of(
            "kubernetes.io/arch",
            "feature.node.kubernetes.io/cpu-model.vendor_id",
            "feature.node.kubernetes.io/cpu-model.family",
            "feature.node.kubernetes.io/cpu-model.id");
    /** Words for a processor that is what the host has. */
    private static final Set<String> HOSTS_OWN = Set.of("max", "host", "host-model", "host-passthrough");

    private final Observation seen;

    TwinSupport(Observation seen) {
        this.seen = seen;
    }

    /** The first obstacle; empty where the level does not ask for a twin, or there is one already. */
    Optional<Plan.Doing> obstacle() {
        if (seen.machine().spec().level() != Level.FaultTolerance || state(seen) == MirrorReport.TwinState.RUNNING) {
            return Optional.empty();
        }
        return lasting().or(this::noMemory).or(this::noSpace).or(this::tooOld).or(this::roundTrip);
    }

    /** An obstacle that a larger pod would not help against. */
    Optional<Plan.Doing> lasting() {
        return noFileSystem().or(this::processors);
    }

    /** How far the twin is, by the active. */
    static MirrorReport.TwinState state(Observation seen) {
        return seen.servingActive()
                .flatMap(MirrorReport::twin)
                .map(MirrorReport.Twin::state)
                .orElse(MirrorReport.TwinState.NONE);
    }

    /** Whether this pod stands in for a larger one, and it is not yet time to try that again. */
    static boolean standsIn(Observation seen, PodFact pod) {
        return pod.kind() == PodShape.Kind.RUNNER
                && pod.noRoomSince()
                        .filter(since -> since.plus(NO_ROOM_PATIENCE).isAfter(seen.now()))
                        .isPresent();
    }

    private Optional<Plan.Doing> noFileSystem() {
        return Overlays.disk(seen.machine()).isPresent()
                ? Optional.empty()
                : Optional.of(new Plan.Doing(
                        Reason.NoFileSystemDisk,
                        "spec.disks: a twin's overlays need a volume with a file system, and every disk has volumeMode Block; "
                                + "one disk of volumeMode Filesystem, however small, is enough"));
    }

    private Optional<Plan.Doing> processors() {
        String model = seen.machine().spec().template().spec().domain().cpu().model();
        List<NodeFact> nodes = seen.memory().copies().stream()
                .flatMap(copy -> seen.nodeFactOf(copy).stream())
                .toList();
        if (model != null && !HOSTS_OWN.contains(model) || nodes.size() < 2) {
            return Optional.empty();
        }
        return PROCESSOR.stream()
                .sorted()
                .filter(label -> nodes.stream()
                                .flatMap(node -> Stream.ofNullable(node.labels().get(label)))
                                .distinct()
                                .count()
                        > 1)
                .findFirst()
                .map(label -> new Plan.Doing(
                        Reason.ProcessorsDiffer,
                        "spec.template.spec.domain.cpu.model: the guest gets what its host has, and nodes "
                                + String.join(
                                        " and ",
                                        nodes.stream().map(NodeFact::name).toList())
                                + " differ in " + label + "; name a model that both have"));
    }

    private Optional<Plan.Doing> noMemory() {
        return seen.memory().copies().stream()
                .flatMap(copy -> seen.pod(copy).stream())
                .filter(pod -> pod.kind() == PodShape.Kind.TWIN
                                && pod.shortOfMemory().isPresent()
                        || pod.kind() == PodShape.Kind.RUNNER
                                && pod.noRoomSince().isPresent()
                                && seen.active().filter(pod.copy()::equals).isEmpty())
                .findFirst()
                .map(this::noMemory);
    }

    Plan.Doing noMemory(PodFact pod) {
        return new Plan.Doing(
                Reason.NoMemoryForTwin,
                "spec.template.spec.domain.memory.guest: a twin takes twice as much, and "
                        + seen.nodeOf(pod.copy())
                                .map(node -> "node " + node + ", where copy " + pod.copy() + " lies, has")
                                .orElse("no node for copy " + pod.copy() + " has")
                        + " not that much left; tried again after " + NO_ROOM_PATIENCE.toHours()
                        + " hours, or at once when pod "
                        + pod.name() + " is deleted");
    }

    /** An overlay that filled the volume would take the image beside it along. */
    private Optional<Plan.Doing> noSpace() {
        Optional<MirroredDisk> disk = Overlays.disk(seen.machine());
        List<CopyId> pair = new ArrayList<>();
        seen.active().ifPresent(pair::add);
        seen.standby().ifPresent(pair::add);
        return disk.flatMap(found -> pair.stream()
                .flatMap(copy -> seen.claims().stream()
                        .filter(fact -> fact.copy().equals(copy)
                                && fact.disk().equals(found.name())
                                && fact.bound()
                                && fact.volume().capacityBytes() < needed(found)))
                .findFirst()
                .map(claim -> noSpace(found, claim)));
    }

    /** For a disk that is to grow: what it needs now. */
    private long needed(MirroredDisk disk) {
        long image = seen.servingActive().stream()
                .flatMap(report -> report.disks().stream())
                .filter(reported -> reported.name().equals(disk.name()))
                .mapToLong(MirrorReport.Disk::sizeBytes)
                .findFirst()
                .orElse(disk.sizeBytes());
        return DiskVolumes.claimBytes(seen.machine(), disk, Math.min(image, disk.sizeBytes()));
    }

    private Plan.Doing noSpace(MirroredDisk disk, ClaimFact claim) {
        ClaimFact.VolumeFact volume = claim.volume();
        String then = !volume.expandable()
                ? "storage class " + volume.storageClassName() + " does not allow expansion (allowVolumeExpansion)"
                : volume.refusal()
                        .map(why -> "it may not ask for more: " + why)
                        .orElse("its storage class is to expand it");
        return new Plan.Doing(
                Reason.NoSpaceForOverlays,
                "spec.disks[" + seen.machine().spec().disks().indexOf(disk) + "]: with the overlays of a twin claim "
                        + claim.name() + " needs " + needed(disk) + " bytes and has " + volume.capacityBytes() + "; "
                        + then);
    }

    /** A mirror that says nothing of twins can have none: its pod, or its image, is of an earlier release. */
    private Optional<Plan.Doing> tooOld() {
        return Stream.concat(seen.active().stream(), seen.standby().stream())
                .filter(copy -> seen.report(copy)
                        .filter(report -> report.runner() && report.twin().isEmpty())
                        .isPresent())
                .findFirst()
                .map(copy -> new Plan.Doing(
                        Reason.MirrorTooOld,
                        "spec.level: "
                                + (seen.pod(copy).filter(PodFact::overlays).isPresent()
                                        ? "the mirror of copy " + copy + " is of a release that knows no twins"
                                        : "the pod of copy " + copy + " was made by an earlier release")
                                + (seen.active().filter(copy::equals).isPresent()
                                        ? "; it is the active's: switch over, then delete its pod"
                                        : "; delete its pod")));
    }

    /** Only before there is a twin: later the mirror goes by what checkpoints cost. */
    private Optional<Plan.Doing> roundTrip() {
        boolean before = Conditions.find(seen.before().conditions(), ConditionType.LEVEL_SUPPORTED)
                .filter(condition -> Reason.RoundTripTooLong.name().equals(condition.getReason()))
                .isPresent();
        long most = before ? GOOD_ROUND_TRIP_MICROS : MOST_ROUND_TRIP_MICROS;
        return seen.servingActive()
                .flatMap(MirrorReport::peer)
                .flatMap(MirrorReport.Peer::roundTripMicros)
                .filter(micros -> micros > most)
                .map(micros -> new Plan.Doing(
                        Reason.RoundTripTooLong,
                        "spec.placement: the round trip between the two hosts is above " + MOST_ROUND_TRIP_MICROS / 1000
                                + " ms; it counts again below " + GOOD_ROUND_TRIP_MICROS / 1000 + " ms"));
    }
}
