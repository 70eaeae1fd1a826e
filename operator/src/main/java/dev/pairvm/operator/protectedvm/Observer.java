package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.EpochLease;
import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.api.v1alpha1.MirroredDisk.VolumeMode;
import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.api.v1alpha1.ProtectedVMOperation;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationSpec.OperationType;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Phase;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import dev.pairvm.operator.desired.Labels;
import dev.pairvm.operator.desired.Machine;
import dev.pairvm.operator.pki.Trust;
import dev.pairvm.operator.pki.TrustStore;
import dev.pairvm.operator.placement.NodeFact;
import dev.pairvm.operator.runtime.pod.MirrorAddress;
import dev.pairvm.operator.runtime.pod.MirrorDirectory;
import dev.pairvm.operator.runtime.pod.MirrorFact;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Gathers an {@link Observation} from informers and mirrors. Changes nothing, but stays in touch with the mirrors it sees. */
final class Observer {
    private static final ProtectedVMStatus NOTHING =
            new ProtectedVMStatus(null, null, null, null, null, null, null, null, List.of(), List.of(), null);
    private static final String SELECTED_NODE = "volume.kubernetes.io/selected-node";

    private final KubernetesClient client;
    private final Memories memories;
    private final TrustStore trust;
    private final MirrorDirectory mirrors;
    private final ExpansionRefusals refusals;
    private final OrderLog orders;
    private final InstantSource clock;

    Observer(
            KubernetesClient client,
            Memories memories,
            TrustStore trust,
            MirrorDirectory mirrors,
            ExpansionRefusals refusals,
            OrderLog orders,
            InstantSource clock) {
        this.client = client;
        this.memories = memories;
        this.trust = trust;
        this.mirrors = mirrors;
        this.refusals = refusals;
        this.orders = orders;
        this.clock = clock;
    }

    Observation observe(ProtectedVM resource, Context<ProtectedVM> context, MachineSources sources) {
        Machine machine = Machine.of(resource);
        Memory memory = memories.of(resource);
        ArbiterFact arbiter = arbiter(machine, context);
        Map<CopyId, PodFact> pods = pods(machine, context);
        Map<String, HasMetadata> owned = owned(machine, context);
        Instant now = clock.instant();
        boolean early = memory.lease().isEmpty()
                || (arbiter instanceof ArbiterFact.Known known
                        && known.arbiter().epoch().equals(ArbiterRecord.PROVISIONED));
        return new Observation(
                now,
                machine,
                Objects.requireNonNullElse(resource.getStatus(), NOTHING),
                memory,
                arbiter,
                pods,
                claims(owned, sources),
                mirrors(machine, pods),
                nodes(sources),
                owned,
                certificatesDue(machine, memory, owned, now),
                memory.lease().isEmpty() ? strangers(machine, memory) : Set.of(),
                missingClasses(machine, sources),
                early ? sourceModes(machine) : Map.of(),
                switchoverAsked(machine, context),
                orders.refusals(machine.uid()));
    }

    private static ArbiterFact arbiter(Machine machine, Context<ProtectedVM> context) {
        Optional<Lease> found = context.getSecondaryResources(Lease.class).stream()
                .filter(lease -> lease.getMetadata().getName().equals(machine.leaseName()))
                .findFirst();
        return found.map(lease -> read(machine, lease)).orElseGet(ArbiterFact.Missing::new);
    }

    /** Reads a Lease; also used where it was fetched and not watched. */
    static ArbiterFact read(Machine machine, Lease lease) {
        Map<String, String> labels =
                Objects.requireNonNullElse(lease.getMetadata().getLabels(), Map.of());
        boolean ours = machine.uid().equals(labels.get(Labels.MACHINE_UID));
        if (!ours) {
            return new ArbiterFact.Damaged(
                    "Lease " + machine.leaseName()
                            + " belongs to another machine, perhaps an earlier one of this name; delete it "
                            + "if that one is gone",
                    false);
        }
        Integer transitions = lease.getSpec() == null ? null : lease.getSpec().getLeaseTransitions();
        String holder = lease.getSpec() == null ? null : lease.getSpec().getHolderIdentity();
        if (transitions == null || holder == null) {
            return new ArbiterFact.Damaged("Lease " + machine.leaseName() + " has no holder or no transitions", true);
        }
        try {
            return new ArbiterFact.Known(
                    EpochLease.parse(
                            holder,
                            transitions,
                            Objects.requireNonNullElse(lease.getMetadata().getAnnotations(), Map.of())),
                    lease.getMetadata().getUid());
        } catch (EpochLease.MalformedLeaseException e) {
            return new ArbiterFact.Damaged(
                    "Lease " + machine.leaseName() + ": " + Objects.requireNonNullElse(e.getMessage(), "damaged"),
                    true);
        }
    }

    private static Map<CopyId, PodFact> pods(Machine machine, Context<ProtectedVM> context) {
        Map<CopyId, PodFact> pods = new HashMap<>();
        for (Pod pod : context.getSecondaryResources(Pod.class)) {
            CopyId copy = copyOf(pod);
            if (copy != null
                    && belongs(machine, pod)
                    && pod.getMetadata().getName().equals(machine.podName(copy))) {
                pods.put(copy, PodFacts.of(copy, pod));
            }
        }
        return pods;
    }

    private static Map<String, HasMetadata> owned(Machine machine, Context<ProtectedVM> context) {
        Map<String, HasMetadata> owned = new HashMap<>();
        for (Class<? extends HasMetadata> kind : MachineSources.OWNED) {
            for (HasMetadata object : context.getSecondaryResources(kind)) {
                if (belongs(machine, object)) {
                    owned.put(Owned.key(object), object);
                }
            }
        }
        return owned;
    }

