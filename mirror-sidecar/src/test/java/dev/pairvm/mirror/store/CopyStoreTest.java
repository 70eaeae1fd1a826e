package dev.pairvm.mirror.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.DirtyMask;
import dev.pairvm.mirror.core.Extent;
import dev.pairvm.mirror.core.Lineage;
import dev.pairvm.mirror.core.Superblock;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A copy on real files. */
@Timeout(30)
class CopyStoreTest {
    private static final long SIZE = 64 << 20;
    private static final Lineage LINEAGE = new Lineage(5, 4, List.of(4L, 3L));

    private final IoWorkers workers = new IoWorkers(4);
    private final ExecutorService loop = Executors.newSingleThreadExecutor();

    @TempDir
    Path directory;

    @AfterEach
    void stop() {
        workers.close();
        loop.shutdown();
    }

    private MirrorConfig.Disk disk(String name, long size) throws IOException {
        Path path = Files.createDirectories(directory.resolve(name));
        return new MirrorConfig.Disk(
                name, path.toString(), MirrorConfig.Disk.Kind.FILE, size, Optional.empty(), Optional.empty());
    }

    private CopyStore open(MirrorConfig.Disk... disks) throws DiskSetupException, DiskException {
        return CopyStore.open(List.of(disks), workers, loop);
    }

    private static Superblock superblock(CopyState state) {
        return new Superblock("machine", "lease", new CopyId("a"), state, new Epoch(2), new Epoch(3), LINEAGE, false);
    }

    private interface Start {
        void with(IoCompletion done);
    }

    private @Nullable DiskException outcome(Start start) throws Exception {
        CompletableFuture<Optional<DiskException>> outcome = new CompletableFuture<>();
        loop.execute(() -> start.with(failure -> outcome.complete(Optional.ofNullable(failure))));
        return outcome.get(20, TimeUnit.SECONDS).orElse(null);
    }

    @Test
    void newCopyIsBlankSparseAndOfTheSizeConfigured() throws Exception {
        try (CopyStore copy = open(disk("root", SIZE))) {
            assertThat(copy.superblock()).isInstanceOf(StoredSuperblock.Blank.class);
            assertThat(copy.hot()).isEmpty();
            assertThat(copy.dirty()).isEmpty();
            assertThat(Files.size(directory.resolve("root/disk.img"))).isEqualTo(SIZE);
            List<String> extents = new ArrayList<>();
            copy.disks()
                    .getFirst()
                    .store()
                    .blockMap(0, SIZE, (at, length, hole) -> extents.add(at + "+" + length + hole));
            assertThat(extents).containsExactly("0+" + SIZE + "true");
        }
    }

    @Test
    void whatWasPersistedIsFoundAgain() throws Exception {
        MirrorConfig.Disk root = disk("root", SIZE);
        MirrorConfig.Disk data = disk("data", SIZE);
        try (CopyStore copy = open(root, data)) {
            assertThat(outcome(done -> copy.persistSuperblock(superblock(CopyState.SYNCING), done)))
                    .isNull();
            assertThat(outcome(done -> copy.persistSuperblock(superblock(CopyState.IN_SYNC), done)))
                    .isNull();
            assertThat(outcome(done -> copy.persistActivityLog(
                            List.of(new Extent(0, 1), new Extent(1, 15)),
                            List.of(),
                            List.of(new DirtyMask(1, 3, 9)),
                            done)))
                    .isNull();
        }
        try (CopyStore copy = open(root, data)) {
            assertThat(copy.superblock()).isEqualTo(new StoredSuperblock.Found(superblock(CopyState.IN_SYNC)));
            assertThat(copy.hot()).containsExactly(new Extent(0, 1), new Extent(1, 15));
            assertThat(copy.dirty()).containsExactly(new DirtyMask(1, 3, 9));
            assertThat(outcome(done -> copy.clearBookkeeping(List.of(new Extent(0, 2)), done)))
                    .isNull();
        }
        try (CopyStore copy = open(root, data)) {
            assertThat(copy.hot()).containsExactly(new Extent(0, 2));
            assertThat(copy.dirty()).isEmpty();
            assertThat(copy.damagedLogs()).isEmpty();
        }
    }

