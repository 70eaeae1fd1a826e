package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.pairvm.e2e.cluster.Cluster;
import dev.pairvm.e2e.guest.GuestClients;
import dev.pairvm.e2e.guest.GuestControl;
import dev.pairvm.e2e.machine.Machine;
import dev.pairvm.e2e.machine.Manifest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

/**
 * Ground of every scenario of FaultTolerance: a guest whose memory is checked and changes all the time, and steady clients that were there
 * before its twin was. What they see is the verdict.
 */
abstract class FtScenario extends Scenario {
    static final String FAULT_TOLERANCE = "FaultTolerance";
    static final String CONTINUOUS = "ContinuousAvailability";

    /** The twin's start, with all that the pair needs before it. */
    static final Duration PROTECTED_LIMIT = Duration.ofMinutes(4);

    /** Of a client that only listens. Generous: two cores run three hosts and two guests; the budget is 0.6 s, and each gap is printed. */
    static final Duration GAP_LIMIT = Duration.ofSeconds(5);

    /** Declaration of a death, and the arbiter's word. */
    static final Duration TAKE_OVER_LIMIT = Duration.ofSeconds(20);

    /** A client that asks waits until its own kernel sends again, which takes as long as the silence did. */
    private static final Duration HEARD_LIMIT = Duration.ofSeconds(90);

    private static final Duration HEARD = Duration.ofSeconds(1);
    private static final Duration MEMORY_LIMIT = Duration.ofMinutes(2);
    private static final int SOME_FRAMES_BYTES = 20_000;
    private static final int FILL_MIB = 24;
    private static final int DIRTY_MIB_PER_S = 2;

    private @Nullable GuestClients clientsOrNothing;
    private Calm calm = new Calm(0, 0, 0, "", 0);

    /** What was so when a test began. */
    private record Calm(long lost, int faults, long boots, String bootId, double uptime) {}

    @Override
    String level() {
        return FAULT_TOLERANCE;
    }

    @BeforeAll
    void beginClients() {
        clientsOrNothing = new GuestClients(guestAddress());
        awaitHeard();
        if (level().equals(FAULT_TOLERANCE)) {
            awaitProtected(PROTECTED_LIMIT);
        }
        // A connection that began after the twin did: its first packets were the twin's, too.
        clients().addSequence();
        awaitHeard();
    }

    @BeforeEach
    void rememberGuest() {
        if (level().equals(FAULT_TOLERANCE)) {
            awaitProtected(PROTECTED_LIMIT);
        }
        awaitHeard();
        rememberNow();
    }

    /** From here on nothing may be noticed; what was before does not count any more. */
    final void rememberNow() {
        loadMemory();
        calm = new Calm(
                clients().connectionsLost(),
                clients().faults().size(),
                clients().boots(),
                guestSays("bootid"),
                uptime());
        clients().mark();
        watcher().resetGap();
    }

    /** Pages that know what they hold, and change; a guest that was restarted has forgotten them. */
    final void loadMemory() {
        assertThat(guestSays("fill " + FILL_MIB)).isEqualTo("OK fill " + FILL_MIB);
        assertThat(guestSays("dirty " + DIRTY_MIB_PER_S)).isEqualTo("OK dirty " + DIRTY_MIB_PER_S);
    }

    @AfterAll
    void endClients() {
        if (clientsOrNothing != null) {
            clientsOrNothing.close();
            log.info("clients: {}", clientsOrNothing.summary());
        }
    }

    GuestClients clients() {
        return Objects.requireNonNull(clientsOrNothing);
    }

    Mirrors mirrors() {
        return new Mirrors(world().cluster().client(), machine());
    }

    static boolean isProtected(JsonNode status) {
        return Machine.effectiveLevel(status).equals(FAULT_TOLERANCE)
                && Machines.conditionIs(status, "InSync", "True")
                && !status.path("standby").path("node").asText("").isEmpty();
    }

    /** Waits until the status promises level 3; a failure tells what both mirrors say of the twin. */
    void awaitProtected(Duration limit) {
        try {
            machine().awaitStatus("protected", limit, FtScenario::isProtected);
        } catch (AssertionError e) {
            for (String copy : mirrors().pods().keySet()) {
                log.error("copy {} says of the twin: {}", copy, mirrors().twin(copy));
            }
            throw e;
        }
    }

    void awaitEffective(String level, Duration limit) {
        machine()
                .awaitStatus(
                        "at " + level,
                        limit,
                        status -> Machine.effectiveLevel(status).equals(level));
    }