    private List<ClaimFact> claims(Map<String, HasMetadata> owned, MachineSources sources) {
        List<ClaimFact> claims = new ArrayList<>();
        for (HasMetadata object : owned.values()) {
            CopyId copy = copyOf(object);
            if (object instanceof PersistentVolumeClaim claim && copy != null) {
                Map<String, String> annotations =
                        Objects.requireNonNullElse(claim.getMetadata().getAnnotations(), Map.of());
                claims.add(new ClaimFact(
                        copy,
                        Objects.requireNonNullElse(
                                claim.getMetadata().getLabels().get(Labels.DISK), ""),
                        claim.getMetadata().getName(),
                        Optional.ofNullable(annotations.get(SELECTED_NODE)),
                        claim.getStatus() != null
                                && "Bound".equals(claim.getStatus().getPhase()),
                        volume(claim, sources)));
            }
        }
        return claims;
    }

    private ClaimFact.VolumeFact volume(PersistentVolumeClaim claim, MachineSources sources) {
        String storageClass = Objects.requireNonNullElse(claim.getSpec().getStorageClassName(), "");
        Quantity capacity = claim.getStatus() == null || claim.getStatus().getCapacity() == null
                ? null
                : claim.getStatus().getCapacity().get("storage");
        return new ClaimFact.VolumeFact(
                capacity == null ? 0 : Quantity.getAmountInBytes(capacity).longValue(),
                sources.storageClassExpands(storageClass),
                storageClass,
                refusals.of(claim.getMetadata().getUid()));
    }

    private Map<CopyId, MirrorFact> mirrors(Machine machine, Map<CopyId, PodFact> pods) {
        Map<CopyId, MirrorAddress> addresses = new HashMap<>();
        pods.forEach((copy, pod) -> pod.address().ifPresent(ip -> addresses.put(copy, address(machine, copy, ip))));
        mirrors.watch(machine.namespace(), machine.name(), addresses.values());
        return addresses.entrySet().stream()
                .collect(Collectors.toMap(Map.Entry::getKey, entry -> mirrors.fact(entry.getValue())));
    }

    static MirrorAddress address(Machine machine, CopyId copy, String podIp) {
        return new MirrorAddress(machine.namespace(), machine.name(), copy, machine.identity(copy), podIp);
    }

    private static Map<String, NodeFact> nodes(MachineSources sources) {
        return sources.nodes().map(NodeFacts::of).collect(Collectors.toMap(NodeFact::name, node -> node));
    }

    private Set<CopyId> certificatesDue(Machine machine, Memory memory, Map<String, HasMetadata> owned, Instant now) {
        Trust authorities = trust.trust();
        return memory.copies().stream()
                .filter(copy -> !(owned.get("Secret/" + machine.tlsName(copy))
                                instanceof io.fabric8.kubernetes.api.model.Secret secret)
                        || authorities.due(
                                Objects.requireNonNullElse(secret.getData(), Map.of()), machine.identity(copy), now))
                .collect(Collectors.toSet());
    }

    /** Claims of the names that are needed, made by nobody or for somebody else. Asked of the API server: informers see only ours. */
    private Set<String> strangers(Machine machine, Memory memory) {
        return memory.copies().stream()
                .flatMap(copy -> machine.spec().disks().stream().map(disk -> machine.claimName(copy, disk.name())))
                .filter(name -> {
                    PersistentVolumeClaim claim = claim(machine, name);
                    return claim != null && !belongs(machine, claim);
                })
                .collect(Collectors.toSet());
    }

    private static Set<String> missingClasses(Machine machine, MachineSources sources) {
        Set<String> missing = new HashSet<>();
        for (MirroredDisk disk : machine.spec().disks()) {
            String name = disk.storageClassName();
            if (name != null && !name.isEmpty() && !sources.storageClassExists(name)) {
                missing.add(name);
            }
        }
        return missing;
    }

    private Map<String, VolumeMode> sourceModes(Machine machine) {
        return machine.spec().disks().stream()
                .flatMap(disk -> Stream.ofNullable(disk.source().persistentVolumeClaim()))
                .flatMap(source -> Stream.ofNullable(claim(machine, source.name())))
                .collect(Collectors.toMap(
                        claim -> claim.getMetadata().getName(),
                        claim -> "Block".equals(claim.getSpec().getVolumeMode())
                                ? VolumeMode.Block
                                : VolumeMode.Filesystem,
                        (one, same) -> one));
    }

    private @Nullable PersistentVolumeClaim claim(Machine machine, String name) {
        return client.persistentVolumeClaims()
                .inNamespace(machine.namespace())
                .withName(name)
                .get();
    }

    private static boolean switchoverAsked(Machine machine, Context<ProtectedVM> context) {
        return context.getSecondaryResources(ProtectedVMOperation.class).stream()
                .filter(operation -> operation.getSpec().protectedVMName().equals(machine.name()))
                .filter(operation -> operation.getSpec().type() == OperationType.Switchover)
                .filter(operation -> operation.getMetadata().getDeletionTimestamp() == null)
                .anyMatch(operation -> operation.getStatus() != null
                        && (operation.getStatus().phase() == Phase.Pending
                                || operation.getStatus().phase() == Phase.Running));
    }

    private static boolean belongs(Machine machine, HasMetadata object) {
        Map<String, String> labels = object.getMetadata().getLabels();
        return labels != null && machine.uid().equals(labels.get(Labels.MACHINE_UID));
    }

    private static @Nullable CopyId copyOf(HasMetadata object) {
        Map<String, String> labels = object.getMetadata().getLabels();
        String copy = labels == null ? null : labels.get(Labels.COPY);
        try {
            return copy == null ? null : new CopyId(copy);
        } catch (IllegalArgumentException e) {
            // Somebody else's label; not one of our copies.
            return null;
        }
    }
}
