package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pairvm.mirror.guest.ActivePhase.Outcome;
import dev.pairvm.mirror.guest.FakeQemu.Fault;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.SoftAssertions;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The active's side with a QEMU that is silent, refuses, hangs, dies or says things in the wrong order, at every step of its way. */
class ColoActiveTest {
    private static final ColoLimits SHORT = new ColoLimits(
            Duration.ofMillis(1500),
            Duration.ofMillis(500),
            Duration.ofSeconds(20),
            Duration.ofMillis(2500),
            Duration.ofMillis(2500),
            Duration.ofMillis(300),
            Duration.ofSeconds(20));
    private static final Duration SECOND = Duration.ofSeconds(1);

    @TempDir
    Path directory;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
    private int ports;

    @AfterEach
    void cleanUp() throws Exception {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    /** One guest with one card. */
    private final class Case implements AutoCloseable, ColoActive.Listener {
        final FakePort port;
        final ColoActive side;
        final List<Object> told = new ArrayList<>();

        Case() throws Exception {
            synchronized (ColoActiveTest.this) {
                port = new FakePort(directory.resolve("q" + ports++), group.next());
            }
            side = new ColoActive(port, new TwinSockets(directory, 1), SHORT, this);
        }

        CompletableFuture<Void> protecting() {
            return port.on(() -> side.protect(Duration.ofMillis(100), SECOND));
        }

        Case protectedGuest() throws Exception {
            port.connect();
            port.get(() -> side.protect(Duration.ofMillis(100), SECOND));
            assertThat(side.phase()).isInstanceOf(ActivePhase.Running.class);
            return this;
        }

        ActivePhase phase() throws Exception {
            return port.get(() -> CompletableFuture.completedFuture(side.phase()));
        }

        @Nullable
        Outcome outcome() throws Exception {
            return phase() instanceof ActivePhase.Ended ended ? ended.outcome() : null;
        }

        void awaitPhase(Class<? extends ActivePhase> kind) {
            await().atMost(Duration.ofSeconds(20)).until(() -> kind.isInstance(phase()));
        }

        /** The guest runs, nothing of level 3 is left, and a panic pauses again. */
        void asBefore() throws Exception {
            assertThat(outcome()).isEqualTo(Outcome.ALONE);
            assertThat(port.qemu.status).isEqualTo("running");
            assertThat(port.qemu.mode).isEqualTo("none");
            assertThat(port.qemu.parts).isEmpty();
            assertThat(port.qemu.colo).isFalse();
            assertThat(port.qemu.filtersOn).isFalse();
            assertThat(port.qemu.pausesAtPanic).isTrue();
            assertThat(port.done).last().isEqualTo("inColo false");
        }

        @Override
        public void moved(ActivePhase now) {
            told.add(now);
        }

        @Override
        public void checkpointOverdue(Duration age) {
            told.add(age);
        }

        @Override
        public void close() throws Exception {
            port.close();
        }
    }

    /** Beside each other, for most of each is waiting. */
    private static void all(List<Callable<Void>> cases) throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            SoftAssertions soft = new SoftAssertions();
            for (Future<Void> each : threads.invokeAll(cases)) {
                soft.assertThatCode(each::get).doesNotThrowAnyException();
            }
            soft.assertAll();
        }
    }

    private List<String> stepsOfAStart() throws Exception {
        try (Case clean = new Case()) {
            clean.protectedGuest();
            return List.copyOf(clean.port.qemu.commands);
        }
    }

    @Test
    void aTwinIsGivenToARunningGuest() throws Exception {
        try (Case guest = new Case()) {
            guest.protectedGuest();
            assertThat(guest.told.stream().map(each -> each.getClass().getSimpleName()))
                    .containsExactly("Preparing", "MovingMemory", "PreSwitchover", "Entering", "Running");
            List<String> commands = guest.port.qemu.commands;
            assertThat(commands).containsSubsequence("object-add", "migrate", "stop", "qom-set", "migrate-continue");
            assertThat(commands.subList(0, commands.indexOf("migrate")))
                    .as("the guest does not stand still while things are made")
                    .doesNotContain("stop", "qom-set");
            assertThat(guest.port.qemu.pausesAtPanic)
                    .as("QEMU aborts at the checkpoint after a panic that paused")
                    .isFalse();
            assertThat(guest.side.checkpoints().completed()).isPositive();
            guest.port.get(guest.side::dissolve);
            guest.asBefore();
        }
    }

    @ParameterizedTest
    @EnumSource
    void whateverAStartFailsAtItHasADefinedEnd(Fault fault) throws Exception {
        List<String> steps = stepsOfAStart();
        List<Callable<Void>> cases = new ArrayList<>();
        for (int i = 0; i < steps.size(); i++) {
            int at = i;
            cases.add(() -> {
                startFails(at, steps.get(at), fault);
                return null;
            });
        }
        all(cases);
    }

    private void startFails(int at, String command, Fault fault) throws Exception {
        try (Case guest = new Case()) {
            guest.port.qemu.misbehave(at, fault);
            guest.port.connect();
            CompletableFuture<Void> protecting = guest.protecting();
            Throwable failure = protecting
                    .handle((done, why) -> why)
                    .completeOnTimeout(new AssertionError("no end of it"), 60, TimeUnit.SECONDS)
                    .get();
            if (failure == null) {
                assertThat(fault).as(at + " " + command).isIn(Fault.EVENTS_FIRST, Fault.ANSWER_ONLY);
                assertThat(guest.phase()).isInstanceOf(ActivePhase.Running.class);
                guest.port.get(guest.side::dissolve);
            }
            Outcome outcome = switch (fault) {
                case DIE, DIE_AFTER -> Outcome.GONE;
                case HANG_FOR_EVER -> Outcome.STUCK;
                case REFUSE, IGNORE, HANG, EVENTS_FIRST, ANSWER_ONLY -> Outcome.ALONE;
            };
            assertThat(guest.outcome())
                    .as("%s at %d %s: %s", fault, at, command, failure)
                    .isEqualTo(outcome);
            if (outcome == Outcome.ALONE) {
                guest.asBefore();
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"REFUSE", "IGNORE", "HANG", "DIE", "DIE_AFTER", "HANG_FOR_EVER", "EVENTS_FIRST"})
    void whateverAnEndFailsAtItHasADefinedEnd(Fault fault) throws Exception {
        int begun = stepsOfAStart().size();
        int steps;
        try (Case clean = new Case()) {
            clean.protectedGuest();
            clean.port.get(clean.side::dissolve);
            steps = clean.port.qemu.commands.size();
        }
        List<Callable<Void>> cases = new ArrayList<>();
        for (int i = begun; i < steps; i++) {
            int at = i;
            cases.add(() -> {
                try (Case guest = new Case()) {
                    guest.port.qemu.misbehave(at, fault);
                    guest.protectedGuest();
                    CompletableFuture<Void> ending = guest.port.on(guest.side::dissolve);
                    ending.handle((done, why) -> why).get(60, TimeUnit.SECONDS);
                    Outcome outcome = switch (fault) {
                        case DIE, DIE_AFTER -> Outcome.GONE;
                        case HANG_FOR_EVER -> Outcome.STUCK;
                        default -> Outcome.ALONE;
                    };
                    assertThat(guest.outcome())
                            .as("%s at %d %s", fault, at, guest.port.qemu.commands.get(at))
                            .isEqualTo(outcome);
                    if (outcome == Outcome.ALONE) {
                        assertThat(guest.port.qemu.status).isEqualTo("running");
                        assertThat(guest.port.qemu.mode).isEqualTo("none");
                    }
                }
                return null;
            });
        }
        all(cases);
    }

    @Test
    void aLastCheckpointLetsOutWhatWaits() throws Exception {
        try (Case guest = new Case()) {
            guest.protectedGuest();
            // The first, and the one that comes of the interval.
            await().until(() -> guest.side.checkpoints().completed() == 2);
            int commands = guest.port.qemu.commands.size();
            guest.port.get(guest.side::dissolve);
            assertThat(guest.side.checkpoints().completed()).isEqualTo(3);
            assertThat(guest.port.qemu.commands.subList(commands, commands + 3))
                    .containsExactly("qom-set", "qom-set", "migrate-set-parameters");
            assertThat(guest.port.qemu.outOfBand).as("nothing is cut off").isEmpty();
            guest.asBefore();
        }
    }

    @Test
    void aTwinThatTakesNoLastCheckpointIsCutOff() throws Exception {
        try (Case guest = new Case()) {
            guest.port.qemu.misbehave(stepsOfAStart().size() + 2, Fault.ANSWER_ONLY);
            guest.protectedGuest();
            guest.port.get(guest.side::dissolve);
            assertThat(guest.port.qemu.outOfBand).contains("yank");
            guest.asBefore();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"migrate", "query-migrate", "stop", "migrate-continue"})
    void aTwinThatDiesWhileItIsMadeIsGivenUp(String when) throws Exception {
        int at = stepsOfAStart().lastIndexOf(when);
        try (Case guest = new Case()) {
            guest.port.qemu.misbehave(at, Fault.IGNORE);
            guest.port.connect();
            CompletableFuture<Void> protecting = guest.protecting();
            await().until(() -> guest.port.qemu.commands.size() > at);
            guest.port.qemu.happens(
                    when.equals("migrate-continue") ? "COLO_EXIT" : "MIGRATION",
                    "{\"status\": \"failed\", \"mode\": \"primary\", \"reason\": \"error\"}");
            assertThatThrownBy(() -> protecting.get(60, TimeUnit.SECONDS)).hasMessageContaining("did not begin");
            guest.asBefore();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"object-add", "migrate", "stop", "qom-set", "migrate-continue"})
    void whoIsToldToCarryOnAloneInTheMiddleOfAStartDoes(String when) throws Exception {
        int at = stepsOfAStart().lastIndexOf(when);
        try (Case guest = new Case()) {
            guest.port.qemu.misbehave(at, Fault.HANG);
            guest.port.connect();
            CompletableFuture<Void> protecting = guest.protecting();
            await().until(() -> guest.port.qemu.commands.size() > at);
            guest.port.get(guest.side::carryOnAlone);
            guest.asBefore();
            assertThatThrownBy(() -> protecting.get(60, TimeUnit.SECONDS)).hasMessageContaining("the twin is gone");
        }
    }

    @Test
    void aGuestThatCrashesOrEndsMeanwhileIsNotTwinned() throws Exception {
        for (String event : List.of("GUEST_PANICKED", "SHUTDOWN")) {
            int at = stepsOfAStart().indexOf("migrate");
            try (Case guest = new Case()) {
                guest.port.qemu.misbehave(at, Fault.IGNORE);
                guest.port.connect();
                CompletableFuture<Void> protecting = guest.protecting();
                await().until(() -> guest.port.qemu.commands.size() > at);
                guest.port.qemu.happens(event, "{}");
                assertThatThrownBy(() -> protecting.get(60, TimeUnit.SECONDS)).hasMessageContaining("meanwhile");
                guest.asBefore();
            }
        }
    }

    @Test
    void aLostTwinIsReportedAndNothingIsDecided() throws Exception {
        try (Case guest = new Case()) {
            guest.protectedGuest();
            int before = guest.port.qemu.commands.size();
            guest.port.qemu.happens("COLO_EXIT", "{\"mode\": \"primary\", \"reason\": \"error\"}");
            guest.awaitPhase(ActivePhase.Broken.class);
            assertThat(guest.port.qemu.commands).hasSize(before);
            assertThat(guest.phase().mayHaveTwin()).isTrue();
            guest.port.get(guest.side::carryOnAlone);
            guest.asBefore();
        }
    }

    @Test
    void eventsOutOfPlaceChangeNothing() throws Exception {
        try (Case guest = new Case()) {
            guest.protectedGuest();
            for (String status : List.of("colo", "device", "pre-switchover", "active", "failed", "setup", "nonsense")) {
                guest.port.qemu.happens("MIGRATION", "{\"status\": \"" + status + "\"}");
            }
            guest.port.qemu.happens("RESUME", "{}");
            guest.port.qemu.happens(
                    "COLO_EXIT", "{}".replace("{}", "{\"mode\": \"primary\", \"reason\": \"request\"}"));
            guest.port.qemu.happens("GUEST_PANICKED", "{\"action\": \"run\"}");
            long before = guest.side.checkpoints().completed();
            guest.port.qemu.happens("STOP", "{}");
            guest.port.qemu.happens("RESUME", "{}");
            await().until(() -> guest.side.checkpoints().completed() > before);
            assertThat(guest.phase()).isInstanceOf(ActivePhase.Running.class);
            guest.port.get(guest.side::dissolve);
            guest.port.qemu.happens("COLO_EXIT", "{\"mode\": \"primary\", \"reason\": \"error\"}");
            guest.asBefore();
        }
    }

    @Test
    void missingCheckpointsAreReportedOnce() throws Exception {
        try (Case guest = new Case()) {
            guest.protectedGuest();
            await().atMost(Duration.ofSeconds(30))
                    .until(() -> guest.told.stream().anyMatch(Duration.class::isInstance));
            assertThat(guest.phase()).isInstanceOf(ActivePhase.Running.class);
            guest.port.qemu.happens("STOP", "{}");
            guest.port.qemu.happens("RESUME", "{}");
            assertThat(guest.told.stream().filter(Duration.class::isInstance)).hasSize(1);
        }
    }

    @Test
    void stoodDownItIsFrozenAndCanGoOn() throws Exception {
        try (Case guest = new Case()) {
            guest.protectedGuest();
            guest.port.get(() -> {
                guest.side.standDown();
                return CompletableFuture.completedFuture("");
            });
            assertThat(guest.port.done).last().isEqualTo("freeze");
            guest.port.get(() -> {
                guest.side.goOn();
                return CompletableFuture.completedFuture("");
            });
            assertThat(guest.port.done).last().isEqualTo("thaw");
            assertThat(guest.phase()).isInstanceOf(ActivePhase.Running.class);
            assertThatThrownBy(guest.protecting()::join).hasMessageContaining("can not go from");
        }
    }

    @Test
    void nothingBeginsWhileOverlaysAreNotCommitted() throws Exception {
        try (Case guest = new Case()) {
            guest.port.connect();
            guest.port.uncommitted = true;
            assertThatThrownBy(() -> guest.protecting().get(20, TimeUnit.SECONDS))
                    .hasMessageContaining("not committed yet");
            assertThat(guest.phase()).isInstanceOf(ActivePhase.Idle.class);
            assertThat(guest.port.qemu.commands).isEmpty();
        }
    }

    @Test
    void intervalsHaveBounds() throws Exception {
        try (Case guest = new Case()) {
            guest.protectedGuest();
            assertThatThrownBy(() -> guest.port.get(() -> guest.side.interval(Duration.ofMillis(9))))
                    .hasMessageContaining("from 10 to 60000 ms, got 9");
            guest.port.get(() -> guest.side.interval(Duration.ofMillis(50)));
            guest.port.get(guest.side::checkpointNow);
        }
    }
}
