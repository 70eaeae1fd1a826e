package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** A host is lost for good: a third takes its place. */
class LostCopyReplacedE2E extends Scenario {
    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("after replaceLostCopyAfter the machine is a pair again, on a third host")
    void hostDoesNotReturn() throws Exception {
        machine().patchSpec("{\"recovery\":{\"replaceLostCopyAfter\":\"10s\"}}");
        String active = machine().activeNode();
        String lost = machine().standbyNode();

        world().killNode(lost);
        machine()
                .awaitStatus(
                        "whole on a third host",
                        WHOLE_LIMIT,
                        status -> Machines.conditionIs(status, "InSync", "True")
                                && !status.path("standby")
                                        .path("node")
                                        .asText("")
                                        .isEmpty()
                                && !status.path("standby").path("node").asText().equals(lost));
        assertThat(machine().activeNode()).isEqualTo(active);
        assertNothingLost();
    }
}