    /** Waits until each steady client hears its guest. */
    void awaitHeard() {
        Awaitility.await("every client hears the guest")
                .atMost(HEARD_LIMIT)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> clients().hear(HEARD));
    }

    private double uptime() {
        return Double.parseDouble(guestSays("uptime").replace("OK uptime ", ""));
    }

    /** Each client heard a machine that nothing ever happened to, but for silences. */
    void assertNobodyNoticed() throws IOException {
        awaitHeard();
        log.info(
                "silences: {}; write log {} ms",
                clients().gaps(),
                watcher().longestGap().toMillis());
        assertThat(clients().faults()).as("what a guest may never send").hasSize(calm.faults());
        assertThat(clients().connectionsLost()).as("connections lost").isEqualTo(calm.lost());
        assertThat(clients().boots()).as("boots").isEqualTo(calm.boots());
        assertThat(guestSays("bootid")).as("the guest's boot").isEqualTo(calm.bootId());
        assertThat(uptime()).as("the guest's uptime").isGreaterThan(calm.uptime());
        assertThat(Neighbours.macOf(guestAddress())).isEqualTo(Manifest.MAC);
        assertMemoryIsRight();
        assertNothingLost();
    }

    /** The guest may have been restarted, and its clients with it; what they heard must be right all the same. */
    void assertOnlyRestarted() throws IOException {
        awaitHeard();
        assertThat(clients().faults()).as("what a guest may never send").hasSize(calm.faults());
        assertNothingLost();
    }

    void assertMemoryIsRight() throws IOException {
        assertThat(GuestControl.ask(guestAddress(), "memcheck", MEMORY_LIMIT))
                .as("the guest's memory, page by page")
                .startsWith("OK memory pages=" + FILL_MIB * 256 + " bad=0");
    }

    /** Whether the guest is another than when the test began. */
    boolean wasRestarted() {
        return !guestSays("bootid").equals(calm.bootId());
    }

    /** A step that may throw anything. */
    interface Step {
        void run() throws Exception;
    }

    /** Does this while every frame on the LAN is recorded: one host at a time spoke for the machine, in one name, and none twice. */
    void assertOneVoice(Step step) throws Exception {
        Path capture = Files.createTempFile("pairvm-ft", ".pcap");
        try {
            try (Cluster.Capture running = world().cluster().captureLan(capture)) {
                // It is not there at once; without frames of the one before, nothing is shown by frames of the next.
                Awaitility.await("the capture's first frames")
                        .atMost(Duration.ofSeconds(20))
                        .until(() -> Files.size(capture) > SOME_FRAMES_BYTES);
                step.run();
            }
            LanFrames frames = LanFrames.of(capture);
            assertThat(frames.lateOf(Manifest.MAC))
                    .as("frames of the old active after the new one's first")
                    .isEmpty();
            assertThat(frames.addressesOf(Manifest.MAC)).isEqualTo(Set.of(guestAddress()));
            log.info(
                    "ports of the switch that the machine spoke at, in order: {}; silent between them for {} ms",
                    frames.sendersOf(Manifest.MAC),
                    frames.silencesBetweenNodes(Manifest.MAC));
        } finally {
            Files.deleteIfExists(capture);
        }
    }

    /** The gap of the client that only listens, since the last mark; printed, and below the bound. */
    Duration assertShortGap(String what, Duration limit) {
        Duration gap = clients().gap();
        log.info("{}: gap {} ms", what, gap.toMillis());
        assertThat(gap).as("gap: %s", what).isLessThan(limit);
        return gap;
    }

    /** Waits until the arbiter names another active. */
    void awaitTakeOver(Machine.Arbiter before) {
        FailoverTimes times = new FailoverTimes(machine(), guestAddress());
        times.startClock();
        Duration took = times.awaitNewActive(before, TAKE_OVER_LIMIT);
        log.info("another active is recorded {} ms later", took.toMillis());
        logTransition();
    }

    /** Where the time of the last take-over went, by the mirror that took over. */
    void logTransition() {
        try {
            log.info(
                    "the active's mirror says {}",
                    mirrors().report(machine().arbiter().active()).path("lastTransition"));
        } catch (IOException | AssertionError e) {
            log.info("the active's mirror says nothing of its take-over: {}", e.toString());
        }
    }

    /** What the active's mirror says of its twin. */
    JsonNode twinOfActive() {
        return mirrors().twin(machine().arbiter().active());
    }
}