    @Test
    void extentThatNoDiskHasIsRefused() throws Exception {
        try (CopyStore copy = open(disk("root", SIZE))) {
            for (Extent extent : List.of(new Extent(0, 16), new Extent(1, 0))) {
                assertThatThrownBy(() -> copy.persistActivityLog(List.of(extent), List.of(), List.of(), failure -> {}))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("not on this machine's disks");
            }
        }
    }

    @Test
    void secondMirrorIsLockedOut() throws Exception {
        MirrorConfig.Disk root = disk("root", SIZE);
        try (CopyStore first = open(root)) {
            assertThat(first.disks()).hasSize(1);
            assertThatThrownBy(() -> open(root))
                    .isInstanceOf(DiskSetupException.class)
                    .hasMessageContaining("locked by another process");
        }
        open(root).close();
    }

    @Test
    void growingKeepsDataAndBookkeeping() throws Exception {
        try (CopyStore copy = open(disk("root", SIZE))) {
            outcome(done -> copy.persistSuperblock(superblock(CopyState.IN_SYNC), done));
            outcome(done -> copy.persistActivityLog(
                    List.of(new Extent(0, 3)), List.of(), List.of(new DirtyMask(0, 2, 5)), done));
        }
        // The wish alone changes nothing: a copy grows together with its peer.
        MirrorConfig.Disk wished = disk("root", 2 * SIZE);
        try (CopyStore copy = open(wished)) {
            assertThat(copy.diskBytes()).containsExactly(SIZE);
            CompletableFuture<String> room = new CompletableFuture<>();
            copy.makeRoom(0, SIZE, 2 * SIZE, room::complete);
            assertThat(room.get(20, TimeUnit.SECONDS)).isEmpty();
            assertThat(Files.size(directory.resolve("root/disk.img"))).isEqualTo(2 * SIZE);
        }
        try (CopyStore copy = open(wished)) {
            assertThat(copy.diskBytes())
                    .as("room is not size before the superblock says so")
                    .containsExactly(SIZE);
            CompletableFuture<String> room = new CompletableFuture<>();
            copy.makeRoom(0, SIZE, 2 * SIZE, room::complete);
            assertThat(room.get(20, TimeUnit.SECONDS)).isEmpty();
            outcome(done -> copy.persistSuperblock(superblock(CopyState.IN_SYNC), List.of(2 * SIZE), done));
            outcome(done -> copy.persistActivityLog(
                    List.of(new Extent(0, 31)), List.of(), List.of(new DirtyMask(0, 31, 1)), done));
        }
        try (CopyStore copy = open(wished)) {
            assertThat(copy.diskBytes()).containsExactly(2 * SIZE);
            assertThat(copy.superblock()).isEqualTo(new StoredSuperblock.Found(superblock(CopyState.IN_SYNC)));
            assertThat(copy.hot()).containsExactly(new Extent(0, 3), new Extent(0, 31));
            assertThat(copy.dirty()).containsExactly(new DirtyMask(0, 2, 5), new DirtyMask(0, 31, 1));
        }
    }

    @Test
    void shrinkingIsRefused() throws Exception {
        open(disk("root", SIZE)).close();
        assertThatThrownBy(() -> open(disk("root", SIZE / 2)))
                .isInstanceOf(DiskSetupException.class)
                .hasMessageContaining("can not be made smaller");
        assertThat(Files.size(directory.resolve("root/disk.img"))).isEqualTo(SIZE);
    }

    @Test
    void lostImageIsNeverReplacedByAnEmptyOne() throws Exception {
        MirrorConfig.Disk root = disk("root", SIZE);
        try (CopyStore copy = open(root)) {
            outcome(done -> copy.persistSuperblock(superblock(CopyState.IN_SYNC), done));
        }
        Path image = directory.resolve("root/disk.img");
        Files.delete(image);
        assertThatThrownBy(() -> open(root))
                .isInstanceOf(DiskSetupException.class)
                .hasMessageContaining("is gone");
        assertThat(image).doesNotExist();
        try (RandomAccessFile truncated = new RandomAccessFile(image.toFile(), "rw")) {
            truncated.setLength(SIZE - 512);
        }
        assertThatThrownBy(() -> open(root))
                .isInstanceOf(DiskSetupException.class)
                .hasMessageContaining("this copy is lost");
    }

