package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.cluster.Cluster.Network;
import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The active's host loses every network at once, and lives. */
class IsolatedE2E extends Scenario {
    /** The pod network's cut includes the API server and the peers. */
    private static final List<Network> ALL = List.of(Network.POD, Network.LAN, Network.MIRROR);

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("the peer takes over; when the host is back its old guest says nothing any more")
    void activeIsIsolated() throws Exception {
        Machine.Arbiter before = machine().arbiter();
        String isolated = machine().activeNode();
        String survivor = machine().standbyNode();
        FailoverTimes times = new FailoverTimes(machine(), guestAddress());

        times.startClock();
        for (Network network : ALL) {
            world().cut(isolated, network);
        }
        times.awaitNewActive(before, Duration.ofSeconds(20));
        awaitLogRuns(BOOT_LIMIT);
        String bootId = guestSays("bootid");
        assertNothingLost();

        for (Network network : ALL) {
            world().heal(isolated, network);
        }
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(machine().activeNode()).isEqualTo(survivor);
        assertThat(guestSays("bootid")).as("it is the new guest that answers").isEqualTo(bootId);
        assertThat(watcher().backwards())
                .as("no record came from the old guest")
                .isZero();
        assertNothingLost();
    }
}
