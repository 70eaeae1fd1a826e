package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.network.PodNamespace;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two QEMUs as a pair of level 3. The guest is a boot sector that writes its disk without end: record n, a sector full of the number
 * n, goes to sector 8 + n mod 1024, and its serial line says {@code B} at a boot, {@code .} after 64 records and {@code E} at an
 * error. So whichever copy is looked at, the last 1024 records must be there, each whole and none skipped.
 */
@Tag("qemu")
@EnabledIf("dev.pairvm.mirror.guest.QemuPod#isPossible")
class ColoQemuTest {
    private static final String WRITING_GUEST =
            "fa31c08ed88ec08ed0bc007c8816007e66c706047e00000000fbb042e8670066ff06047e"
                    + "66a1047ebf0080b98000fc66f3ab6625ff0300006683c00866a3ac7cbea47c8a16007eb80043cd137230a0047e243f7505b02ee82c00"
                    + "bafd03eca8017410baf803ec3c7274213c7074223c63742766b9409c0000664975fceba1b045e80300f4ebf8baf803eec3b0fee664f4"
                    + "ba0406b80020efebd9ba0505b001eeebd18d740010000100008000000000000000000000";
    private static final int RECORDS = 1024;
    private static final int FIRST_SECTOR = 8;

    @TempDir
    Path directory;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private final BlockingQueue<Object> told = new LinkedBlockingQueue<>();
    private final String[] uuids = {
        UUID.randomUUID().toString(), UUID.randomUUID().toString()
    };
    private QemuPod here;
    private QemuPod there;
    private SocketChannel serialHere;
    private int sockets;

    private final ColoActive.Listener active = new ColoActive.Listener() {
        @Override
        public void moved(ActivePhase now) {
            told.add(now);
        }

        @Override
        public void checkpointOverdue(Duration age) {
            told.add(age);
        }
    };
    private final ColoStandby.Listener standby = new ColoStandby.Listener() {
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
    };

    private @Nullable PodNamespace namespace;

    /** With a network card where this process may make one: the guest does not use it, but everything around it is there. */
    private QemuPod pod(int index) throws Exception {
        Path place = Files.createDirectory(directory.resolve(index == 0 ? "a" : "b"));
        MirrorConfig.Firmware firmware = new MirrorConfig.Firmware(false, uuids[index], Optional.empty());
        PodNamespace network = namespace;
        if (network == null) {
            return new QemuPod(place, loop, uuids[index], firmware, List.of(), List.of(), QemuPod.Hardware.usual());
        }
        String tap = "pvtap" + index;
        network.pod("ip", "tuntap", "add", tap, "mode", "tap", "vnet_hdr");
        network.pod("ip", "link", "set", tap, "up");
        List<MirrorConfig.Interface> card = List.of(
                new MirrorConfig.Interface("lan", "02:11:22:33:44:77", MirrorConfig.Binding.BRIDGE, "eth0", List.of()));
        return network.in(
                () -> new QemuPod(place, loop, uuids[index], firmware, card, List.of(tap), QemuPod.Hardware.usual()));
    }

    @BeforeEach
    void aRunningGuest() throws Exception {
        namespace = PodNamespace.isPossible() ? new PodNamespace() : null;
        here = pod(0);
        there = pod(1);
        here.bootSector(WRITING_GUEST);
        here.get(() -> here.guest.prepareStandby());
        serialHere = here.serial();
        here.get(() -> here.guest.startOrResume());
        QemuPod.hear(serialHere, text -> text.contains("B."));
    }

