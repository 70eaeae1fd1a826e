package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.operator.desired.Labels;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Reads and writes what must not be forgotten. The informer may lag behind our own last write; so what this process wrote counts more.
 * Another process that believes to lead is kept out by comparing before writing. Thread-safe.
 */
final class Memories {
    private final KubernetesClient client;
    private final Map<String, Memory> written = new ConcurrentHashMap<>();

    Memories(KubernetesClient client) {
        this.client = client;
    }

    /**
     * What is remembered of a machine.
     *
     * @throws IllegalArgumentException if somebody damaged the annotation
     */
    Memory of(ProtectedVM machine) {
        Memory ours = written.get(machine.getMetadata().getUid());
        return ours != null ? ours : stored(machine).orElse(Memory.FRESH);
    }

    private static Optional<Memory> stored(ProtectedVM machine) {
        Map<String, String> annotations = machine.getMetadata().getAnnotations();
        return Optional.ofNullable(annotations == null ? null : annotations.get(Labels.MEMORY))
                .map(Memory::read);
    }

    /** What the API server has at this moment, for decisions that destroy something; empty if the machine is gone or another. */
    Optional<Memory> fresh(String namespace, String name, String uid) {
        ProtectedVM machine = client.resources(ProtectedVM.class)
                .inNamespace(namespace)
                .withName(name)
                .get();
        return machine == null || !machine.getMetadata().getUid().equals(uid)
                ? Optional.empty()
                : Optional.of(stored(machine).orElse(Memory.FRESH));
    }

    /**
     * Replaces {@code known} by {@code next}, durably.
     *
     * @throws StaleMemoryException if the API server has something else than {@code known}: somebody else works on this machine
     */
    void write(String namespace, String name, String uid, Memory known, Memory next) {
        ProtectedVM machine = client.resources(ProtectedVM.class)
                .inNamespace(namespace)
                .withName(name)
                .get();
        if (machine == null || !machine.getMetadata().getUid().equals(uid)) {
            throw new StaleMemoryException("ProtectedVM " + namespace + "/" + name + " is gone");
        }
        Memory found = stored(machine).orElse(Memory.FRESH);
        if (found.equals(next)) {
            written.put(uid, next);
            return;
        }
        if (!found.equals(known)) {
            written.remove(uid);
            throw new StaleMemoryException(
                    "the memory of " + namespace + "/" + name + " is " + found + ", not " + known);
        }
        ProtectedVM patch = new ProtectedVM();
        patch.setSpec(null);
        patch.setStatus(null);
        patch.getMetadata().setName(name);
        patch.getMetadata().setNamespace(namespace);
        // The resourceVersion makes it a compare-and-swap.
        patch.getMetadata().setResourceVersion(machine.getMetadata().getResourceVersion());
        patch.getMetadata().setAnnotations(Map.of(Labels.MEMORY, next.write()));
        client.resource(patch).patch(PatchContext.of(PatchType.JSON_MERGE), patch);
        written.put(uid, next);
    }

    void forget(String uid) {
        written.remove(uid);
    }

    /** Somebody else changed the memory; the next pass reads it anew. */
    static final class StaleMemoryException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        StaleMemoryException(String message) {
            super(message);
        }
    }
}
