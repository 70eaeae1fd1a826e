package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The standby's host dies: the guest may wait for a moment, and sees no error. */
class PeerLossE2E extends Scenario {
    private static final Duration PAUSE_LIMIT = Duration.ofSeconds(1);

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("the guest's writes pause for less than a second, and the returned host is resynced")
    void peerDies() throws Exception {
        String active = machine().activeNode();
        String lost = machine().standbyNode();
        String bootId = guestSays("bootid");

        watcher().resetGap();
        world().killNode(lost);
        machine()
                .awaitStatus(
                        "without its standby",
                        Duration.ofSeconds(60),
                        status -> Machines.conditionIs(status, "Redundant", "False"));
        Duration pause = watcher().longestGap();
        log.info("longest silence of the write log when the peer died: {} ms", pause.toMillis());
        assertThat(pause).isLessThan(PAUSE_LIMIT);
        assertThat(machine().activeNode()).isEqualTo(active);
        assertMetricsTell();

        world().startNode(lost);
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(guestSays("bootid")).as("the guest was not restarted").isEqualTo(bootId);
        assertNothingLost();
    }

    /** What the active's mirror counts of its link, its arbiter and its time alone. */
    private void assertMetricsTell() throws IOException {
        Mirrors mirrors = new Mirrors(world().cluster().client(), machine());
        String active = machine().arbiter().active();
        for (String counted : List.of(
                "pairvm_mirror_link_frames_total{direction=\"out\",}",
                "pairvm_mirror_link_frames_total{direction=\"in\",}",
                "pairvm_mirror_link_bytes_total{direction=\"out\",}",
                "pairvm_mirror_beacons_total{outcome=\"sent\",}",
                "pairvm_mirror_beacons_total{outcome=\"received\",}",
                "pairvm_mirror_arbiter_calls_total{operation=\"compare_and_swap\",outcome=\"Applied\",}",
                "pairvm_mirror_alone_seconds_total")) {
            assertThat(mirrors.sample(active, counted)).as(counted).isPositive();
        }
        assertThat(mirrors.sample(active, "pairvm_mirror_copies_in_sync")).isEqualTo(1);
    }
}
