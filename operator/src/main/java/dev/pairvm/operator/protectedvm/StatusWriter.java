package dev.pairvm.operator.protectedvm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Writes a status when it differs from the last one; in peace it writes nothing. The informer may lag behind the last write, so what
 * this process wrote counts more. Thread-safe for different machines.
 */
final class StatusWriter {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final PatchContext APPLY = new PatchContext.Builder()
            .withPatchType(PatchType.SERVER_SIDE_APPLY)
            .withFieldManager(Applier.FIELD_MANAGER)
            .withForce(true)
            .build();

    private final KubernetesClient client;
    private final Map<String, ProtectedVMStatus> written = new ConcurrentHashMap<>();

    StatusWriter(KubernetesClient client) {
        this.client = client;
    }

    /** The status that is there now, as far as this process knows. */
    ProtectedVMStatus before(ProtectedVM resource, ProtectedVMStatus observed) {
        return written.getOrDefault(resource.getMetadata().getUid(), observed);
    }

    /** Writes the status if it differs; says whether it did. */
    boolean write(ProtectedVM resource, ProtectedVMStatus before, ProtectedVMStatus status) {
        if (tree(status).equals(tree(before))) {
            return false;
        }
        ProtectedVM patch = new ProtectedVM();
        patch.setSpec(null);
        patch.getMetadata().setName(resource.getMetadata().getName());
        patch.getMetadata().setNamespace(resource.getMetadata().getNamespace());
        patch.setStatus(status);
        client.resource(patch).subresource("status").patch(APPLY);
        written.put(resource.getMetadata().getUid(), status);
        return true;
    }

    void forget(String uid) {
        written.remove(uid);
    }

    private static JsonNode tree(ProtectedVMStatus status) {
        return JSON.valueToTree(status);
    }
}
