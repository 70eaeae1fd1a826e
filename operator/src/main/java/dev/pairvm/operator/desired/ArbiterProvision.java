package dev.pairvm.operator.desired;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.EpochLease;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.api.model.coordination.v1.LeaseBuilder;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The arbiter Lease as the operator creates it, once in a machine's life, before any mirror starts. From then on only mirrors write
 * it. It has no owner reference: nothing but the end of the machine's clean-up may delete it.
 */
public final class ArbiterProvision {
    /** The first active: the copy that gets the disks' sources. */
    public static final CopyId FIRST = new CopyId("a");

    private ArbiterProvision() {}

    /**
     * The Lease at {@link ArbiterRecord#PROVISIONED}.
     *
     * @param nonce a random word of this provisioning
     */
    public static Lease lease(Machine machine, String nonce) {
        ArbiterRecord arbiter = new ArbiterRecord(
                ArbiterRecord.PROVISIONED,
                FIRST,
                new TreeSet<>(List.of(FIRST)),
                ArbiterRecord.Mode.HA,
                nonce,
                new TreeMap<>(Map.of()));
        return new LeaseBuilder()
                .withMetadata(new ObjectMetaBuilder()
                        .withName(machine.leaseName())
                        .withNamespace(machine.namespace())
                        .withLabels(machine.labels())
                        .withAnnotations(EpochLease.annotations(arbiter))
                        .build())
                .withNewSpec()
                .withHolderIdentity(arbiter.active().value())
                .withLeaseTransitions(Math.toIntExact(arbiter.epoch().value()))
                .endSpec()
                .build();
    }
}
