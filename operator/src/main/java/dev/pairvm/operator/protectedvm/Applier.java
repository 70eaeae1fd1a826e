package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.operator.desired.Labels;
import dev.pairvm.operator.desired.Machine;
import dev.pairvm.operator.pki.TrustStore;
import dev.pairvm.operator.runtime.pod.MirrorAddress;
import dev.pairvm.operator.runtime.pod.MirrorClient;
import io.fabric8.kubernetes.api.model.DeleteOptionsBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.net.HttpURLConnection;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out a plan, in order. What is recorded before an act must be recorded: if that fails, the pass ends. Any other action that
 * fails does not keep the rest from being done, for a Service that is refused must not stand in the way of a failover; the pass fails
 * in the end, and is tried again. Every action may be repeated. Thread-safe for different machines.
 */
final class Applier {
    /** The one name under which the operator applies. */
    static final String FIELD_MANAGER = Labels.OPERATOR;

    private static final int UNPROCESSABLE = 422;
    private static final Logger LOG = LoggerFactory.getLogger(Applier.class);

    private final KubernetesClient client;
    private final Memories memories;
    private final TrustStore trust;
    private final MirrorClient mirrors;
    private final OrderLog orders;
    private final ExpansionRefusals refusals;
    private final InstantSource clock;

    Applier(
            KubernetesClient client,
            Memories memories,
            TrustStore trust,
            MirrorClient mirrors,
            OrderLog orders,
            ExpansionRefusals refusals,
            InstantSource clock) {
        this.client = client;
        this.memories = memories;
        this.trust = trust;
        this.mirrors = mirrors;
        this.orders = orders;
        this.refusals = refusals;
        this.clock = clock;
    }

