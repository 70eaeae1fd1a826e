package dev.pairvm.operator.desired;

import dev.pairvm.api.mirror.CertificateIdentity;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.EpochLease;
import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.api.v1alpha1.ProtectedVMSpec;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The wish for one machine, and the names of what belongs to it.
 *
 * @param name name of the ProtectedVM
 * @param namespace its namespace
 * @param uid its Kubernetes uid
 * @param generation the generation of the spec
 * @param spec what the user wishes
 */
public record Machine(String name, String namespace, String uid, long generation, ProtectedVMSpec spec) {

    /** The machine of this object, which must come from the API server. */
    public static Machine of(ProtectedVM resource) {
        ObjectMeta metadata = resource.getMetadata();
        Long generation = metadata.getGeneration();
        return new Machine(
                metadata.getName(),
                metadata.getNamespace(),
                metadata.getUid(),
                generation == null ? 0 : generation,
                resource.getSpec());
    }

    /** {@code orders-a}: pod and ConfigMap of a copy. */
    public String podName(CopyId copy) {
        return name + "-" + copy;
    }

    /** {@code orders-a-root}: claim of a copy's disk. */
    public String claimName(CopyId copy, String disk) {
        return name + "-" + copy + "-" + disk;
    }

    /** {@code orders-a-tls}: certificate of a copy. */
    public String tlsName(CopyId copy) {
        return name + "-" + copy + "-tls";
    }

    /** {@code pairvm-orders}: the arbiter Lease; also ServiceAccount, Role and RoleBinding. */
    public String leaseName() {
        return EpochLease.nameFor(name);
    }

    /** Who a copy's mirror is, as the URI in its certificate. */
    public String identity(CopyId copy) {
        return CertificateIdentity.nameOf(uid, copy);
    }

    /** Labels of everything that belongs to the machine. */
    public Map<String, String> labels() {
        Map<String, String> labels = new LinkedHashMap<>();
        labels.put(Labels.MACHINE, name);
        labels.put(Labels.MACHINE_UID, uid);
        labels.put(Labels.MANAGED_BY, Labels.OPERATOR);
        return labels;
    }

    /** Labels of what belongs to one copy. */
    public Map<String, String> labels(CopyId copy) {
        Map<String, String> labels = labels();
        labels.put(Labels.COPY, copy.value());
        return labels;
    }

    /** Makes an object go when the ProtectedVM goes. */
    public OwnerReference owner() {
        return new OwnerReferenceBuilder()
                .withApiVersion(ProtectedVM.GROUP + "/" + ProtectedVM.VERSION)
                .withKind("ProtectedVM")
                .withName(name)
                .withUid(uid)
                .withController(true)
                .withBlockOwnerDeletion(true)
                .build();
    }

    /** Metadata of an object that goes with the ProtectedVM. */
    ObjectMeta owned(String objectName, Map<String, String> labels) {
        return new ObjectMetaBuilder()
                .withName(objectName)
                .withNamespace(namespace)
                .withLabels(labels)
                .withOwnerReferences(owner())
                .build();
    }
}
