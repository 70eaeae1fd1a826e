package dev.pairvm.mirror.core.sim;

import dev.pairvm.mirror.core.ChunkHash;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Extent;
import dev.pairvm.mirror.core.Lineage;
import dev.pairvm.mirror.core.PieceHash;
import dev.pairvm.mirror.core.Superblock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The disks of one copy: cells with a volatile cache, of which a power loss keeps any subset per cell; and the metadata beside
 * them. Offsets are bytes, cells 16 KiB.
 */
final class SimDisk {
    static final int CELL = 16 << 10;

    final int[] firstCell;
    /** How large the volumes are, and a fresh copy's disks. */
    private final List<Long> most;
    /** How large the disks are, as it is written beside the superblock. */
    List<Long> sizes;

    final int cells;
    private long[] visible;

    private record Cached(long word, long order) {}

    private long order;
    private final Map<Integer, List<Cached>> cached = new TreeMap<>();
    private long[] stable;
    /** Cells that a power loss set back to an older value that a guest may have had acknowledged but not flushed. */
    final boolean[] setBack;

    /** The volume was replaced: this copy is listed in sync only until the active notices. */
    boolean replaced;

    @Nullable
    Superblock superblock;

    TreeSet<Long> hot = new TreeSet<>();
    TreeMap<Long, Long> dirty = new TreeMap<>();

    /** Beyond the sizes lies what was there before. */
    SimDisk(List<Long> diskBytes, List<Long> sizes, World world) {
        this.most = List.copyOf(diskBytes);
        this.sizes = List.copyOf(sizes);
        firstCell = new int[diskBytes.size() + 1];
        for (int i = 0; i < diskBytes.size(); i++) {
            firstCell[i + 1] = firstCell[i] + (int) (diskBytes.get(i) / CELL);
        }
        cells = firstCell[diskBytes.size()];
        visible = new long[cells];
        stable = new long[cells];
        setBack = new boolean[cells];
        litter(world);
    }

    private void litter(World world) {
        for (int disk = 0; disk < sizes.size(); disk++) {
            for (int cell = cell(disk, sizes.get(disk)); cell < firstCell[disk + 1]; cell++) {
                visible[cell] = world.word();
                stable[cell] = visible[cell];
            }
        }
    }

    /** Whether the cell is part of a disk, and not of what lies beyond its end. */
    boolean has(int cell) {
        for (int disk = 0; disk < sizes.size(); disk++) {
            if (cell < firstCell[disk + 1]) {
                return cell < cell(disk, sizes.get(disk));
            }
        }
        return false;
    }

    /** Durably. */
    void zero(int disk, long from, long to) {
        for (int cell = cell(disk, from); cell < cell(disk, to); cell++) {
            visible[cell] = 0;
            stable[cell] = 0;
            cached.remove(cell);
            setBack[cell] = false;
        }
    }

    int cell(int disk, long offset) {
        return firstCell[disk] + (int) (offset / CELL);
    }

    long read(int cell) {
        return visible[cell];
    }

    void write(int cell, long word) {
        visible[cell] = word;
        setBack[cell] = false;
        cached.computeIfAbsent(cell, c -> new ArrayList<>(2)).add(new Cached(word, ++order));
    }

    /** The cell changes by itself, cache or not. */
    void rot(int cell, long word) {
        visible[cell] = word;
        stable[cell] = word;
        cached.remove(cell);
    }

    /** What a flush that begins now will make stable, by cell the last cached value. */
    Map<Integer, Long> beginFlush(int disk) {
        Map<Integer, Long> covered = new HashMap<>();
        for (var entry : cached.entrySet()) {
            if (entry.getKey() >= firstCell[disk] && entry.getKey() < firstCell[disk + 1]) {
                covered.put(entry.getKey(), entry.getValue().getLast().order());
            }
        }
        return covered;
    }

    void endFlush(Map<Integer, Long> covered) {
        covered.forEach((cell, last) -> {
            List<Cached> values = cached.get(cell);
            if (values == null) {
                return;
            }
            while (!values.isEmpty() && values.getFirst().order() <= last) {
                stable[cell] = values.removeFirst().word();
            }
            if (values.isEmpty()) {
                cached.remove(cell);
            }
        });
    }

    /** After a failed flush the cache forgets what it could not write: every cached cell falls to what is stable. */
    void dropCache() {
        cached.keySet().forEach(cell -> visible[cell] = stable[cell]);
        cached.clear();
    }

    /** Every cached cell falls to any value it had since the last flush. Gives the cells that changed. */
    List<Integer> losePower(World world) {
        List<Integer> changed = new ArrayList<>();
        cached.forEach((cell, values) -> {
            int pick = world.below(values.size() + 1);
            long word = pick == 0 ? stable[cell] : values.get(pick - 1).word();
            stable[cell] = word;
            if (visible[cell] != word) {
                visible[cell] = word;
                changed.add(cell);
            }
        });
        cached.clear();
        return changed;
    }

    /** The volume is replaced by a blank one, as large as volumes are made now; nothing of it counts before it is filled. */
    void wipe(World world) {
        visible = new long[cells];
        stable = new long[cells];
        cached.clear();
        superblock = null;
        hot = new TreeSet<>();
        dirty = new TreeMap<>();
        sizes = most;
        if (world.oneIn(2)) {
            for (int cell = 0; cell < cells; cell++) {
                visible[cell] = world.word();
                stable[cell] = visible[cell];
            }
        }
    }

    List<ChunkHash> hash(int disk, long offset, int length) {
        List<ChunkHash> hashes = new ArrayList<>();
        for (long chunk = offset; chunk < offset + length; chunk += Extent.CHUNK_BYTES) {
            long a = 0;
            long b = 0;
            boolean zero = true;
            for (long at = chunk; at < Math.min(chunk + Extent.CHUNK_BYTES, offset + length); at += CELL) {
                long word = visible[cell(disk, at)];
                zero &= word == 0;
                a = a * 0x9E3779B97F4A7C15L + word + 1;
                b = Long.rotateLeft(b ^ word, 17) * 0xBF58476D1CE4E5B9L + 7;
            }
            hashes.add(zero ? ChunkHash.ZERO : new ChunkHash(a, b, 1, 1));
        }
        return hashes;
    }

    List<PieceHash> pieces(Effect.HashPieces hash) {
        List<PieceHash> hashes = new ArrayList<>();
        for (long left = hash.chunks(); left != 0; left &= left - 1) {
            long chunk =
                    (long) hash.extent() * Extent.BYTES + (long) Long.numberOfTrailingZeros(left) * Extent.CHUNK_BYTES;
            long end = Math.min(chunk + Extent.CHUNK_BYTES, hash.diskBytes());
            for (long at = chunk; at < end; at += PieceHash.PIECE_BYTES) {
                long word = visible[cell(hash.disk(), at)];
                hashes.add(word == 0 ? PieceHash.ZERO : new PieceHash(word * 0x9E3779B97F4A7C15L + hash.salt(), 1));
            }
        }
        return hashes;
    }

    Lineage lineage() {
        return superblock == null ? Lineage.BLANK : superblock.lineage();
    }

    static long key(int disk, int index) {
        return (long) disk << 32 | index;
    }

    /** Whether a difference at this chunk is known to this copy's bookkeeping. */
    boolean names(int disk, long offset) {
        int index = (int) (offset / Extent.BYTES);
        int bit = (int) (offset % Extent.BYTES / Extent.CHUNK_BYTES);
        return hot.contains(key(disk, index)) || (dirty.getOrDefault(key(disk, index), 0L) >>> bit & 1) != 0;
    }
}
