package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.MirroredDisk.VolumeMode;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import dev.pairvm.operator.desired.Machine;
import dev.pairvm.operator.placement.NodeFact;
import dev.pairvm.operator.runtime.pod.MirrorFact;
import io.fabric8.kubernetes.api.model.HasMetadata;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Everything one pass knows about a machine. Immutable; the only input of {@link Planner} and {@link StatusView}.
 *
 * @param now when it was gathered
 * @param machine the wish
 * @param before the status that the ProtectedVM has now
 * @param memory what must not be forgotten
 * @param arbiter the arbiter Lease
 * @param pods the machine's pods, by copy
 * @param claims the claims of the machine's copies
 * @param mirrors what the mirrors say, by copy
 * @param nodes all nodes, by name
 * @param owned other objects of the machine that exist, by {@link Owned#key}
 * @param certificatesDue copies that have no certificate, or one that is to be renewed
 * @param strangers claims of names that the machine needs and that belong to somebody else
 * @param missingClasses storage classes that the spec names and that do not exist
 * @param sources volume mode of each claim that is a disk's source and exists
 * @param switchover whether an operation asks for a switchover
 * @param refusals why orders were refused when they were given last, by their type
 */
public record Observation(
        Instant now,
        Machine machine,
        ProtectedVMStatus before,
        Memory memory,
        ArbiterFact arbiter,
        Map<CopyId, PodFact> pods,
        List<ClaimFact> claims,
        Map<CopyId, MirrorFact> mirrors,
        Map<String, NodeFact> nodes,
        Map<String, HasMetadata> owned,
        Set<CopyId> certificatesDue,
        Set<String> strangers,
        Set<String> missingClasses,
        Map<String, VolumeMode> sources,
        boolean switchover,
        Map<Class<?>, String> refusals) {

    /** Copies the collections. */
    public Observation {
        pods = Map.copyOf(pods);
        claims = List.copyOf(claims);
        mirrors = Map.copyOf(mirrors);
        nodes = Map.copyOf(nodes);
        owned = Map.copyOf(owned);
        certificatesDue = Set.copyOf(certificatesDue);
        strangers = Set.copyOf(strangers);
        missingClasses = Set.copyOf(missingClasses);
        sources = Map.copyOf(sources);
        refusals = Map.copyOf(refusals);
    }

    /** The arbiter's record, if it is known and the machine's own. */
    public Optional<ArbiterRecord> arbiterRecord() {
        return arbiter instanceof ArbiterFact.Known known && !arbiterReplaced()
                ? Optional.of(known.arbiter())
                : Optional.empty();
    }

    /** Whether there is a Lease that is not the one that was provisioned. */
    public boolean arbiterReplaced() {
        return arbiter instanceof ArbiterFact.Known known
                && memory.lease().isPresent()
                && !memory.lease().get().equals(known.uid());
    }

    /** Whether the machine had a Lease and has it no longer. */
    public boolean arbiterLost() {
        return (arbiter instanceof ArbiterFact.Missing && memory.lease().isPresent()) || arbiterReplaced();
    }

    /**
     * What a mirror says of a record that is older than what its disks have seen: somebody put an earlier Lease back. Only a mirror can
     * know, for its read passes by every cache.
     */
    public Optional<String> arbiterRolledBack() {
        return memory.copies().stream()
                .flatMap(copy -> report(copy).stream())
                .flatMap(report -> report.problem().stream()
                        .filter(problem -> problem.reason().equals("ArbiterRollback"))
                        .map(problem -> "copy " + report.copy() + " says: " + problem.message()))
                .findFirst();
    }

    /** The active copy, by the arbiter. */
    public Optional<CopyId> active() {
        return arbiterRecord().map(ArbiterRecord::active);
    }

    /** Whether the arbiter lists the copy as in sync. */
    public boolean inSync(CopyId copy) {
        return arbiterRecord()
                .filter(arbiter -> arbiter.inSync().contains(copy))
                .isPresent();
    }

    /** The copies that should exist and are in sync. */
    public List<CopyId> current() {
        return memory.copies().stream().filter(this::inSync).toList();
    }

    /** The copy beside the active: one in sync before one that is not, the newest first. */
    public Optional<CopyId> standby() {
        Optional<CopyId> active = active();
        List<CopyId> others = memory.copies().reversed().stream()
                .filter(copy -> active.isEmpty() || !copy.equals(active.get()))
                .toList();
        return active.isEmpty()
                ? Optional.empty()
                : others.stream()
                        .filter(this::inSync)
                        .findFirst()
                        .or(() -> others.stream()
                                .filter(copy -> !mirror(copy).answer().isEmpty())
                                .findFirst()
                                .or(() -> others.stream().findFirst()));
    }

    /** What the mirror of a copy says. */
    public MirrorFact mirror(CopyId copy) {
        return Objects.requireNonNullElse(mirrors.get(copy), new MirrorFact.NoAddress());
    }

    /** The report of a copy that is in touch. */
    public Optional<MirrorReport> report(CopyId copy) {
        return mirror(copy).answer();
    }

    /** The active's report, if it is in touch and itself says that it serves under the arbiter's epoch. */
    public Optional<MirrorReport> servingActive() {
        return active().flatMap(this::report).filter(report -> report.role() == MirrorReport.Role.ACTIVE);
    }

    /** What a mirror says against orders of this type; empty, or else it goes behind a sentence about what they are given for. */
    public String refused(Class<? extends MirrorOrder> order) {
        String why = refusals.get(order);
        return why == null ? "" : "; it was refused: " + why;
    }

    /** The pod of a copy. */
    public Optional<PodFact> pod(CopyId copy) {
        return Optional.ofNullable(pods.get(copy));
    }

    /** Where a copy lies: where its pod is bound, or where its volume was made. */
    public Optional<String> nodeOf(CopyId copy) {
        return pod(copy)
                .flatMap(PodFact::node)
                .or(() -> claims.stream()
                        .filter(claim -> claim.copy().equals(copy))
                        .flatMap(claim -> claim.node().stream())
                        .findFirst());
    }

    /** The node of a copy, if it still exists. */
    public Optional<NodeFact> nodeFactOf(CopyId copy) {
        return nodeOf(copy).flatMap(name -> Optional.ofNullable(nodes.get(name)));
    }

    /** Whether the copy has a node and that node is gone or not known to work. */
    public boolean nodeOut(CopyId copy) {
        return nodeOf(copy).isPresent()
                && !nodeFactOf(copy).filter(NodeFact::ready).isPresent();
    }

    /** Names of the nodes that hold copies. */
    public Collection<String> takenNodes() {
        return memory.copies().stream().flatMap(copy -> nodeOf(copy).stream()).toList();
    }
}
