package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.operator.desired.DiskVolumes;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;

/**
 * Disks that are smaller than the spec asks for. First the claims of every copy in sync are to have the capacity, then the active is
 * ordered to let the disk grow; the mirrors see to the rest. Both are asked for in every pass until they are so. Pure.
 */
final class DiskGrowth {
    /** A provisioner may be slow; its success is an event. */
    private static final Duration EXPANSION = Duration.ofSeconds(30);

    private static final String NOT_GROWN = "DiskNotGrown";

    private final Observation seen;

    /** What the first disk that is too small waits for. */
    record State(Reason reason, String message, Optional<Action> next) {}

    DiskGrowth(Observation seen) {
        this.seen = seen;
    }

    /** Orders the next growth that can be ordered. */
    void plan(Draft draft) {
        state().filter(state -> state.reason() != Reason.VolumeNotExpandable).ifPresent(state -> {
            draft.doing(state.reason(), state.message());
            draft.lookAgain(state.next().isPresent() ? Planner.SOON : EXPANSION);
            // The image under a twin does not change its size.
            state.next().filter(order -> TwinPlanner.free(seen)).ifPresent(draft::act);
        });
    }

    /** Empty if every disk is as large as the spec asks for, or the active does not say how large it is. */
    Optional<State> state() {
        return seen.machine().spec().disks().stream()
                .flatMap(disk -> state(disk).stream())
                .findFirst();
    }

    /** Whether the active says how large the disks are. */
    boolean known() {
        return seen.active().flatMap(seen::report).isPresent();
    }

    private Optional<State> state(MirroredDisk disk) {
        Optional<MirrorReport> active = seen.active().flatMap(seen::report);
        long has = active.stream()
                .flatMap(report -> report.disks().stream())
                .filter(reported -> reported.name().equals(disk.name()))
                .mapToLong(MirrorReport.Disk::sizeBytes)
                .findFirst()
                .orElse(disk.sizeBytes());
        if (has >= disk.sizeBytes()) {
            return Optional.empty();
        }
        String field = "spec.disks[" + seen.machine().spec().disks().indexOf(disk) + "].size: ";
        return Optional.of(waitingForVolume(disk, field, has).orElseGet(() -> growing(disk, field, has)));
    }

    private Optional<State> waitingForVolume(MirroredDisk disk, String field, long has) {
        long needed = DiskVolumes.claimBytes(seen.machine(), disk);
        for (CopyId copy : needed()) {
            Optional<ClaimFact> claim = seen.claims().stream()
                    .filter(fact -> fact.copy().equals(copy) && fact.disk().equals(disk.name()))
                    .findFirst();
            if (claim.isEmpty() || claim.get().volume().capacityBytes() >= needed) {
                continue;
            }
            ClaimFact.VolumeFact volume = claim.get().volume();
            String stays = "; disk " + disk.name() + " keeps its " + has + " bytes and the machine runs on";
            if (!volume.expandable()) {
                return Optional.of(new State(
                        Reason.VolumeNotExpandable,
                        field + "storage class " + volume.storageClassName()
                                + " does not allow expansion (allowVolumeExpansion), so claim "
                                + claim.get().name() + " can not grow" + stays,
                        Optional.empty()));
            }
            return Optional.of(volume.refusal()
                    .map(why -> new State(
                            Reason.ExpansionRefused,
                            field + "claim " + claim.get().name() + " may not ask for more: " + why + stays,
                            Optional.empty()))
                    .orElseGet(() -> new State(
                            Reason.ExpandingVolume,
                            field + "claim " + claim.get().name() + " has " + volume.capacityBytes() + " bytes of "
                                    + needed + "; its storage class is to expand it",
                            Optional.empty())));
        }
        return Optional.empty();
    }

    /** The active and what is in sync with it: another copy grows when it is filled. */
    private Set<CopyId> needed() {
        Set<CopyId> copies = new LinkedHashSet<>(seen.current());
        seen.active().ifPresent(copies::add);
        return copies;
    }

    private State growing(MirroredDisk disk, String field, long has) {
        Optional<Action> order =
                seen.servingActive().flatMap(report -> seen.arbiterRecord()).map(arbiter -> order(arbiter, disk));
        return seen.memory().copies().stream()
                .flatMap(copy -> seen.report(copy).stream())
                .flatMap(report -> report.problem().stream())
                .filter(problem -> problem.reason().equals(NOT_GROWN))
                .findFirst()
                .map(problem -> new State(Reason.DiskNotGrown, field + problem.message(), order))
                .orElseGet(() -> new State(
                        Reason.GrowingDisk,
                        field + "disk " + disk.name() + " grows from " + has + " to " + disk.sizeBytes() + " bytes",
                        order));
    }

    private static Action order(ArbiterRecord arbiter, MirroredDisk disk) {
        return new Action.SendOrder(
                arbiter.active(), new MirrorOrder.Grow(arbiter.epoch(), disk.name(), disk.sizeBytes()));
    }
}
