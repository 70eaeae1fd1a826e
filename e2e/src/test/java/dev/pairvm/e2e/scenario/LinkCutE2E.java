package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.cluster.Cluster;
import dev.pairvm.e2e.cluster.Cluster.Network;
import dev.pairvm.e2e.machine.Machine;
import dev.pairvm.e2e.machine.Manifest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The mirrors of two healthy hosts can not hear each other. */
class LinkCutE2E extends Scenario {
    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("one of two networks cut: nothing happens, the pair stays in sync")
    void oneNetworkCut() throws Exception {
        Machine.Arbiter before = machine().arbiter();
        String standby = machine().standbyNode();

        world().cut(standby, Network.MIRROR);
        awaitLogRuns(Duration.ofSeconds(5));
        Thread.sleep(Duration.ofSeconds(3));

        assertThat(machine().arbiter())
                .as("neither epoch nor in-sync set moved")
                .isEqualTo(before);
        world().heal(standby, Network.MIRROR);
        assertNothingLost();
    }

    @Test
    @DisplayName("all mirror paths cut while the API is reachable: the active carries on alone, no second one answers")
    void allPathsCut() throws Exception {
        Machine.Arbiter before = machine().arbiter();
        String active = machine().activeNode();
        String standby = machine().standbyNode();
        Path capture = Files.createTempFile("pairvm-link-cut", ".pcap");

        try (Cluster.Capture running = world().cluster().captureLan(capture)) {
            cutMirrorPaths(standby);
            machine()
                    .awaitStatus(
                            "alone",
                            Duration.ofSeconds(30),
                            status -> Machines.conditionIs(status, "Redundant", "False"));
            awaitLogRuns(Duration.ofSeconds(5));
        }
        assertThat(machine().arbiter().active()).isEqualTo(before.active());
        assertThat(LanFrames.of(capture).sendersOf(Manifest.MAC))
                .as("one side only is heard on the LAN")
                .hasSizeLessThanOrEqualTo(1);
        healMirrorPaths(standby);
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(machine().activeNode()).isEqualTo(active);
        assertNothingLost();
    }

    @Test
    @DisplayName(
            "all paths cut and the API out of the active's reach: the peer takes over, the old active falls silent first")
    void pathsAndApiOfTheActiveCut() throws Exception {
        Machine.Arbiter before = machine().arbiter();
        String active = machine().activeNode();
        String standby = machine().standbyNode();
        FailoverTimes times = new FailoverTimes(machine(), guestAddress());

        Path capture = Files.createTempFile("pairvm-take-over", ".pcap");
        try (Cluster.Capture running = world().cluster().captureLan(capture)) {
            awaitLogRuns(Duration.ofSeconds(5));
            times.startClock();
            world().cut(active, Network.API);
            cutMirrorPaths(active);
            times.awaitNewActive(before, Duration.ofSeconds(20));
            awaitLogRuns(BOOT_LIMIT);
        }
        LanFrames frames = LanFrames.of(capture);
        assertThat(frames.sendersOf(Manifest.MAC))
                .as("hosts that spoke for the machine")
                .hasSize(2);
        assertThat(frames.lateOf(Manifest.MAC))
                .as("frames of the old active after the new one's first")
                .isEmpty();
        assertNothingLost();

        healMirrorPaths(active);
        world().heal(active, Network.API);
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(machine().activeNode()).isEqualTo(standby);
        assertNothingLost();
    }

    private void cutMirrorPaths(String node) {
        world().cut(node, Network.MIRROR);
        world().cut(node, Network.PEERS);
    }

    private void healMirrorPaths(String node) {
        world().heal(node, Network.PEERS);
        world().heal(node, Network.MIRROR);
    }
}
