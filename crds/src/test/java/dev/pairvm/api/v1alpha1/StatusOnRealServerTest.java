package dev.pairvm.api.v1alpha1;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.CopyStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.DiskState;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.DiskStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.Failover;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.IfHostDiedNow;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.LevelStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.Side;
import dev.pairvm.testing.RealApiServer;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConditionBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Status as the operator writes it, in a real API server: nothing of it is pruned, and users see the columns they expect. */
class StatusOnRealServerTest {
    private static final VerificationRun VERIFIED = new VerificationRun(
            "2026-01-02T03:04:05.678Z",
            "2026-01-02T04:04:05.678Z",
            VerificationRun.Outcome.Complete,
            null,
            "a",
            "b",
            10L << 30,
            10L << 30,
            1L,
            1L,
            0L,
            List.of(new VerificationRun.Mismatch("root", 1L << 20, 65536, "ab".repeat(32), "zeroes")));

    private static final ProtectedVMStatus FULL = new ProtectedVMStatus(
            new LevelStatus(
                    Level.ContinuousAvailability,
                    EffectiveLevel.HighAvailability,
                    "StandbyHasNoRunner",
                    "pod orders-b has no guest"),
            new Side("a", "n1", "orders-a"),
            new Side("b", "n2", "orders-b"),
            17L,
            new IfHostDiedNow(Duration.ofMillis(600), 0L),
            new Failover(
                    "2026-01-02T03:04:05.678Z",
                    "n2",
                    "n1",
                    "PeerSilent",
                    Duration.ofMillis(480),
                    Duration.ofMillis(590),
                    16L),
            new ProtectedVMStatus.Verification(
                    "2026-01-02T03:04:05.678Z", List.of("a", "b"), "2026-01-09T03:04:05Z", VERIFIED),
            new ProtectedVMStatus.Checkpoints(
                    "2026-01-02T03:04:05Z",
                    1234L,
                    34L,
                    Duration.ofMillis(11),
                    Duration.ofMillis(45),
                    Duration.ofMillis(13_574),
                    Duration.ofMillis(210)),
            List.of(new CopyStatus(
                    "a",
                    "n1",
                    "orders-a",
                    "2026-01-02T03:04:05Z",
                    List.of(new DiskStatus("root", DiskState.InSync, "orders-a-root")))),
            List.of(condition("Ready", "True"), condition("InSync", "False")),
            4L);

    private static KubernetesClient client;
    private String namespace;

    @BeforeAll
    static void installDefinitions() {
        client = RealApiServer.shared().client();
        CrdManifests.install(client);
    }

    @AfterAll
    static void closeClient() {
        client.close();
    }

    @BeforeEach
    void aMachine() throws Exception {
        namespace = RealApiServer.shared().newNamespace(client, "status");
        client.resource(Files.readString(Path.of("src/test/resources/manifests/valid-smallest.yaml")))
                .inNamespace(namespace)
                .create();
    }

    @Test
    void everythingIsKept() {
        assertThat(write(FULL).getStatus()).isEqualTo(FULL);
    }

    @Test
    void writingStatusLeavesTheSpecAlone() {
        ProtectedVM before = machine();
        ProtectedVM changed = machine();
        changed.setStatus(FULL);
        changed.setSpec(null);

        client.resource(changed).inNamespace(namespace).patchStatus();

        assertThat(machine().getSpec()).isEqualTo(before.getSpec());
        assertThat(machine().getMetadata().getGeneration())
                .isEqualTo(before.getMetadata().getGeneration());
    }

    @Test
    void aConditionThatIsNoneIsRefused() {
        ProtectedVMStatus broken = new ProtectedVMStatus(
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                List.of(),
                List.of(condition("Ready", "Perhaps")),
                null);

        assertThatThrownBy(() -> write(broken))
                .isInstanceOf(KubernetesClientException.class)
                .hasMessageContaining("supported values: \"True\", \"False\", \"Unknown\"");
    }

    @Test
    void usersSeeWhatMatters() throws Exception {
        write(FULL);

        JsonNode table = table("protectedvms");

        assertThat(columns(table, 0))
                .containsExactly("Name", "Level", "Effective", "Active", "Standby", "InSync", "Age");
        assertThat(columns(table, 1)).containsExactly("Ready", "Reason", "Message", "Epoch", "Identical-As-Of");
        List<String> cells = new ArrayList<>();
        table.get("rows").get(0).get("cells").forEach(cell -> cells.add(cell.asText()));
        assertThat(cells)
                .startsWith("orders", "HighAvailability", "HighAvailability", "n1", "n2", "False")
                .containsSequence("True", "Because", "It is so.", "17");
        assertThat(cells.getLast()).as("an age").matches("[0-9]+[a-z0-9]*");
    }

    @Test
    void operationsKeepTheirEvidence() {
        ProtectedVMOperation operation = new ProtectedVMOperation();
        operation.getMetadata().setName("move");
        operation.setSpec(new ProtectedVMOperationSpec(
                "orders", ProtectedVMOperationSpec.OperationType.Switchover, Duration.ofHours(1)));
        ProtectedVMOperation stored =
                client.resource(operation).inNamespace(namespace).create();
        ProtectedVMOperationStatus status = new ProtectedVMOperationStatus(
                ProtectedVMOperationStatus.Phase.Succeeded,
                "2026-01-02T03:04:05Z",
                "2026-01-02T03:04:06Z",
                "The guest moved.",
                new ProtectedVMOperationStatus.Evidence(
                        "a", "b", "n1", "n2", 17L, 18L, Duration.ofMillis(40), VERIFIED),
                List.of(condition("Succeeded", "True")),
                1L);
        stored.setStatus(status);

        assertThat(client.resource(stored).inNamespace(namespace).updateStatus().getStatus())
                .isEqualTo(status);
        assertThat(stored.getSpec()).isEqualTo(operation.getSpec());
    }

    private ProtectedVM write(ProtectedVMStatus status) {
        ProtectedVM machine = machine();
        machine.setStatus(status);
        client.resource(machine).inNamespace(namespace).updateStatus();
        return machine();
    }

    private ProtectedVM machine() {
        return client.resources(ProtectedVM.class)
                .inNamespace(namespace)
                .withName("orders")
                .require();
    }

    private JsonNode table(String plural) throws Exception {
        HttpResponse<String> response = client.getHttpClient()
                .sendAsync(
                        client.getHttpClient()
                                .newHttpRequestBuilder()
                                .uri(client.getMasterUrl() + "apis/pairvm.dev/v1alpha1/namespaces/" + namespace + "/"
                                        + plural)
                                .header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
                                .build(),
                        String.class)
                .get(30, TimeUnit.SECONDS);
        return new ObjectMapper().readTree(response.body());
    }

    private static List<String> columns(JsonNode table, int priority) {
        List<String> names = new ArrayList<>();
        table.get("columnDefinitions").forEach(column -> {
            if (column.get("priority").asInt() == priority) {
                names.add(column.get("name").asText());
            }
        });
        return names;
    }

    private static Condition condition(String type, String status) {
        return new ConditionBuilder()
                .withType(type)
                .withStatus(status)
                .withReason("Because")
                .withMessage("It is so.")
                .withLastTransitionTime("2026-01-02T03:04:05Z")
                .withObservedGeneration(4L)
                .build();
    }
}
