package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.pairvm.e2e.machine.Machine;
import dev.pairvm.e2e.machine.Operation;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Bytes rot on the standby's disk: a comparison finds them, tells both hashes, and repairs them while the guest works. */
class VerifyE2E extends Scenario {
    private static final Duration VERIFY_LIMIT = Duration.ofMinutes(3);
    private static final Duration TOLD_LIMIT = Duration.ofSeconds(30);
    /** Of the write log; a comparison holds one range at a time, and gives way. Generous, for the whole lab shares the processors. */
    private static final Duration GAP_LIMIT = Duration.ofSeconds(2);

    @Override
    String level() {
        return "ContinuousAvailability";
    }

    @Test
    @DisplayName(
            "the standby's disk rots: found with both hashes, repaired, and the machine is known to be identical again")
    void theStandbysDiskRots() throws Exception {
        String bootId = guestSays("bootid");
        String standby = machine().arbiter().inSync().stream()
                .filter(copy -> !copy.equals(machine().arbiter().active()))
                .findFirst()
                .orElseThrow();
        String node = machine().standbyNode();
        long at = world().rot(node, volumeOf(standby));
        Instant rotted = Instant.now();

        watcher().resetGap();
        Operation first = Operation.verify(world().cluster().client(), machine(), "verify-rot");
        first.awaitSucceeded(VERIFY_LIMIT);
        awaitLogRuns(Duration.ofSeconds(30));
        Duration gap = watcher().longestGap();

        JsonNode found = first.status().path("evidence").path("verification");
        log.info("longest silence of the write log while verifying: {} ms; evidence {}", gap.toMillis(), found);
        assertThat(gap).isLessThan(GAP_LIMIT);
        assertThat(found.path("mismatches").asLong()).isEqualTo(1);
        assertThat(found.path("repaired").asLong()).isEqualTo(1);
        assertThat(found.path("bytesCompared").asLong())
                .isEqualTo(found.path("bytesTotal").asLong());
        JsonNode place = found.path("found").path(0);
        assertThat(place.path("disk").asText()).isEqualTo("root");
        assertThat(at)
                .isBetween(
                        place.path("offset").asLong(),
                        place.path("offset").asLong() + place.path("length").asLong() - 1);
        assertThat(place.path("activeHash").asText())
                .isNotEqualTo(place.path("standbyHash").asText());
        assertThat(place.path("standbyHash").asText()).matches("[0-9a-f]{64}");

        machine()
                .awaitStatus(
                        "told",
                        TOLD_LIMIT,
                        status -> Machine.condition(status, "Verified").equals("False")
                                && asOf(status).isAfter(rotted.minusSeconds(1)));
        assertThat(eventsOf("MismatchRepaired")).as("events that tell of it").isPositive();

        Operation second = Operation.verify(world().cluster().client(), machine(), "verify-again");
        second.awaitSucceeded(VERIFY_LIMIT);
        assertThat(second.status()
                        .path("evidence")
                        .path("verification")
                        .path("mismatches")
                        .asLong(-1))
                .isZero();
        machine()
                .awaitStatus(
                        "found equal",
                        TOLD_LIMIT,
                        status -> Machine.condition(status, "Verified").equals("True"));
        machine().awaitWhole(WHOLE_LIMIT);
        assertThat(guestSays("bootid")).as("the guest was not restarted").isEqualTo(bootId);
        assertNothingLost();
    }

    private static Instant asOf(JsonNode status) {
        String at = status.path("verification").path("identicalAsOf").asText("");
        return at.isEmpty() ? Instant.EPOCH : Instant.parse(at);
    }

    private long eventsOf(String reason) {
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
                .filter(event -> reason.equals(event.getReason()))
                .count();
    }
}
