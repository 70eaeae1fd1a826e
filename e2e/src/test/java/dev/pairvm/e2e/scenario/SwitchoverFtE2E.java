package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.machine.Operation;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A planned hand-over of a guest that has a twin. */
// Of the CI subset, once the mirror takes the order for a twin.
@Tag("long")
class SwitchoverFtE2E extends FtScenario {
    private static final Duration MOVE_LIMIT = Duration.ofMinutes(3);

    @Test
    @DisplayName("the guest goes on on the other host, and back again; each time it is protected again by itself")
    void thereAndBack() throws Exception {
        for (String round : new String[] {"there", "back"}) {
            String to = machine().standbyNode();
            assertOneVoice(() -> {
                clients().mark();
                Operation.switchover(world().cluster().client(), machine(), "go-" + round)
                        .awaitSucceeded(MOVE_LIMIT);
                awaitHeard();
                assertShortGap("switchover " + round, GAP_LIMIT);
            });
            awaitProtected(PROTECTED_LIMIT);
            assertThat(machine().activeNode()).isEqualTo(to);
            assertNobodyNoticed();
        }
    }

    @Test
    @DisplayName("the active's node is drained: the guest is moved first; protected again when the node is back")
    void activeNodeIsDrained() throws Exception {
        String drained = machine().activeNode();
        String other = machine().standbyNode();
        clients().mark();
        setUnschedulable(drained, true);
        try {
            machine()
                    .awaitStatus(
                            "active on " + other,
                            MOVE_LIMIT,
                            status ->
                                    status.path("active").path("node").asText().equals(other));
            awaitHeard();
            assertShortGap("drain", GAP_LIMIT);
        } finally {
            setUnschedulable(drained, false);
        }
        awaitProtected(PROTECTED_LIMIT);
        assertNobodyNoticed();
    }

    private void setUnschedulable(String name, boolean value) {
        KubernetesClient client = world().cluster().client();
        client.nodes().withName(name).edit(node -> {
            node.getSpec().setUnschedulable(value);
            return node;
        });
    }
}
