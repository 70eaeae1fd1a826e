package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.guest.GuestClients;
import dev.pairvm.e2e.machine.Operation;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** A planned hand-over of the running guest. */
class SwitchoverE2E extends Scenario {
    /** Hand-overs, from {@code -Dpairvm.rounds}; there and back. */
    private static final int ROUNDS = Integer.getInteger("pairvm.rounds", 2);

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName(
            "the guest goes on on the other host without a reboot, and back again; no connection breaks, both copies stay in sync")
    void thereAndBack() throws Exception {
        String bootId = guestSays("bootid");
        try (GuestClients clients = new GuestClients(guestAddress())) {
            thereAndBack(clients, bootId);
            log.info("clients: {}", clients.summary());
        }
    }

    private void thereAndBack(GuestClients clients, String bootId) throws Exception {
        for (int i = 0; i < ROUNDS; i++) {
            String round = i % 2 == 0 ? "there" : "back";
            String from = machine().activeNode();
            String to = machine().standbyNode();
            watcher().resetGap();
            clients.mark();
            Operation operation = Operation.switchover(world().cluster().client(), machine(), "go-" + i);
            operation.awaitSucceeded(Duration.ofMinutes(3));
            awaitLogRuns(Duration.ofSeconds(30));
            log.info(
                    "switchover {} from {} to {}: longest silence {} ms",
                    round,
                    from,
                    to,
                    watcher().longestGap().toMillis());
            log.info("silences: {}", clients.gaps());
            machine().awaitWhole(WHOLE_LIMIT);
            assertThat(clients.connectionsLost()).as("connections lost").isZero();
            assertThat(clients.faults()).as("what a guest may never send").isEmpty();
            assertThat(clients.boots()).as("boots").isEqualTo(1);
            assertThat(machine().activeNode()).isEqualTo(to);
            assertThat(guestSays("bootid"))
                    .as("the guest was moved, not restarted")
                    .isEqualTo(bootId);
            assertNothingLost();
        }
    }
}
