package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.api.v1alpha1.ProtectedVMOperation;
import dev.pairvm.operator.desired.Labels;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import io.fabric8.kubernetes.api.model.storage.StorageClass;
import io.javaoperatorsdk.operator.api.config.informer.InformerEventSourceConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import io.javaoperatorsdk.operator.processing.event.source.inbound.SimpleInboundEventSource;
import io.javaoperatorsdk.operator.processing.event.source.informer.InformerEventSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What wakes the loop and what it reads from: informers for everything a machine owns, nodes, storage classes, and the mirrors. */
final class MachineSources {
    /** The kinds of owned objects; each carries the label {@link Labels#MACHINE}. */
    static final List<Class<? extends HasMetadata>> OWNED = List.of(
            ConfigMap.class,
            Secret.class,
            Service.class,
            ServiceAccount.class,
            Role.class,
            RoleBinding.class,
            EndpointSlice.class,
            NetworkPolicy.class,
            PodDisruptionBudget.class,
            PersistentVolumeClaim.class);

    private final EventSourceContext<ProtectedVM> context;
    private final InformerEventSource<Node, ProtectedVM> nodes;
    private final InformerEventSource<StorageClass, ProtectedVM> storageClasses;
    private final SimpleInboundEventSource<ProtectedVM> mirrors = new SimpleInboundEventSource<>("mirrors");

    MachineSources(EventSourceContext<ProtectedVM> context) {
        this.context = context;
        nodes = new InformerEventSource<>(
                InformerEventSourceConfiguration.from(Node.class, ProtectedVM.class)
                        .withName("nodes")
                        .withWatchAllNamespaces()
                        .withSecondaryToPrimaryMapper(node -> everyMachine())
                        // A node's status is written often; only this much of it matters here.
                        .withOnUpdateFilter((is, was) -> !NodeFacts.of(is).equals(NodeFacts.of(was)))
                        .build(),
                context);
        storageClasses = new InformerEventSource<>(
                InformerEventSourceConfiguration.from(StorageClass.class, ProtectedVM.class)
                        .withName("storage-classes")
                        .withWatchAllNamespaces()
                        .withSecondaryToPrimaryMapper(storageClass -> everyMachine())
                        .withOnUpdateFilter((is, was) ->
                                !Objects.equals(is.getAllowVolumeExpansion(), was.getAllowVolumeExpansion()))
                        .build(),
                context);
    }

    List<EventSource<?, ProtectedVM>> all() {
        List<EventSource<?, ProtectedVM>> all = new ArrayList<>(List.of(nodes, storageClasses, mirrors));
        Stream.concat(OWNED.stream(), Stream.of(Pod.class, Lease.class)).forEach(kind -> all.add(owned(kind)));
        all.add(new InformerEventSource<>(
                InformerEventSourceConfiguration.from(ProtectedVMOperation.class, ProtectedVM.class)
                        .withName("operations")
                        .withNamespacesInheritedFromController()
                        .withSecondaryToPrimaryMapper(operation -> Set.of(new ResourceID(
                                operation.getSpec().protectedVMName(),
                                operation.getMetadata().getNamespace())))
                        .build(),
                context));
        return all;
    }

    private <R extends HasMetadata> EventSource<R, ProtectedVM> owned(Class<R> kind) {
        return new InformerEventSource<>(
                InformerEventSourceConfiguration.from(kind, ProtectedVM.class)
                        .withName(kind.getSimpleName())
                        .withNamespacesInheritedFromController()
                        .withLabelSelector(Labels.MACHINE)
                        .withSecondaryToPrimaryMapper(MachineSources::machineOf)
                        .build(),
                context);
    }

    private static Set<ResourceID> machineOf(HasMetadata object) {
        String machine = object.getMetadata().getLabels() == null
                ? null
                : object.getMetadata().getLabels().get(Labels.MACHINE);
        return machine == null
                ? Set.of()
                : Set.of(new ResourceID(machine, object.getMetadata().getNamespace()));
    }

    private Set<ResourceID> everyMachine() {
        return context.getPrimaryCache()
                .list(machine -> true)
                .map(ResourceID::fromResource)
                .collect(Collectors.toSet());
    }

    /** A mirror of this machine has something to say. */
    void mirrorChanged(String namespace, String machine) {
        mirrors.propagateEvent(new ResourceID(machine, namespace));
    }

    Stream<Node> nodes() {
        return nodes.list(Objects::nonNull);
    }

    /** Whether claims of this class may ask for more; false of a class that does not exist. */
    boolean storageClassExpands(String name) {
        return storageClasses
                .get(new ResourceID(name))
                .filter(found -> Boolean.TRUE.equals(found.getAllowVolumeExpansion()))
                .isPresent();
    }

    boolean storageClassExists(String name) {
        return storageClasses.get(new ResourceID(name)).isPresent();
    }
}