    @Test
    void swappedVolumesAreNoticed() throws Exception {
        try (CopyStore copy = open(disk("root", SIZE), disk("data", SIZE))) {
            outcome(done -> copy.persistSuperblock(superblock(CopyState.IN_SYNC), done));
        }
        Files.move(directory.resolve("root"), directory.resolve("x"));
        Files.move(directory.resolve("data"), directory.resolve("root"));
        Files.move(directory.resolve("x"), directory.resolve("data"));
        assertThatThrownBy(() -> open(disk("root", SIZE), disk("data", SIZE)))
                .isInstanceOf(DiskSetupException.class)
                .hasMessageContaining("mounted in each other's place");
    }

    @Test
    void missingDirectoryAndOddSizesAreNamed() {
        assertThatThrownBy(() -> open(new MirrorConfig.Disk(
                        "root",
                        directory.resolve("nowhere").toString(),
                        MirrorConfig.Disk.Kind.FILE,
                        SIZE,
                        Optional.empty(),
                        Optional.empty())))
                .isInstanceOf(DiskSetupException.class)
                .hasMessageContaining("nowhere is not a directory");
        assertThatThrownBy(() -> open(disk("root", 1000)))
                .isInstanceOf(DiskSetupException.class)
                .hasMessageContaining("multiple of 512, got 1000");
        assertThatThrownBy(() -> open(new MirrorConfig.Disk(
                        "root",
                        directory.toString(),
                        MirrorConfig.Disk.Kind.BLOCK,
                        SIZE,
                        Optional.empty(),
                        Optional.empty())))
                .isInstanceOf(DiskSetupException.class)
                .hasMessageContaining("mode Block");
    }

    /** A disk that was there before the mirror (imported by the operator) keeps its content. */
    @Test
    void importedImageIsServedAsItIs() throws Exception {
        MirrorConfig.Disk root = disk("root", SIZE);
        Files.write(directory.resolve("root/disk.img"), new byte[] {1, 2, 3});
        try (CopyStore copy = open(root)) {
            assertThat(copy.superblock()).isInstanceOf(StoredSuperblock.Blank.class);
            ByteBuf target = Unpooled.directBuffer(4);
            copy.disks().getFirst().store().read(0, target, 4);
            assertThat(target).isEqualTo(Unpooled.wrappedBuffer(new byte[] {1, 2, 3, 0}));
        }
    }

    @Test
    void failedMetadataWriteClosesTheDiskAndIsReported() throws Exception {
        SimFile image = new SimFile(8 << 20);
        SimFile metadata = new SimFile(2 << 20);
        DiskStore store = new DiskStore("root", 8 << 20, image, new MetadataArea(metadata, 0, 2 << 20, true));
        SimFile otherMetadata = new SimFile(2 << 20);
        DiskStore other =
                new DiskStore("data", 8 << 20, new SimFile(8 << 20), new MetadataArea(otherMetadata, 0, 2 << 20, true));
        try (CopyStore copy = CopyStore.over(List.of(store, other), workers, loop)) {
            metadata.failWrites(0, 2 << 20, Errno.EIO);
            DiskException failure = outcome(done -> copy.persistSuperblock(superblock(CopyState.FAILED), done));
            assertThat(failure).isNotNull().hasMessageContaining("EIO");
            assertThat(store.failure()).contains(failure);
            assertThat(other.failure()).isEmpty();
        }
        assertThat(image.isClosed()).isTrue();
        assertThat(new SuperblockSlots(new MetadataArea(otherMetadata, 0, 2 << 20, true)).read())
                .as("the healthy disk still says what happened")
                .isInstanceOf(SuperblockRead.Found.class);
    }
}
