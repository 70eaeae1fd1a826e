package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.pairvm.e2e.machine.Machine;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** The disk under the running guest dies: the guest sees nothing, and later there are two good disks again. */
class DiskFailureE2E extends Scenario {
    /** One compare-and-swap, while writes wait; generous, for the operator moves the guest in the same time. */
    private static final Duration PAUSE_LIMIT = Duration.ofSeconds(2);

    private static final Duration TOLD_LIMIT = Duration.ofSeconds(30);
    /** RAM moves over the link, under emulation. */
    private static final Duration MOVE_LIMIT = Duration.ofMinutes(2);

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName("the active's disk fails: served by the peer, moved there, and whole again on a healthy disk")
    void theActivesDiskDies() throws Exception {
        machine().patchSpec("{\"recovery\":{\"replaceLostCopyAfter\":\"10s\"}}");
        machine().awaitWhole(TOLD_LIMIT);
        String broken = machine().activeNode();
        String good = machine().standbyNode();
        String bootId = guestSays("bootid");
        String folder = volumeOf(machine().arbiter().active());

        watcher().resetGap();
        world().failWrites(broken, folder);
        machine().awaitStatus("told", TOLD_LIMIT, status -> toldOf(status, broken));
        Duration pause = watcher().longestGap();
        log.info("longest silence of the write log when the disk died: {} ms", pause.toMillis());
        assertThat(pause).isLessThan(PAUSE_LIMIT);
        assertThat(eventsOfDiskFailed()).as("events that tell of it").isPositive();

        machine()
                .awaitStatus(
                        "moved off the dead disk",
                        MOVE_LIMIT,
                        status -> status.path("active").path("node").asText().equals(good));
        // It takes writes again, and is not believed: the copy stays out and is replaced.
        world().mendWrites(broken, folder);
        machine()
                .awaitStatus(
                        "whole on a healthy disk",
                        WHOLE_LIMIT,
                        status -> Machines.conditionIs(status, "InSync", "True")
                                && !status.path("standby")
                                        .path("node")
                                        .asText("")
                                        .isEmpty()
                                && !status.path("standby").path("node").asText().equals(broken));
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(machine().activeNode()).isEqualTo(good);
        assertThat(guestSays("bootid")).as("the guest was not restarted").isEqualTo(bootId);
        assertNothingLost();
    }

    /** Redundant is False for the reason DiskFailed, and names node and disk. */
    private static boolean toldOf(JsonNode status, String node) {
        for (JsonNode condition : status.path("conditions")) {
            if (condition.path("type").asText().equals("Redundant")) {
                String message = condition.path("message").asText();
                return Machine.condition(status, "Redundant").equals("False")
                        && condition.path("reason").asText().equals("DiskFailed")
                        && message.contains(node)
                        && message.contains("disk root");
            }
        }
        return false;
    }

    private long eventsOfDiskFailed() {
        return world()
                .cluster()
                .client()
                .events()
                .v1()
                .events()
                .inNamespace(machine().namespace())
                .list()
                .getItems()
                .stream()
                .filter(event -> "DiskFailed".equals(event.getReason()))
                .count();
    }
}
