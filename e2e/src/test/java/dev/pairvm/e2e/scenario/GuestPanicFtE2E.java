package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.guest.GuestControl;
import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The guest's own death is not its host's: both twins die of it, and one machine starts again. */
@Tag("long")
class GuestPanicFtE2E extends FtScenario {
    @Test
    @DisplayName("the kernel panics: the policy restarts the guest, and it is protected again")
    void kernelPanics() throws Exception {
        restartedBy("panic");
    }

    @Test
    @DisplayName("the guest reboots itself: it does, once, and is protected again")
    void guestReboots() throws Exception {
        restartedBy("reboot");
    }

    private void restartedBy(String command) throws Exception {
        Machine.Arbiter before = machine().arbiter();
        long boots = clients().boots();
        assertThat(GuestControl.ask(guestAddress(), command)).isEqualTo("OK " + command);
        Awaitility.await("a boot after " + command)
                .atMost(BOOT_LIMIT)
                .until(() -> clients().boots() > boots);
        awaitLogRuns(Duration.ofSeconds(30));
        log.info("{}: silence {} ms", command, watcher().longestGap().toMillis());
        assertThat(wasRestarted()).isTrue();
        awaitProtected(PROTECTED_LIMIT);
        assertThat(clients().boots()).as("boots").isEqualTo(boots + 1);
        assertThat(machine().arbiter().active()).as("the host did not fail").isEqualTo(before.active());
        assertOnlyRestarted();
    }
}
