package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.e2e.machine.Machine;
import java.io.IOException;
import java.time.Duration;
import java.util.SortedMap;

/** What an attack must not move: the arbiter's record, the guest's boot, the mirrors' processes. And the write log must move on. */
record StandStill(Machine.Arbiter arbiter, String bootId, SortedMap<String, String> lives) {
    /** Beyond any pause that an attack may cause; the guest writes 50 records a second. */
    private static final Duration LOG_LIMIT = Duration.ofSeconds(5);

    static StandStill of(Scenario scenario, Mirrors mirrors) throws IOException {
        return new StandStill(scenario.machine().arbiter(), scenario.guestSays("bootid"), mirrors.lives());
    }

    /** Quick: for after each single attack. */
    void assertHeld(Scenario scenario, String attack) {
        assertThat(scenario.machine().arbiter())
                .as("the arbiter's record after: %s", attack)
                .isEqualTo(arbiter);
        assertThat(scenario.watcher().ioErrors())
                .as("I/O errors in the guest after: %s", attack)
                .isZero();
        scenario.awaitLogRuns(LOG_LIMIT);
    }

    /** Thorough: for the end of a test. */
    void assertHeld(Scenario scenario, Mirrors mirrors) throws IOException {
        assertHeld(scenario, "everything");
        assertThat(mirrors.lives()).as("the mirrors' processes").isEqualTo(lives);
        assertThat(scenario.guestSays("bootid")).as("the guest's boot").isEqualTo(bootId);
        scenario.assertNothingLost();
    }
}
