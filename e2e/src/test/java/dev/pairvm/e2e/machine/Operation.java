package dev.pairvm.e2e.machine;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.awaitility.core.ConditionTimeoutException;

/** A ProtectedVMOperation that a user applied. */
public final class Operation {
    private final KubernetesClient client;
    private final Machine machine;
    private final String name;

    private Operation(KubernetesClient client, Machine machine, String name) {
        this.client = client;
        this.machine = machine;
        this.name = name;
    }

    /** Asks for a switchover of this machine. */
    public static Operation switchover(KubernetesClient client, Machine machine, String name) {
        return of("Switchover", client, machine, name);
    }

    /** Asks for a comparison of this machine's copies. */
    public static Operation verify(KubernetesClient client, Machine machine, String name) {
        return of("Verify", client, machine, name);
    }

    private static Operation of(String type, KubernetesClient client, Machine machine, String name) {
        String yaml = """
                apiVersion: pairvm.dev/v1alpha1
                kind: ProtectedVMOperation
                metadata:
                  name: %s
                spec:
                  protectedVMName: %s
                  type: %s
                """.formatted(name, machine.name(), type);
        client.load(new ByteArrayInputStream(yaml.getBytes(StandardCharsets.UTF_8)))
                .inNamespace(machine.namespace())
                .serverSideApply();
        return new Operation(client, machine, name);
    }

    /** The status as it stands. */
    public JsonNode status() {
        GenericKubernetesResource found = client.genericKubernetesResources(
                        "pairvm.dev/v1alpha1", "ProtectedVMOperation")
                .inNamespace(machine.namespace())
                .withName(name)
                .get();
        ObjectMapper json = new ObjectMapper();
        return found == null
                ? json.createObjectNode()
                : json.<JsonNode>valueToTree(found).path("status");
    }

    /** Waits for its success; a failure of the operation fails at once, with its evidence. */
    public void awaitSucceeded(Duration limit) {
        try {
            await("success of operation " + name).atMost(limit).until(() -> {
                String phase = status().path("phase").asText("");
                if (phase.equals("Failed")) {
                    throw new AssertionError("operation " + name + " failed: " + status().toPrettyString());
                }
                return phase.equals("Succeeded");
            });
        } catch (ConditionTimeoutException e) {
            throw new AssertionError(
                    "operation " + name + " did not end within " + limit + ": " + status().toPrettyString(), e);
        }
    }
}
