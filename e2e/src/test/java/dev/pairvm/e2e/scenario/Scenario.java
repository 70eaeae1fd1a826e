package dev.pairvm.e2e.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.pairvm.e2e.guest.GuestControl;
import dev.pairvm.e2e.guest.GuestLog;
import dev.pairvm.e2e.guest.WriteLogWatcher;
import dev.pairvm.e2e.machine.Machine;
import dev.pairvm.e2e.machine.Manifest;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import java.io.IOException;
import java.time.Duration;
import java.util.Locale;
import java.util.Objects;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Ground of every scenario: a namespace of its own, one machine with the write log running, repairs at the end. */
@ExtendWith(FailureReport.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class Scenario {
    /** Import, two pods, boot and first resync, on two slow cores. */
    static final Duration CREATE_LIMIT = Duration.ofMinutes(4);

    /** A returned host, or a new copy, until the pair is whole. */
    static final Duration WHOLE_LIMIT = Duration.ofMinutes(3);

    /** A guest that boots again under emulation. */
    static final Duration BOOT_LIMIT = Duration.ofSeconds(90);

    final Logger log = LoggerFactory.getLogger(getClass());
    private final String namespace =
            "e2e-" + getClass().getSimpleName().replaceAll("E2E$", "").toLowerCase(Locale.ROOT);

    private @Nullable ScenarioWorld worldOrNothing;
    private @Nullable Machine machineOrNothing;
    private @Nullable WriteLogWatcher watcherOrNothing;

    /** The level that this scenario is about. */
    abstract String level();

    @BeforeAll
    void createMachine() throws IOException {
        worldOrNothing = new ScenarioWorld();
        // A namespace of an earlier run may still be on its way out; nothing can be made in it.
        Awaitility.await("the end of an earlier namespace " + namespace)
                .atMost(Duration.ofMinutes(2))
                .until(() -> {
                    Namespace found = world().cluster()
                            .client()
                            .namespaces()
                            .withName(namespace)
                            .get();
                    return found == null || found.getMetadata().getDeletionTimestamp() == null;
                });
        world().cluster()
                .client()
                .namespaces()
                .resource(new NamespaceBuilder()
                        .withNewMetadata()
                        .withName(namespace)
                        .endMetadata()
                        .build())
                .serverSideApply();
        machineOrNothing = new Machine(world().cluster().client(), namespace, "orders");
        // Of a run that was killed: its disks have another source, which can not change.
        machine().delete(Duration.ofMinutes(2));
        machine().apply(Manifest.of("orders", level(), guestAddress(), world().image()));
        watcherOrNothing = new WriteLogWatcher(guestAddress());
        machine().awaitWhole(CREATE_LIMIT);
        awaitLogRuns(BOOT_LIMIT);
    }

    @AfterEach
    void repair() {
        world().repair();
    }

    @AfterAll
    void removeMachine() {
        if (watcherOrNothing != null) {
            watcherOrNothing.close();
        }
        if (machineOrNothing != null) {
            machineOrNothing.delete(Duration.ofMinutes(2));
        }
        if (worldOrNothing != null) {
            worldOrNothing.cluster().client().namespaces().withName(namespace).delete();
            worldOrNothing.close();
        }
    }

    /** Whether it came so far. */
    boolean hasMachine() {
        return machineOrNothing != null;
    }

    ScenarioWorld world() {
        return Objects.requireNonNull(worldOrNothing);
    }

    Machine machine() {
        return Objects.requireNonNull(machineOrNothing);
    }

    WriteLogWatcher watcher() {
        return Objects.requireNonNull(watcherOrNothing);
    }

    /** What the test guest answers to a command, within the patience of a reconnecting client. */
    String guestSays(String command) {
        return Awaitility.await("the guest's answer to " + command)
                .atMost(BOOT_LIMIT)
                .ignoreExceptionsInstanceOf(IOException.class)
                .until(() -> GuestControl.ask(guestAddress(), command), answer -> !answer.isEmpty());
    }

    String guestAddress() {
        return "10.79.200.1";
    }

    /** Waits until a record is announced that was not before. */
    void awaitLogRuns(Duration limit) {
        long before = watcher().announced();
        Awaitility.await("the guest's write log goes on")
                .atMost(limit)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> watcher().announced() > before);
    }

    /** The promise: each record that was ever announced is on the disk the guest has now, and the guest never saw an error. */
    void assertNothingLost() throws IOException {
        long announced = watcher().announced();
        GuestLog.Verdict verdict = GuestLog.verify(guestAddress());
        log.info("announced {}, on disk {}", announced, verdict);
        assertThat(verdict.last()).as("last record on disk").isGreaterThanOrEqualTo(announced);
        assertThat(verdict.holes()).as("holes in the log").isZero();
        assertThat(verdict.damaged()).as("damaged records").isZero();
        assertThat(verdict.ioErrors()).as("unreadable records").isZero();
        assertThat(watcher().ioErrors()).as("I/O errors in the guest").isZero();
        assertThat(watcher().backwards()).as("records announced twice").isZero();
    }

    /** Where the volume of a copy's disk lies on its node. */
    String volumeOf(String copy) {
        var client = world().cluster().client();
        for (JsonNode status : machine().status().path("copies")) {
            if (status.path("name").asText().equals(copy)) {
                String claim = status.path("disks").path(0).path("claim").asText();
                String volume = client.persistentVolumeClaims()
                        .inNamespace(machine().namespace())
                        .withName(claim)
                        .require()
                        .getSpec()
                        .getVolumeName();
                return client.persistentVolumes()
                        .withName(volume)
                        .require()
                        .getSpec()
                        .getLocal()
                        .getPath();
            }
        }
        throw new AssertionError("no copy " + copy + " in the status");
    }
}