    /**
     * Does all of it.
     *
     * @throws KubernetesClientException if the API server refuses; what came before stays done
     */
    void apply(Observation seen, Plan plan) {
        Memory memory = seen.memory();
        KubernetesClientException failure = null;
        for (Action action : plan.actions()) {
            try {
                memory = act(seen, memory, action);
            } catch (KubernetesClientException e) {
                if (othersRelyOn(action)) {
                    throw e;
                }
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    private static boolean othersRelyOn(Action action) {
        return switch (action) {
            case Action.Provision provision -> true;
            case Action.Remember remember -> true;
            case Action.MarkReplacing mark -> true;
            case Action.Apply apply -> false;
            case Action.IssueCertificate issue -> false;
            case Action.DeletePod delete -> false;
            case Action.DiscardCopy discard -> false;
            case Action.SendOrder order -> false;
            case Action.DeleteLease delete -> false;
        };
    }

    /** Gives the memory as it is after the action. */
    private Memory act(Observation seen, Memory memory, Action action) {
        Machine machine = seen.machine();
        return switch (action) {
            case Action.Provision provision -> provision(machine, provision);
            case Action.Remember remember -> {
                // A plan made before the Lease existed does not know its uid.
                Memory next = memory.lease().map(remember.memory()::withLease).orElse(remember.memory());
                memories.write(machine.namespace(), machine.name(), machine.uid(), memory, next);
                LOG.info("{}: copies {} -> {} ({})", machine.name(), memory.copies(), next.copies(), remember.why());
                yield next;
            }
            case Action.Apply apply -> {
                applyOrNote(seen, apply.desired());
                yield memory;
            }
            case Action.IssueCertificate issue -> {
                apply(certificate(machine, issue.copy()));
                yield memory;
            }
            case Action.MarkReplacing mark -> {
                mark(machine, mark.pod());
                yield memory;
            }
            case Action.DeletePod delete -> {
                delete(machine, delete);
                yield memory;
            }
            case Action.DiscardCopy discard -> {
                discard(machine, discard.copy());
                yield memory;
            }
            case Action.SendOrder order -> {
                send(seen, order);
                yield memory;
            }
            case Action.DeleteLease delete -> {
                client.leases()
                        .inNamespace(machine.namespace())
                        .withName(machine.leaseName())
                        .delete();
                yield memory;
            }
        };
    }

    /** Creation, never replacement: if somebody was faster, his Lease counts, provided that it is this machine's. */
    private Memory provision(Machine machine, Action.Provision provision) {
        Lease lease;
        try {
            lease = client.resource(provision.lease()).create();
            LOG.info("{}: provisioned", machine.name());
        } catch (KubernetesClientException e) {
            if (e.getCode() != HttpURLConnection.HTTP_CONFLICT) {
                throw e;
            }
            lease = client.leases()
                    .inNamespace(machine.namespace())
                    .withName(machine.leaseName())
                    .get();
            if (lease == null || !(Observer.read(machine, lease) instanceof ArbiterFact.Known)) {
                throw e;
            }
        }
        Memory next = provision.memory().withLease(lease.getMetadata().getUid());
        memories.write(machine.namespace(), machine.name(), machine.uid(), provision.memory(), next);
        return next;
    }

    /** A claim that may not ask for more stays as it is, and so does the machine: the status says why, and the next pass asks again. */
    private void applyOrNote(Observation seen, HasMetadata desired) {
        HasMetadata existing = seen.owned().get(Owned.key(desired));
        if (!(desired instanceof PersistentVolumeClaim) || existing == null) {
            apply(desired);
            return;
        }
        String claim = existing.getMetadata().getUid();
        try {
            apply(desired);
            refusals.granted(claim);
        } catch (KubernetesClientException e) {
            if (e.getCode() != HttpURLConnection.HTTP_FORBIDDEN && e.getCode() != UNPROCESSABLE) {
                throw e;
            }
            LOG.warn("{} may not ask for more: {}", Owned.key(desired), e.getMessage());
            String said = e.getStatus() == null ? e.getMessage() : e.getStatus().getMessage();
            refusals.refused(claim, String.valueOf(said));
        }
    }

    private void apply(HasMetadata desired) {
        LOG.debug("applying {}", Owned.key(desired));
        client.resource(desired).fieldManager(FIELD_MANAGER).forceConflicts().serverSideApply();
    }

    private HasMetadata certificate(Machine machine, CopyId copy) {
        return new SecretBuilder()
                .withNewMetadata()
                .withName(machine.tlsName(copy))
                .withNamespace(machine.namespace())
                .withLabels(machine.labels(copy))
                .withOwnerReferences(machine.owner())
                .endMetadata()
                .withType("kubernetes.io/tls")
                .withData(trust.trust().secretData(machine.identity(copy), clock.instant()))
                .build();
    }

    private void mark(Machine machine, PodFact pod) {
        Pod patch = new PodBuilder()
                .withNewMetadata()
                .withName(pod.name())
                .withNamespace(machine.namespace())
                .withUid(pod.uid())
                .withAnnotations(Map.of(Labels.REPLACING_SINCE, clock.instant().toString()))
                .endMetadata()
                .build();
        client.resource(patch).patch(PatchContext.of(PatchType.JSON_MERGE), patch);
    }

    /** By uid: a successor of the same name is not hit. */
    private void delete(Machine machine, Action.DeletePod delete) {
        LOG.info("{}: deleting pod {}: {}", machine.name(), delete.pod().name(), delete.why());
        try {
            client.raw(
                    "/api/v1/namespaces/" + machine.namespace() + "/pods/"
                            + delete.pod().name(),
                    "DELETE",
                    new DeleteOptionsBuilder()
                            .withGracePeriodSeconds(delete.graceSeconds())
                            .withNewPreconditions()
                            .withUid(delete.pod().uid())
                            .endPreconditions()
                            .build());
        } catch (KubernetesClientException e) {
            if (e.getCode() != HttpURLConnection.HTTP_CONFLICT && e.getCode() != HttpURLConnection.HTTP_NOT_FOUND) {
                throw e;
            }
            LOG.debug("pod {} is gone already", delete.pod().name());
        }
    }

    /** Destroys data; so it asks the API server itself once more, and believes no cache. */
    private void discard(Machine machine, CopyId copy) {
        Optional<Memory> fresh = memories.fresh(machine.namespace(), machine.name(), machine.uid());
        Lease lease = client.leases()
                .inNamespace(machine.namespace())
                .withName(machine.leaseName())
                .get();
        if (fresh.isEmpty()
                || fresh.get().copies().contains(copy)
                || lease == null
                || !(Observer.read(machine, lease) instanceof ArbiterFact.Known known)
                || known.arbiter().inSync().contains(copy)
                || known.arbiter().active().equals(copy)) {
            LOG.warn("{}: copy {} is needed after all and stays", machine.name(), copy);
            return;
        }
        LOG.info("{}: removing what is left of copy {}", machine.name(), copy);
        for (String disk : machine.spec().disks().stream().map(d -> d.name()).toList()) {
            client.persistentVolumeClaims()
                    .inNamespace(machine.namespace())
                    .withName(machine.claimName(copy, disk))
                    .delete();
        }
        client.configMaps()
                .inNamespace(machine.namespace())
                .withName(machine.podName(copy))
                .delete();
        client.secrets()
                .inNamespace(machine.namespace())
                .withName(machine.tlsName(copy))
                .delete();
    }

    private void send(Observation seen, Action.SendOrder order) {
        Machine machine = seen.machine();
        Optional<String> ip = seen.pod(order.to()).flatMap(PodFact::address);
        if (ip.isEmpty() || !orders.mayGo(machine.uid(), order.order(), clock.instant())) {
            return;
        }
        MirrorAddress address = Observer.address(machine, order.to(), ip.get());
        MirrorClient.OrderAnswer answer = mirrors.order(address, order.order());
        switch (answer.outcome()) {
            case DONE, BEGUN -> orders.taken(machine.uid(), order.order());
            case REFUSED, MALFORMED -> orders.refused(machine.uid(), order.order(), answer.message());
            case UNKNOWN -> {}
        }
        LOG.info(
                "{}: order {} to copy {}: {} {}",
                machine.name(),
                order.order(),
                order.to(),
                answer.outcome(),
                answer.message());
    }
}