    @AfterEach
    void cleanUp() throws Exception {
        serialHere.close();
        here.close();
        there.close();
        if (namespace != null) {
            namespace.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    // --------------------------------------------------------------------------------------------- what the engine
    // does

    private Twinning begin(QemuPod from, QemuPod into) throws Exception {
        Twinning twinning = new Twinning(directory.resolve("s" + sockets++), loop, from, into, active, standby);
        twinning.protect();
        return twinning;
    }

    private <T> T awaitTold(Class<T> kind) throws Exception {
        for (; ; ) {
            Object next = told.poll(60, TimeUnit.SECONDS);
            if (next == null) {
                throw new AssertionError("no " + kind.getSimpleName());
            }
            if (kind.isInstance(next)) {
                return kind.cast(next);
            }
        }
    }

    private static void signal(String uuid, Consumer<QemuProcess> signal) {
        List<QemuProcess> found = QemuProcess.findAll(uuid);
        assertThat(found).hasSize(1);
        found.forEach(signal);
        found.forEach(QemuProcess::close);
    }

    private String uuidOf(QemuPod pod) {
        return uuids[pod == here ? 0 : 1];
    }

    /** The last record on this disk, after it was seen that all before it are there. */
    private int checkedRecords(QemuPod pod) throws Exception {
        byte[] disk = pod.get(() -> CompletableFuture.completedFuture(pod.disk.bytes.clone()));
        ByteBuffer records = ByteBuffer.wrap(disk).order(ByteOrder.LITTLE_ENDIAN);
        int last = 0;
        for (int slot = 0; slot < RECORDS; slot++) {
            last = Math.max(last, records.getInt((FIRST_SECTOR + slot) * 512));
        }
        for (int n = Math.max(1, last - RECORDS + 1); n <= last; n++) {
            int at = (FIRST_SECTOR + n % RECORDS) * 512;
            for (int i = 0; i < 512; i += 4) {
                assertThat(records.getInt(at + i))
                        .as("record %d of %d, byte %d", n, last, i)
                        .isEqualTo(n);
            }
        }
        return last;
    }

    private void awaitMoreRecords(QemuPod pod) throws Exception {
        int before = checkedRecords(pod);
        await().atMost(Duration.ofSeconds(60)).until(() -> checkedRecords(pod) > before + 100);
    }

    private void takeOver(Twinning twinning) throws Exception {
        becomeGuest(twinning);
        checkedRecords(twinning.from);
        awaitMoreRecords(twinning.into);
    }

    private void becomeGuest(Twinning twinning) throws Exception {
        QemuPod into = twinning.into;
        twinning.report("before the kill");
        try (SocketChannel serial = into.serial()) {
            signal(uuidOf(twinning.from), QemuProcess::kill);
            awaitTold(StandbyPhase.Severed.class);
            twinning.drop();
            long asked = System.nanoTime();
            into.get(twinning.standbySide::takeOver);
            System.out.printf("taken over in %d ms%n", TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - asked));
            assertThat(into.state()).isInstanceOf(GuestState.Running.class);
            into.get(twinning.standbySide::committed);
            assertThat(twinning.standbySide.phase()).isInstanceOf(StandbyPhase.Done.class);
            assertThat(into.guest.overlays().areUncommitted()).isFalse();
            assertThat(QemuPod.hear(serial, text -> text.length() > 3)).doesNotContain("B", "E");
        }
    }

    // -----------------------------------------------------------------------------------------------------------
    // stories

    @Test
    void theTwinGoesOnWhenTheActiveIsKilledAndIsProtectedAgain() throws Exception {
        Twinning first = begin(here, there);
        first.awaitMoreCheckpoints(5);
        assertThat(there.state()).as("a twin is not the guest").isInstanceOf(GuestState.Ready.class);
        assertThat(there.state().isGuestAlive()).isFalse();
        takeOver(first);
        here.await(GuestEvent.QemuExited.class);
        // The other way round, with a QEMU that was a twin itself.
        Twinning second = begin(there, here);
        second.awaitMoreCheckpoints(5);
        takeOver(second);
        assertThat(here.state()).isInstanceOf(GuestState.Running.class);
    }

    @Test
    void aTwinThatStoodStillGoesOnAndTakesOver() throws Exception {
        Twinning twinning = begin(here, there);
        twinning.awaitMoreCheckpoints(3);
        for (int i = 0; i < 5; i++) {
            held(twinning, true);
            held(twinning, false);
        }
        held(twinning, true);
        twinning.awaitMoreCheckpoints(5); // a checkpoint lets it run, too
        held(twinning, false);
        awaitMoreRecords(here);
        held(twinning, true);
        takeOver(twinning);
        Twinning second = begin(there, here);
        held(second, true);
        takeOver(second);
        Twinning severed = begin(here, there);
        signal(uuids[0], QemuProcess::kill);
        awaitTold(StandbyPhase.Severed.class);
        severed.drop();
        held(severed, true);
        there.get(severed.standbySide::takeOver);
        awaitMoreRecords(there);
    }

    private static void held(Twinning twinning, boolean on) throws Exception {
        twinning.into.get(() -> {
            if (on) {
                twinning.standbySide.hold();
            } else {
                twinning.standbySide.goOn();
            }
            return CompletableFuture.completedFuture("");
        });
    }

    @Test
    void theGuestGoesOnAloneWhenItsTwinIsKilledOrFrozenAndLevelThreeEndsOnPurpose() throws Exception {
        Twinning killed = begin(here, there);
        killed.awaitMoreCheckpoints(3);
        signal(uuids[1], QemuProcess::kill);
        awaitTold(ActivePhase.Broken.class);
        killed.drop();
        here.get(killed.activeSide::carryOnAlone);
        awaitMoreRecords(here);
        there.await(GuestEvent.QemuExited.class);

        Twinning frozen = begin(here, there);
        frozen.awaitMoreCheckpoints(3);
        signal(uuids[1], QemuProcess::stop);
        frozen.drop();
        long asked = System.nanoTime();
        here.get(frozen.activeSide::carryOnAlone);
        System.out.printf("alone after %d ms%n", TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - asked));
        awaitMoreRecords(here);
        there.get(frozen.standbySide::abandon);

        Twinning dissolved = begin(here, there);
        dissolved.awaitMoreCheckpoints(3);
        dissolved.report("before the end");
        dissolved.drop(); // for want of a peer mirror here, to nobody
        here.get(dissolved.activeSide::dissolve);
        there.get(dissolved.standbySide::abandon);
        awaitMoreRecords(here);
        assertThat(here.state()).isInstanceOf(GuestState.Running.class);
        assertThat(there.state()).isInstanceOf(GuestState.Dead.class);
        there.get(() -> there.guest.prepareStandby());
        MigrationTarget target = there.get(() -> there.guest.prepareIncoming());
        MigrationSource source = here.guest.migrate();
        here.get(() -> source.start(target.socket(), Twinning.DOWNTIME, Duration.ofSeconds(60)));
        here.get(source::cancel);
    }

