package dev.pairvm.e2e.machine;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.awaitility.core.ConditionTimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One ProtectedVM in one namespace, driven as a user drives it: by its object. Reads the object as plain JSON, so that what the
 * API really says is tested, not what our types make of it.
 */
public final class Machine {
    private static final Logger LOG = LoggerFactory.getLogger(Machine.class);
    private static final String API_VERSION = "pairvm.dev/v1alpha1";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final KubernetesClient client;
    private final String namespace;
    private final String name;

    /** Names a machine; nothing is created yet. */
    public Machine(KubernetesClient client, String namespace, String name) {
        this.client = client;
        this.namespace = namespace;
        this.name = name;
    }

    /** Its name. */
    public String name() {
        return name;
    }

    /** Its namespace. */
    public String namespace() {
        return namespace;
    }

    private Resource<GenericKubernetesResource> resource() {
        return client.genericKubernetesResources(API_VERSION, "ProtectedVM")
                .inNamespace(namespace)
                .withName(name);
    }

    /** {@code kubectl apply} of this manifest. */
    public void apply(String yaml) {
        client.load(new ByteArrayInputStream(yaml.getBytes(StandardCharsets.UTF_8)))
                .inNamespace(namespace)
                .serverSideApply();
    }

    /** The user edits {@code spec} by a merge patch. */
    public void patchSpec(String json) {
        resource().patch(PatchContext.of(PatchType.JSON_MERGE), "{\"spec\":" + json + "}");
    }

    /** The user deletes the machine; waits until the object is gone. */
    public void delete(Duration limit) {
        resource().delete();
        await("deletion of " + name).atMost(limit).until(() -> resource().get() == null);
    }

    /** The object as it stands; an empty object if there is none. */
    public JsonNode object() {
        GenericKubernetesResource found = resource().get();
        return found == null ? JSON.createObjectNode() : JSON.valueToTree(found);
    }

    /** The status as it stands. */
    public JsonNode status() {
        return object().path("status");
    }

    /** {@code kubectl wait --for=condition=TYPE=VALUE}. */
    public void awaitCondition(String type, String value, Duration limit) {
        awaitStatus(type + "=" + value, limit, status -> condition(status, type).equals(value));
    }

    /** Waits until the status is so; the failure shows the last one. */
    public void awaitStatus(String what, Duration limit, Predicate<JsonNode> wanted) {
        long start = System.nanoTime();
        JsonNode[] last = {JSON.createObjectNode()};
        try {
            await(what + " of " + name)
                    .atMost(limit)
                    .pollInterval(Duration.ofMillis(200))
                    .ignoreExceptions()
                    .until(() -> {
                        JsonNode object = object();
                        last[0] = object;
                        return object.path("status").path("observedGeneration").asLong(-1)
                                        >= object.path("metadata")
                                                .path("generation")
                                                .asLong()
                                && wanted.test(object.path("status"));
                    });
        } catch (ConditionTimeoutException e) {
            throw new AssertionError(
                    "not " + what + " within " + limit + "; status was "
                            + last[0].path("status").toPrettyString(),
                    e);
        }
        LOG.info("{}: {} after {} ms", name, what, (System.nanoTime() - start) / 1_000_000);
    }

    /** Status of a condition: True, False, Unknown, or empty where it is not there. */
    public static String condition(JsonNode status, String type) {
        for (JsonNode condition : status.path("conditions")) {
            if (condition.path("type").asText().equals(type)) {
                return condition.path("status").asText();
            }
        }
        return "";
    }

    /** Ready, with a redundant pair. */
    public void awaitWhole(Duration limit) {
        awaitStatus(
                "whole",
                limit,
                status -> condition(status, "Ready").equals("True")
                        && condition(status, "InSync").equals("True")
                        && !activeNode(status).isEmpty()
                        && !standbyNode(status).isEmpty());
    }

    /** Node of the active by the status. */
    public String activeNode() {
        return activeNode(status());
    }

    private static String activeNode(JsonNode status) {
        return status.path("active").path("node").asText("");
    }

    /** Node of the standby by the status. */
    public String standbyNode() {
        return standbyNode(status());
    }

    private static String standbyNode(JsonNode status) {
        return status.path("standby").path("node").asText("");
    }

    /** The protection that holds now, by the status. */
    public static String effectiveLevel(JsonNode status) {
        return status.path("level").path("effective").asText("");
    }

    /** The arbiter's own word, not the operator's report of it. */
    public Arbiter arbiter() {
        Lease lease = client.leases()
                .inNamespace(namespace)
                .withName("pairvm-" + name)
                .get();
        if (lease == null) {
            throw new AssertionError("no Lease pairvm-" + name);
        }
        Map<String, String> annotations = lease.getMetadata().getAnnotations();
        return new Arbiter(
                lease.getSpec().getLeaseTransitions(),
                lease.getSpec().getHolderIdentity(),
                new TreeSet<>(Arrays.asList(
                        annotations.getOrDefault("pairvm.dev/in-sync", "").split(","))),
                annotations.getOrDefault("pairvm.dev/mode", ""));
    }

    /** A human writes the Lease, as the runbook says: one copy, active and alone in sync. */
    public void writeLease(long epoch, String active, String inSync) {
        client.leases()
                .inNamespace(namespace)
                .withName("pairvm-" + name)
                .patch(PatchContext.of(PatchType.JSON_MERGE), """
                        {"spec": {"holderIdentity": "%s", "leaseTransitions": %d},
                         "metadata": {"annotations": {"pairvm.dev/in-sync": "%s", "pairvm.dev/nonce": "by-hand-%d"}}}
                        """.formatted(active, epoch, inSync, epoch));
    }

    /** Epoch, active, in-sync set and mode by the Lease; the mode is {@code FT} where a twin may take over. */
    public record Arbiter(long epoch, String active, TreeSet<String> inSync, String mode) {}
}
