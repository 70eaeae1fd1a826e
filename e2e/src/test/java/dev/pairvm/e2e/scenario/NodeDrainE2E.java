package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.client.KubernetesClient;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** An administrator drains the active's node. */
class NodeDrainE2E extends Scenario {
    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("the guest is switched over before its pod may be evicted, without a reboot")
    void activeNodeIsDrained() throws Exception {
        String bootId = guestSays("bootid");
        String drained = machine().activeNode();
        String other = machine().standbyNode();
        KubernetesClient client = world().cluster().client();
        try {
            client.nodes().withName(drained).edit(node -> {
                node.getSpec().setUnschedulable(true);
                return node;
            });
            machine()
                    .awaitStatus(
                            "active on " + other,
                            Duration.ofMinutes(2),
                            status ->
                                    status.path("active").path("node").asText().equals(other));
            awaitLogRuns(Duration.ofSeconds(30));
            assertThat(guestSays("bootid")).as("moved, not restarted").isEqualTo(bootId);
            assertNothingLost();
        } finally {
            client.nodes().withName(drained).edit(node -> {
                node.getSpec().setUnschedulable(false);
                return node;
            });
        }
        machine().awaitWhole(WHOLE_LIMIT);
        assertNothingLost();
    }
}
