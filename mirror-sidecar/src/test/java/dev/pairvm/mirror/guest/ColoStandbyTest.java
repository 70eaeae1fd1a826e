package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pairvm.mirror.guest.FakeQemu.Fault;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The standby's side with a QEMU that is silent, refuses, hangs, dies or says things in the wrong order, at every step of its way. */
class ColoStandbyTest {
    private static final ColoLimits SHORT = new ColoLimits(
            Duration.ofMillis(1500),
            Duration.ofMillis(500),
            Duration.ofSeconds(20),
            Duration.ofMillis(2500),
            Duration.ofMillis(2500),
            Duration.ofMillis(300),
            Duration.ofSeconds(20));

    @TempDir
    Path directory;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
    private int ports;

    @AfterEach
    void cleanUp() throws Exception {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    /** A machine of one disk and one card. */
    private final class Case implements AutoCloseable, ColoStandby.Listener {
        final FakePort port;
        final OverlayFiles overlays;
        final ColoStandby side;
        final List<Object> told = new CopyOnWriteArrayList<>();

        Case() throws Exception {
            synchronized (ColoStandbyTest.this) {
                port = new FakePort(directory.resolve("q" + ports), group.next());
                overlays = new OverlayFiles(directory.resolve("o" + ports++));
            }
            side = new ColoStandby(
                    port,
                    new TwinSockets(directory, 1),
                    overlays,
                    List.of(new ColoStandby.Disk("root", 1 << 30)),
                    1 << 20,
                    SHORT,
                    this);
        }

        Case waiting() throws Exception {
            port.connect();
            port.get(side::awaitTwin);
            return this;
        }

        Case running() throws Exception {
            waiting();
            port.qemu.stateArrives();
            awaitPhase(StandbyPhase.Running.class);
            return this;
        }

        StandbyPhase phase() throws Exception {
            return port.get(() -> CompletableFuture.completedFuture(side.phase()));
        }

        void awaitPhase(Class<? extends StandbyPhase> kind) {
            await().atMost(Duration.ofSeconds(20)).until(() -> kind.isInstance(phase()));
        }

        @Override
        public void moved(StandbyPhase now) {
            told.add(now);
        }

        @Override
        public void overlayLarge(String disk) {
            told.add(disk);
        }

        @Override
        public void overlayFull(String disk) {
            told.add(disk + " full");
        }

        @Override
        public void diverged() {
            told.add("diverged");
        }

        @Override
        public void close() throws Exception {
            port.close();
        }
    }

    private static void all(List<Callable<Void>> cases) throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            SoftAssertions soft = new SoftAssertions();
            for (Future<Void> each : threads.invokeAll(cases)) {
                soft.assertThatCode(each::get).doesNotThrowAnyException();
            }
            soft.assertAll();
        }
    }

    @Test
    void aTwinBecomesTheGuest() throws Exception {
        try (Case twin = new Case()) {
            twin.running();
            assertThat(twin.port.done).containsExactly("prepare BOOT", "prepare TWIN", "mark twin", "inColo true");
            List<String> commands = twin.port.qemu.commands;
            assertThat(commands.getLast()).as("only then can the state come").isEqualTo("migrate-incoming");
            assertThat(commands).containsSubsequence("blockdev-create", "nbd-server-start", "block-export-add");
            twin.port.get(() -> {
                CompletableFuture<Void> done = twin.side.takeOver();
                assertThat(twin.overlays.areUncommitted())
                        .as("before anything is done")
                        .isTrue();
                return done;
            });
            assertThat(twin.port.done).contains("mark guest", "took over");
            assertThat(twin.port.qemu.parts).containsExactly("rewrite0");
            assertThat(twin.port.qemu.pausesAtPanic).isTrue();
            assertThat(twin.port.qemu.colo).isFalse();
            twin.port.get(twin.side::committed);
            assertThat(twin.overlays.areUncommitted()).isFalse();
            assertThat(twin.told.stream().map(each -> each.getClass().getSimpleName()))
                    .containsExactly(
                            "Preparing", "Waiting", "Receiving", "Running", "TakingOver", "Committing", "Done");
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"REFUSE", "IGNORE", "HANG", "HANG_FOR_EVER", "DIE", "DIE_AFTER"})
    void whateverAPreparationFailsAtNoQemuIsLeft(Fault fault) throws Exception {
        int steps;
        try (Case clean = new Case()) {
            steps = clean.waiting().port.qemu.commands.size();
        }
        List<Callable<Void>> cases = new ArrayList<>();
        for (int i = 0; i < steps; i++) {
            int at = i;
            cases.add(() -> {
                try (Case twin = new Case()) {
                    twin.port.qemu.misbehave(at, fault);
                    twin.port.connect();
                    assertThatThrownBy(() -> twin.port.get(twin.side::awaitTwin))
                            .as("%s at %d", fault, at)
                            .hasMessageContaining("no twin can be awaited");
                    assertThat(twin.port.done).last().isEqualTo("kill");
                    assertThat(twin.phase())
                            .isInstanceOfSatisfying(
                                    StandbyPhase.Failed.class,
                                    failed -> assertThat(failed.uncommitted()).isFalse());
                }
                return null;
            });
        }
        all(cases);
    }

    @ParameterizedTest
    @EnumSource
    void whateverATakeOverFailsAtItIsKnownWhereTheDataIs(Fault fault) throws Exception {
        int begun;
        int steps;
        try (Case clean = new Case()) {
            begun = clean.running().port.qemu.commands.size();
            clean.port.get(clean.side::takeOver);
            steps = clean.port.qemu.commands.size();
        }
        List<Callable<Void>> cases = new ArrayList<>();
        for (int i = begun; i < steps; i++) {
            int at = i;
            cases.add(() -> {
                takeOverFails(at, fault);
                return null;
            });
        }
        all(cases);
    }

    private void takeOverFails(int at, Fault fault) throws Exception {
        try (Case twin = new Case()) {
            twin.port.qemu.misbehave(at, fault);
            twin.running();
            CompletableFuture<Void> taking = twin.port.on(twin.side::takeOver);
            Throwable failure = taking.handle((done, why) -> why).get(60, TimeUnit.SECONDS);
            String what = fault + " at " + at + ", last " + twin.port.qemu.commands.getLast() + ": " + failure;
            Throwable lost = twin.port
                    .on(twin.side::committed)
                    .handle((done, why) -> why)
                    .get(60, TimeUnit.SECONDS);
            if (lost == null) {
                assertThat(failure).as(what).isNull();
                assertThat(twin.port.done).as(what).contains("took over");
                assertThat(twin.port.qemu.mode).as(what).isEqualTo("none");
                assertThat(twin.overlays.areUncommitted()).as(what).isFalse();
            } else {
                assertThat(fault).as(what).isNotIn(Fault.EVENTS_FIRST);
                assertThat(twin.phase())
                        .isInstanceOfSatisfying(
                                StandbyPhase.Failed.class,
                                failed -> assertThat(failed.uncommitted()).isTrue());
                assertThat(twin.overlays.areUncommitted()).as(what).isTrue();
                assertThat(lost).as(what).hasMessageContaining("not in the image");
                assertThat(twin.port.done.contains("took over")).as(what).isEqualTo(failure == null);
            }
        }
    }

    @Test
    void aHangingMainLoopIsCutFree() throws Exception {
        try (Case twin = new Case()) {
            twin.running();
            twin.port.qemu.misbehave(twin.port.qemu.commands.size(), Fault.HANG);
            // It hangs on a query of ours already when the take-over begins.
            CompletableFuture<?> stuck =
                    twin.port.on(() -> twin.port.execute(QmpCommand.of("query-status"), Duration.ofSeconds(20)));
            await().until(() -> twin.port.qemu.commands.contains("query-status"));
            twin.port.get(twin.side::takeOver);
            assertThat(stuck).isCompleted();
        }
    }

    @Test
    void aCommitThatFailsKeepsTheOverlays() throws Exception {
        try (Case twin = new Case()) {
            twin.port.qemu.commitFails = true;
            twin.running();
            twin.port.get(twin.side::takeOver);
            assertThatThrownBy(() -> twin.port.get(twin.side::committed)).hasMessageContaining("not in the image");
            assertThat(twin.overlays.areUncommitted()).isTrue();
            try (Case next = new Case()) {
                Files.createDirectories(next.overlays.directory());
                next.overlays.markUncommitted();
                next.port.connect();
                assertThatThrownBy(() -> next.port.get(next.side::awaitTwin))
                        .hasMessageContaining("were not committed");
                assertThat(next.port.qemu.commands).as("nothing was touched").isEmpty();
            }
        }
    }

    @Test
    void onlyAWholeTwinTakesOver() throws Exception {
        try (Case twin = new Case()) {
            assertThatThrownBy(() -> twin.port.get(twin.side::takeOver)).hasMessageContaining("no whole twin");
            twin.waiting();
            assertThatThrownBy(() -> twin.port.get(twin.side::takeOver)).hasMessageContaining("no whole twin");
            twin.port.qemu.happens("RESUME", "{}");
            twin.port.qemu.happens("COLO_EXIT", "{\"mode\": \"secondary\", \"reason\": \"error\"}");
            twin.port.qemu.happens("MIGRATION", "{\"status\": \"active\"}");
            twin.port.qemu.happens("RESUME", "{}");
            twin.awaitPhase(StandbyPhase.Receiving.class);
            assertThatThrownBy(() -> twin.port.get(twin.side::takeOver)).hasMessageContaining("no whole twin");
            assertThat(twin.port.done).doesNotContain("mark guest");
            twin.port.qemu.happens("MIGRATION", "{\"status\": \"failed\"}");
            twin.awaitPhase(StandbyPhase.Failed.class);
            twin.port.get(twin.side::abandon);
            assertThat(twin.port.done).last().isEqualTo("kill");
        }
    }

    @Test
    void aTwinsCrashCountsUntilTheNextCheckpoint() throws Exception {
        try (Case twin = new Case()) {
            twin.running();
            twin.port.qemu.happens("GUEST_PANICKED", "{\"action\": \"run\"}");
            await().until(() -> twin.phase().equals(new StandbyPhase.Running(true)));
            assertThat(twin.told).doesNotContain("diverged");
            twin.port.qemu.happens("RESUME", "{}");
            await().until(() -> twin.phase().equals(new StandbyPhase.Running(false)));
            await().until(() -> twin.told.contains("diverged"));
            twin.port.qemu.happens("GUEST_PANICKED", "{\"action\": \"run\"}");
            twin.port.qemu.happens("COLO_EXIT", "{\"mode\": \"secondary\", \"reason\": \"error\"}");
            await().until(() -> twin.phase().equals(new StandbyPhase.Severed(true)));
            twin.port.get(twin.side::takeOver);
            assertThat(twin.port.done).contains("took over crashed");
        }
    }

    @Test
    void aTwinThatIsHeldGoesOnOrTakesOver() throws Exception {
        try (Case twin = new Case()) {
            twin.running();
            int before = twin.port.qemu.commands.size();
            for (Runnable each :
                    List.<Runnable>of(twin.side::hold, twin.side::hold, twin.side::goOn, twin.side::goOn)) {
                twin.port.get(() -> {
                    each.run();
                    return CompletableFuture.completedFuture("");
                });
            }
            await().until(() -> twin.port.qemu.commands.size() == before + 2);
            assertThat(twin.port.qemu.commands.subList(before, before + 2)).containsExactly("stop", "cont");
            twin.port.qemu.happens("COLO_EXIT", "{\"mode\": \"secondary\", \"reason\": \"error\"}");
            twin.awaitPhase(StandbyPhase.Severed.class);
            twin.port.get(() -> {
                twin.side.hold();
                return CompletableFuture.completedFuture("");
            });
            twin.port.get(twin.side::takeOver);
            assertThat(twin.port.qemu.status).isEqualTo("running");
            assertThat(twin.port.qemu.commands.subList(before + 2, before + 6))
                    .as("it is heard before it runs as the guest")
                    .containsExactly("stop", "qom-set", "nbd-server-stop", "x-colo-lost-heartbeat");
        }
    }

    @Test
    void anOverlayThatPassesItsBoundIsReported() throws Exception {
        try (Case twin = new Case()) {
            twin.running();
            int before = twin.port.qemu.commands.size();
            twin.port.qemu.happens(
                    "BLOCK_WRITE_THRESHOLD",
                    "{\"node-name\": \"hidden0-file\", \"amount-exceeded\": 5, \"write-threshold\": 1048576}");
            await().until(() -> twin.told.contains("root"));
            await().until(() -> twin.port.qemu.commands.size() > before);
            assertThat(twin.port.qemu.commands).as("for the next time").last().isEqualTo("block-set-write-threshold");
            await().until(() -> twin.told.contains("root full"));
        }
    }

    @Test
    void anOverlayThatACheckpointEmptiesInTimeIsNotFull() throws Exception {
        try (Case twin = new Case()) {
            twin.running();
            twin.port.qemu.happens(
                    "BLOCK_WRITE_THRESHOLD",
                    "{\"node-name\": \"active0-file\", \"amount-exceeded\": 5, \"write-threshold\": 1048576}");
            await().until(() -> twin.told.contains("root"));
            twin.port.qemu.happens("RESUME", "{}");
            await().pollDelay(SHORT.checkpoint().plusMillis(500)).until(() -> true);
            assertThat(twin.told).doesNotContain("root full");
        }
    }

    @Test
    void abandonedItIsKilledAndWhatIsTheGuestIsNot() throws Exception {
        try (Case twin = new Case()) {
            twin.running();
            twin.port.get(twin.side::abandon);
            assertThat(twin.phase()).isEqualTo(new StandbyPhase.Abandoned());
            assertThat(twin.port.done).last().isEqualTo("kill");
        }
        try (Case guest = new Case()) {
            guest.running();
            guest.port.on(guest.side::takeOver);
            assertThatThrownBy(() -> guest.port.get(guest.side::abandon)).hasMessageContaining("not a twin");
            assertThat(guest.port.done).doesNotContain("kill");
        }
    }
}
