package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.machine.Machine;
import dev.pairvm.e2e.scenario.ScenarioWorld.Processes;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The standby of a protected machine hangs, and is not dead: the guest may wait for a moment, and goes on where it is. */
@Tag("long")
class FrozenStandbyE2E extends FtScenario {
    private static final Duration FROZEN = Duration.ofSeconds(8);

    @Test
    @DisplayName("the standby's QEMU hangs")
    void qemuHangs() throws Exception {
        String node = machine().standbyNode();
        hang(
                "QEMU",
                () -> assertThat(world().stop(node, Processes.QEMU)).isPositive(),
                () -> world().resume(node, Processes.QEMU));
    }

    @Test
    @DisplayName("the standby's mirror hangs")
    void mirrorHangs() throws Exception {
        String node = machine().standbyNode();
        hang(
                "mirror",
                () -> assertThat(world().stop(node, Processes.MIRROR)).isPositive(),
                () -> world().resume(node, Processes.MIRROR));
    }

    @Test
    @DisplayName("the standby's host hangs")
    void hostHangs() throws Exception {
        String node = machine().standbyNode();
        hang("host", () -> world().freezeNode(node), () -> world().thawNode(node));
    }

    private void hang(String what, Step freeze, Step thaw) throws Exception {
        Machine.Arbiter before = machine().arbiter();
        assertOneVoice(() -> {
            clients().mark();
            freeze.run();
            Thread.sleep(FROZEN);
            awaitHeard();
            assertShortGap("the standby's " + what + " hangs", GAP_LIMIT);
            thaw.run();
            awaitHeard();
            awaitProtected(PROTECTED_LIMIT);
        });
        assertThat(machine().arbiter().active()).as("the active").isEqualTo(before.active());
        assertNobodyNoticed();
    }
}
