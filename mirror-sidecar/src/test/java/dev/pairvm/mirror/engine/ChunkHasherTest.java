package dev.pairvm.mirror.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.core.Extent;
import dev.pairvm.mirror.core.PieceHash;
import dev.pairvm.mirror.store.CopyStore;
import dev.pairvm.mirror.store.DiskStore;
import dev.pairvm.mirror.store.IoWorkers;
import io.netty.buffer.PooledByteBufAllocator;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Hashes of pieces, on a real file. */
class ChunkHasherTest {
    /** One extent and a chunk, of which the last piece is short. */
    private static final long DISK_BYTES = Extent.BYTES + 3 * 4096 + 512;

    @TempDir
    Path dir;

    @Test
    void piecesAreHashedInOrderAndTheDiskMayEndWithinOne() throws Exception {
        IoWorkers workers = IoWorkers.forDisks(1);
        var disk = new MirrorConfig.Disk(
                "root", dir.toString(), MirrorConfig.Disk.Kind.FILE, DISK_BYTES, Optional.empty(), Optional.empty());
        try (CopyStore copy = CopyStore.open(List.of(disk), workers, Runnable::run)) {
            DiskStore store = copy.disks().getFirst().store();
            write(store, 5L * Extent.CHUNK_BYTES + 4096, MirrorPair.pattern(1, 4096));
            write(store, 63L * Extent.CHUNK_BYTES, MirrorPair.pattern(1, 4096));
            write(store, DISK_BYTES - 512, MirrorPair.pattern(2, 512));

            List<PieceHash> first = ChunkHasher.pieces(store, 0, 1L << 5 | 1L << 63, DISK_BYTES, 77);
            assertThat(first).hasSize(32);
            assertThat(first.get(1)).isEqualTo(first.get(16)).isNotEqualTo(PieceHash.ZERO);
            assertThat(new HashSet<>(first)).hasSize(2);

            List<PieceHash> last = ChunkHasher.pieces(store, 1, 1, DISK_BYTES, 77);
            assertThat(last).hasSize(4);
            assertThat(last.getLast()).isNotEqualTo(PieceHash.ZERO);

            assertThat(ChunkHasher.pieces(store, 0, 1L << 5, DISK_BYTES, 78).get(1))
                    .as("another session")
                    .isNotEqualTo(first.get(1));
        } finally {
            workers.close();
        }
    }

    private static void write(DiskStore store, long offset, byte[] bytes) throws Exception {
        var buffer = PooledByteBufAllocator.DEFAULT.directBuffer(bytes.length).writeBytes(bytes);
        store.write(offset, buffer);
        buffer.release();
    }
}
