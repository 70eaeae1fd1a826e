package dev.pairvm.mirror.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Extent;
import dev.pairvm.mirror.core.Lineage;
import dev.pairvm.mirror.core.Superblock;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A copy on a real block device (a loop device); skipped where this process may not make one. */
@Timeout(60)
class BlockDeviceTest {
    private static final long DEVICE_BYTES = 64 << 20;

    private final IoWorkers workers = new IoWorkers(2);
    private String device = "";

    @TempDir
    Path directory;

    @BeforeEach
    void attach() throws Exception {
        Path backing = directory.resolve("backing");
        try (RandomAccessFile file = new RandomAccessFile(backing.toFile(), "rw")) {
            file.setLength(DEVICE_BYTES);
        }
        String found = run("losetup", "--find", "--show", backing.toString());
        assumeTrue(found.startsWith("/dev/loop"), () -> "no loop device to be had: " + found);
        device = found;
    }

    @AfterEach
    void detach() throws Exception {
        workers.close();
        if (!device.isEmpty()) {
            run("losetup", "--detach", device);
        }
    }

    private static String run(String... command) throws Exception {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            process.waitFor();
            return output;
        } catch (IOException e) {
            return String.valueOf(e.getMessage());
        }
    }

    private CopyStore open(long size) throws DiskSetupException, DiskException {
        MirrorConfig.Disk disk = new MirrorConfig.Disk(
                "root", device, MirrorConfig.Disk.Kind.BLOCK, size, Optional.empty(), Optional.empty());
        return CopyStore.open(List.of(disk), workers, Runnable::run);
    }

    @Test
    void dataAndBookkeepingSurviveReopeningAndGrowing() throws Exception {
        Superblock superblock = new Superblock(
                "m", "l", new CopyId("a"), CopyState.IN_SYNC, new Epoch(1), new Epoch(1), Lineage.BLANK, false);
        long size = 48 << 20;
        try (CopyStore copy = open(size)) {
            assertThat(copy.superblock()).isInstanceOf(StoredSuperblock.Blank.class);
            DiskStore store = copy.disks().getFirst().store();
            ByteBuf payload = Unpooled.directBuffer(512).writeZero(508).writeInt(42);
            store.write(size - 512, payload);
            store.zero(4096, 8192, true);
            store.zero(size - 1024, 512, false);
            store.flush();
            persist(copy, superblock);
        }
        try (CopyStore copy = open(size + (8 << 20))) {
            assertThat(copy.diskBytes()).as("it grows by order only").containsExactly(size);
            assertThat(copy.superblock()).isEqualTo(new StoredSuperblock.Found(superblock));
            assertThat(copy.hot()).containsExactly(new Extent(0, 11));
            ByteBuf target = Unpooled.directBuffer(512);
            copy.disks().getFirst().store().read(size - 512, target, 512);
            assertThat(target.getInt(508)).isEqualTo(42);
        }
    }

    private static void persist(CopyStore copy, Superblock superblock) throws Exception {
        CompletableFuture<String> done = new CompletableFuture<>();
        copy.persistSuperblock(superblock, failure -> done.complete("" + failure));
        assertThat(done.get(20, TimeUnit.SECONDS)).isEqualTo("null");
        CompletableFuture<String> hot = new CompletableFuture<>();
        copy.persistActivityLog(
                List.of(new Extent(0, 11)), List.of(), List.of(), failure -> hot.complete("" + failure));
        assertThat(hot.get(20, TimeUnit.SECONDS)).isEqualTo("null");
    }

    @Test
    void deviceThatIsTooSmallIsRefusedWithTheSizeToAskFor() {
        assertThatThrownBy(() -> open(DEVICE_BYTES))
                .isInstanceOf(DiskSetupException.class)
                .hasMessageContaining("ask for a volume of at least");
    }

    @Test
    void deviceInUseIsRefused() throws Exception {
        try (CopyStore first = open(48 << 20)) {
            assertThat(first.disks()).hasSize(1);
            assertThatThrownBy(() -> open(48 << 20))
                    .isInstanceOf(DiskSetupException.class)
                    .hasMessageContaining("EBUSY");
        }
    }
}
