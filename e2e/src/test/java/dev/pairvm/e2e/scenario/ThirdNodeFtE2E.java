package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The standby's host is lost for good. */
@Tag("long")
class ThirdNodeFtE2E extends FtScenario {
    @Test
    @DisplayName("after replaceLostCopyAfter a third host takes its place, and the machine is protected again")
    void hostDoesNotReturn() throws Exception {
        machine().patchSpec("{\"recovery\":{\"replaceLostCopyAfter\":\"10s\"}}");
        awaitProtected(PROTECTED_LIMIT);
        String active = machine().activeNode();
        String lost = machine().standbyNode();

        clients().mark();
        world().killNode(lost);
        machine()
                .awaitStatus(
                        "protected by a third host",
                        PROTECTED_LIMIT,
                        status -> isProtected(status)
                                && !status.path("standby").path("node").asText().equals(lost));
        awaitHeard();
        assertShortGap("a third host", GAP_LIMIT);
        assertThat(machine().activeNode()).isEqualTo(active);
        assertNobodyNoticed();
    }
}
