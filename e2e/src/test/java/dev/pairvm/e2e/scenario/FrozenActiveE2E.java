package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.machine.Machine;
import dev.pairvm.e2e.scenario.ScenarioWorld.Processes;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The active of a protected machine hangs, and is not dead: it may not say a word any more once its twin went on. */
@Tag("long")
class FrozenActiveE2E extends FtScenario {
    private static final Duration FROZEN = Duration.ofSeconds(8);

    @Test
    @DisplayName("the active's QEMU hangs: its twin goes on, or the guest does when it is let")
    void qemuHangs() throws Exception {
        String node = machine().activeNode();
        Machine.Arbiter before = machine().arbiter();
        assertOneVoice(() -> {
            clients().mark();
            assertThat(world().stop(node, Processes.QEMU)).isPositive();
            Thread.sleep(FROZEN);
            log.info(
                    "after {} s the active is {}, was {}",
                    FROZEN.toSeconds(),
                    machine().arbiter().active(),
                    before.active());
            world().resume(node, Processes.QEMU);
            awaitHeard();
            assertShortGap("the active's QEMU hangs", FROZEN.plus(GAP_LIMIT));
            awaitProtected(PROTECTED_LIMIT);
        });
        assertNobodyNoticed();
    }

    @Test
    @DisplayName("the active's mirror hangs: the twin goes on; woken, it is silent")
    void mirrorHangs() throws Exception {
        String node = machine().activeNode();
        takeOver(
                "mirror",
                () -> assertThat(world().stop(node, Processes.MIRROR)).isPositive(),
                () -> world().resume(node, Processes.MIRROR));
    }

    @Test
    @DisplayName("the active's host hangs: the twin goes on; woken, it is silent")
    void hostHangs() throws Exception {
        String node = machine().activeNode();
        takeOver("host", () -> world().freezeNode(node), () -> world().thawNode(node));
    }

    private void takeOver(String what, Step freeze, Step thaw) throws Exception {
        Machine.Arbiter before = machine().arbiter();
        String survivor = machine().standbyNode();
        assertOneVoice(() -> {
            clients().mark();
            freeze.run();
            awaitTakeOver(before);
            awaitHeard();
            assertShortGap("the active's " + what + " hangs", GAP_LIMIT);
            Thread.sleep(FROZEN);
            thaw.run();
            awaitProtected(PROTECTED_LIMIT);
        });
        assertThat(machine().activeNode()).isEqualTo(survivor);
        assertNobodyNoticed();
    }
}
