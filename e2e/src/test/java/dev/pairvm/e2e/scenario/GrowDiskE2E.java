package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.machine.Machine;
import dev.pairvm.e2e.machine.Manifest;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The user raises {@code spec.disks[].size} of a machine that runs. */
class GrowDiskE2E extends Scenario {
    private static final long MIB = 1L << 20;
    private static final long LARGE_MIB = 1024;
    private static final Duration GROWN_LIMIT = Duration.ofMinutes(2);

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    /** Writes to the last page: only for a disk that has grown, for the log fills the one that it began with. */
    private long diskEnd() {
        String answer = guestSays("diskend");
        assertThat(answer).startsWith("OK diskend ");
        return Long.parseLong(answer.substring("OK diskend ".length()).strip());
    }

    @Test
    @DisplayName("the running guest sees the larger disk, both copies stay in sync, and the other host boots with it")
    void growsUnderTheGuest() throws Exception {
        String bootId = guestSays("bootid");
        Machine.Arbiter arbiter = machine().arbiter();
        watcher().resetGap();

        String manifest = Manifest.of("orders", level(), guestAddress(), world().image());
        machine().apply(manifest.replaceFirst("size: [0-9]+Mi", "size: " + LARGE_MIB + "Mi"));
        machine()
                .awaitStatus(
                        "growing",
                        GROWN_LIMIT,
                        status -> Machine.condition(status, "DiskGrowth").equals("True"));
        Awaitility.await("the guest's driver sees it")
                .atMost(GROWN_LIMIT)
                .pollInterval(Duration.ofMillis(200))
                .until(this::diskEnd, bytes -> bytes == LARGE_MIB * MIB);
        log.info(
                "grown to {} MiB, longest silence of the write log {} ms",
                LARGE_MIB,
                watcher().longestGap().toMillis());
        assertThat(guestSays("bootid")).as("the guest ran on").isEqualTo(bootId);
        assertThat(machine().arbiter()).as("nobody left the pair").isEqualTo(arbiter);
        awaitLogRuns(Duration.ofSeconds(10));
        assertNothingLost();

        String lost = machine().activeNode();
        String survivor = machine().standbyNode();
        world().killNode(lost);
        Awaitility.await("another active")
                .atMost(Duration.ofSeconds(30))
                .ignoreExceptions()
                .until(() -> machine().arbiter().epoch() > arbiter.epoch());
        awaitLogRuns(BOOT_LIMIT);
        assertThat(diskEnd()).as("on the other host").isEqualTo(LARGE_MIB * MIB);
        assertNothingLost();
        world().startNode(lost);
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(machine().activeNode()).isEqualTo(survivor);
        assertNothingLost();
    }
}