    @Test
    void aStandbyThatIsKilledWhileMemoryMovesCostsNothing() throws Exception {
        Twinning.Joined joined = new Twinning.Joined(directory.resolve("joined"));
        ColoStandby waiting = there.guest.twin(joined.into, 1 << 20, ColoLimits.DEFAULT, standby);
        there.get(waiting::awaitTwin);
        ColoActive begun = here.guest.twinning(joined.from, ColoLimits.DEFAULT, active);
        CompletableFuture<Void> protecting = here.on(() -> begun.protect(Twinning.DOWNTIME, Twinning.INTERVAL));
        awaitTold(ActivePhase.MovingMemory.class);
        there.get(waiting::abandon);
        assertThatThrownBy(() -> protecting.get(60, TimeUnit.SECONDS)).hasMessageContaining("level 3 did not begin");
        assertThat(begun.phase())
                .isInstanceOfSatisfying(
                        ActivePhase.Ended.class,
                        ended -> assertThat(ended.outcome()).isEqualTo(ActivePhase.Outcome.ALONE));
        awaitMoreRecords(here);
        assertThatThrownBy(() -> there.get(waiting::takeOver)).hasMessageContaining("no whole twin");
        assertThat(there.guest.overlays().areUncommitted()).isFalse();
    }

    @Test
    void theGuestMovesOnPurposeAndGoesBackWhileItStillCan() throws Exception {
        Twinning twinning = begin(here, there);
        here.get(() -> {
            twinning.activeSide.standDown();
            return CompletableFuture.completedFuture("");
        });
        assertThat(here.state()).isInstanceOf(GuestState.Frozen.class);
        here.get(() -> {
            twinning.activeSide.goOn();
            return CompletableFuture.completedFuture("");
        });
        twinning.awaitMoreCheckpoints(3);
        long asked = System.nanoTime();
        here.get(() -> {
            twinning.activeSide.standDown();
            return CompletableFuture.completedFuture("");
        });
        there.get(twinning.standbySide::takeOver);
        System.out.printf("moved in %d ms%n", TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - asked));
        here.get(() -> here.guest.kill());
        assertThat(twinning.activeSide.phase())
                .isInstanceOfSatisfying(
                        ActivePhase.Ended.class,
                        ended -> assertThat(ended.outcome()).isEqualTo(ActivePhase.Outcome.GONE));
        there.get(twinning.standbySide::committed);
        awaitMoreRecords(there);
    }

    @Test
    void overlaysWhoseQemuDiedAreCommittedBeforeAnythingStarts() throws Exception {
        there.get(() -> there.guest.prepareStandby());
        OverlayFiles overlays = there.guest.overlays();
        overlays.prepare();
        ColoPort port = there.guest.port();
        there.get(() -> {
            ColoStandby unused = there.guest.twin(directory, 1 << 20, ColoLimits.DEFAULT, standby);
            port.watch(unused);
            return unused.makeOverlays();
        });
        // What a twin wrote, over what it and the active had there at the checkpoint.
        for (var node : OverlayNodes.description(0, overlays, "root").subList(0, 4)) {
            if (node.path("backing").asText().equals("base0")) {
                node.put("backing", "disk0");
            }
            QmpCommand add = new QmpCommand("blockdev-add", node);
            there.get(() -> port.execute(add, Duration.ofSeconds(20)));
        }
        for (String write : List.of("hidden0 \"write -P 0x11 64k 64k\"", "active0 \"write -P 0x22 96k 16k\"")) {
            there.get(() -> port.execute(
                    QmpCommand.of("human-monitor-command").with("command-line", "qemu-io " + write),
                    Duration.ofSeconds(20)));
        }
        there.get(() -> port.execute(
                QmpCommand.of("human-monitor-command").with("command-line", "qemu-io active0 flush"),
                Duration.ofSeconds(20)));
        overlays.markUncommitted();
        there.get(() -> there.guest.kill());
        assertThatThrownBy(() -> there.get(() -> there.guest.prepareStandby()))
                .as("never a guest on half an image")
                .hasMessageContaining("are to be committed before");
        there.get(() -> there.guest.commitOverlays(ColoLimits.DEFAULT));
        assertThat(overlays.areUncommitted()).isFalse();
        byte[] disk = there.get(() -> CompletableFuture.completedFuture(there.disk.bytes.clone()));
        assertThat(disk[64 << 10]).isEqualTo((byte) 0x11);
        assertThat(disk[96 << 10]).isEqualTo((byte) 0x22);
        assertThat(disk[(112 << 10)]).isEqualTo((byte) 0x11);
        there.get(() -> there.guest.prepareStandby());
    }

    @Test
    void aCrashIsTheGuestsNotTheHosts() throws Exception {
        Twinning twinning = begin(here, there);
        QemuPod.say(serialHere, "c");
        here.await(GuestEvent.Crashed.class);
        twinning.awaitMoreCheckpoints(3);
        assertThat(here.state()).as("a checkpoint cures nobody").isInstanceOf(GuestState.Crashed.class);
        assertThat(there.events)
                .as("the twin's crash is nobody's business")
                .noneMatch(GuestEvent.Crashed.class::isInstance);
        here.get(() -> here.guest.reset());
        QemuPod.hear(serialHere, text -> text.contains("B."));
        twinning.awaitMoreCheckpoints(3);
        QemuPod.say(serialHere, "r");
        here.await(GuestEvent.Rebooted.class);
        QemuPod.hear(serialHere, text -> text.contains("B."));
        twinning.awaitMoreCheckpoints(3);
        becomeGuest(twinning);
    }

    @Test
    void aRestartedMirrorKnowsATwinFromAGuest() throws Exception {
        Twinning twinning = begin(here, there);
        assertThat(there.restartMirror())
                .isInstanceOfSatisfying(
                        GuestState.Ready.class,
                        ready -> assertThat(ready.mode()).isEqualTo(StartMode.TWIN));
        assertThat(there.get(() -> there.guest.coloRole())).isEqualTo(GuestControl.ColoRole.STANDBY);
        assertThat(here.restartMirror()).isInstanceOf(GuestState.Running.class);
        assertThat(here.get(() -> here.guest.coloRole())).isEqualTo(GuestControl.ColoRole.ACTIVE);
        ColoActive found = here.get(() -> CompletableFuture.completedFuture(
                here.guest.foundTwinning(twinning.joined.from, ColoLimits.DEFAULT, active)));
        twinning.drop();
        twinning.joined.close(); // the relays died with the mirrors
        here.get(found::carryOnAlone);
        awaitMoreRecords(here);
        ColoStandby left = there.get(() -> CompletableFuture.completedFuture(there.guest.foundTwin(
                twinning.joined.into, 1 << 20, ColoLimits.DEFAULT, GuestControl.ColoRole.STANDBY, standby)));
        there.get(left::takeOver);
        assertThat(there.restartMirror()).isInstanceOf(GuestState.Running.class);
    }
}
