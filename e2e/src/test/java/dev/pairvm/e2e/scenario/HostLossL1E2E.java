package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The active's host dies at HighAvailability: no QEMU waits on the other host, a pod with one is made. */
class HostLossL1E2E extends Scenario {
    @Override
    String level() {
        return "HighAvailability";
    }

    @Test
    @DisplayName("a new pod boots the guest on the other host, with every announced record")
    void hostDies() throws Exception {
        String lost = machine().activeNode();
        String survivor = machine().standbyNode();
        Machine.Arbiter before = machine().arbiter();
        FailoverTimes times = new FailoverTimes(machine(), guestAddress());

        times.startClock();
        world().killNode(lost);
        Duration declared = times.awaitNewActive(before, Duration.ofSeconds(20));
        awaitLogRuns(BOOT_LIMIT);
        log.info(
                "new active recorded after {} ms, log runs after {} ms",
                declared.toMillis(),
                times.sinceStart().toMillis());

        assertNothingLost();
        world().startNode(lost);
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(machine().activeNode()).isEqualTo(survivor);
        assertNothingLost();
    }
}
