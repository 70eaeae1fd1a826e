package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.MirrorConfig;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/**
 * A twin's memory is the active's at its first checkpoints, page by page, start after start. A page that was lost shows in
 * no packet until the guest uses it, so nothing else finds it.
 *
 * <p>Two guests. The one of the boot sector writes 128 pages in turn, again and again, and never changes its address space, so
 * that nothing but QEMU's own looks at the dirty bitmap makes TCG report its stores again. The other is a whole Linux: {@code make
 * ram-truth}.
 */
@Tag("qemu")
@EnabledIf("dev.pairvm.mirror.guest.QemuPod#isPossible")
class RamTruthTest {
    private static final String TOUCHING_GUEST =
            "fa31c08ed88ed0bc007cbaf803b042ee6631db6631c9664189d883e07fc1e0080500108ec02666890e0000"
                    + "83c325f6c13f7506baf803b02eee66ba801a0600664a75fcebd1";
    private static final int STARTS = Integer.getInteger("ram.starts", 4);
    private static final int PROCESSORS = Integer.getInteger("ram.processors", 1);
    private static final Optional<Path> IMAGE = Optional.ofNullable(System.getProperty("ram.image"))
            .filter(each -> !each.isEmpty())
            .map(Path::of);
    private static final int CHECKPOINTS = 4;
    /** In the last checkpoint of all, a byte that this test itself makes wrong. */
    private static final long SPOILT = 0x20_0123;

    @TempDir
    Path directory;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private final List<QemuPod> pods = new ArrayList<>();

    private final DeafTwinListener deaf = new DeafTwinListener();

    private QemuPod pod(String name, QemuPod.Hardware hardware) throws Exception {
        String uuid = UUID.randomUUID().toString();
        QemuPod pod = new QemuPod(
                Files.createDirectory(directory.resolve(name)),
                loop,
                uuid,
                new MirrorConfig.Firmware(false, uuid, Optional.empty()),
                List.of(),
                List.of(),
                hardware);
        pods.add(pod);
        return pod;
    }

    @AfterEach
    void cleanUp() throws Exception {
        for (QemuPod each : pods) {
            each.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    private static QemuPod.Hardware hardware() throws Exception {
        if (IMAGE.isPresent()) {
            return new QemuPod.Hardware(PROCESSORS, 192, Files.readAllBytes(IMAGE.get()));
        }
        byte[] disk = new byte[1 << 20];
        QemuPod.Hardware.boot(disk, TOUCHING_GUEST);
        return new QemuPod.Hardware(PROCESSORS, 64, disk);
    }

    private static long pid(QemuPod pod) {
        List<QemuProcess> found = QemuProcess.findAll(pod.uuid);
        assertThat(found).hasSize(1);
        try (QemuProcess only = found.getFirst()) {
            return only.pid();
        }
    }

    @Test
    @Timeout(value = 10, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void bothMemoriesAreEqualAtEveryCheckpointOfEachStart() throws Exception {
        QemuPod first = pod("a", hardware());
        first.get(() -> first.guest.prepareStandby());
        try (SocketChannel serial = first.serial()) {
            first.get(() -> first.guest.startOrResume());
            QemuPod.hear(serial, text -> IMAGE.isPresent() ? text.contains("stage running") : text.contains("B...."));
        }
        QemuPod from = first;
        QemuPod into = pod("b", hardware());
        List<String> wrong = new ArrayList<>();
        for (int start = 1; start <= STARTS; start++) {
            Twinning twinning = new Twinning(directory.resolve("s" + start), loop, from, into, deaf, deaf);
            StringBuilder line = new StringBuilder("start " + start + ": wrong pages at its checkpoints");
            try (CheckpointHold hold = new CheckpointHold(directory, from, pid(from), into, pid(into))) {
                hold.arm();
                CompletableFuture<Void> protecting =
                        from.on(() -> twinning.activeSide.protect(Twinning.DOWNTIME, Twinning.INTERVAL));
                for (int checkpoint = 1; checkpoint <= CHECKPOINTS; checkpoint++) {
                    hold.awaitHeld();
                    List<String> differences = hold.differences();
                    if (start == STARTS && checkpoint == CHECKPOINTS) {
                        hold.spoil("pc.ram", SPOILT);
                        assertThat(hold.differences())
                                .as("the comparison sees what is wrong")
                                .hasSize(differences.size() + 1)
                                .contains("pc.ram+0x" + Long.toHexString(SPOILT & -4096));
                    }
                    line.append(' ').append(differences.size());
                    for (String each : differences) {
                        wrong.add("start " + start + ", checkpoint " + checkpoint + ": " + each);
                    }
                    hold.release();
                    if (checkpoint < CHECKPOINTS) {
                        hold.arm();
                    }
                }
                protecting.get(60, TimeUnit.SECONDS);
                System.out.println(line + "; the guest stood still for "
                        + twinning.activeSide.startPause().toMillis() + " ms");
                if (start % 2 == 1) {
                    twinning.drop();
                    from.get(twinning.activeSide::dissolve);
                    into.get(twinning.standbySide::abandon);
                    continue;
                }
                // The next twin is that of a guest that was a twin itself.
                from.get(() -> {
                    twinning.activeSide.standDown();
                    return CompletableFuture.completedFuture("");
                });
                into.get(twinning.standbySide::takeOver);
                QemuPod left = from;
                left.get(() -> left.guest.kill());
                twinning.drop();
                into.get(twinning.standbySide::committed);
                from = into;
                into = left;
            }
        }
        assertThat(wrong).isEmpty();
    }
}
