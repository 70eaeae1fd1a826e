package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.operator.desired.Labels;
import dev.pairvm.operator.desired.Machine;
import dev.pairvm.operator.runtime.pod.MirrorAddress;
import dev.pairvm.operator.runtime.pod.MirrorDirectory;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Looks at one machine from outside its loop, fresh from the API server; for what happens seldom, like operations. */
public final class MachineReader {
    private final KubernetesClient client;
    private final MirrorDirectory mirrors;

    /** Reports come from the mirrors that the machine's loop is in touch with. */
    public MachineReader(KubernetesClient client, MirrorDirectory mirrors) {
        this.client = client;
        this.mirrors = mirrors;
    }

    /**
     * A machine now.
     *
     * @param machine the wish
     * @param deleting whether it is being deleted
     * @param arbiter the record, if it can be read
     * @param reports what mirrors that are in touch say
     * @param nodes where copies are
     * @param addresses of the mirrors
     */
    public record Snapshot(
            Machine machine,
            boolean deleting,
            Optional<ArbiterRecord> arbiter,
            Map<CopyId, MirrorReport> reports,
            Map<CopyId, String> nodes,
            Map<CopyId, MirrorAddress> addresses) {}

    /** The machine; empty if there is none of this name. */
    public Optional<Snapshot> read(String namespace, String name) {
        ProtectedVM resource = client.resources(ProtectedVM.class)
                .inNamespace(namespace)
                .withName(name)
                .get();
        if (resource == null) {
            return Optional.empty();
        }
        Machine machine = Machine.of(resource);
        Map<CopyId, MirrorReport> reports = new HashMap<>();
        Map<CopyId, String> nodes = new HashMap<>();
        Map<CopyId, MirrorAddress> addresses = new HashMap<>();
        for (PodFact pod : pods(machine)) {
            pod.node().ifPresent(node -> nodes.put(pod.copy(), node));
            pod.address().ifPresent(ip -> {
                MirrorAddress address = Observer.address(machine, pod.copy(), ip);
                addresses.put(pod.copy(), address);
                mirrors.fact(address).answer().ifPresent(report -> reports.put(pod.copy(), report));
            });
        }
        return Optional.of(new Snapshot(
                machine,
                resource.getMetadata().getDeletionTimestamp() != null,
                arbiter(machine),
                reports,
                nodes,
                addresses));
    }

    private Optional<ArbiterRecord> arbiter(Machine machine) {
        Lease lease = client.leases()
                .inNamespace(machine.namespace())
                .withName(machine.leaseName())
                .get();
        return lease != null && Observer.read(machine, lease) instanceof ArbiterFact.Known known
                ? Optional.of(known.arbiter())
                : Optional.empty();
    }

    private List<PodFact> pods(Machine machine) {
        return client
                .pods()
                .inNamespace(machine.namespace())
                .withLabel(Labels.MACHINE_UID, machine.uid())
                .list()
                .getItems()
                .stream()
                .flatMap(pod -> fact(pod).stream())
                .toList();
    }

    private static Optional<PodFact> fact(Pod pod) {
        String copy = pod.getMetadata().getLabels().get(Labels.COPY);
        try {
            return copy == null ? Optional.empty() : Optional.of(PodFacts.of(new CopyId(copy), pod));
        } catch (IllegalArgumentException e) {
            // Somebody else's label; not one of our copies.
            return Optional.empty();
        }
    }
}
