package dev.pairvm.mirror.store;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.core.DirtyMask;
import dev.pairvm.mirror.core.Extent;
import dev.pairvm.mirror.core.Superblock;
import dev.pairvm.mirror.store.SuperblockRead.Found;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * One copy: all disks of the machine on this host, and what is durably known of them. The unit that is in sync or not is the
 * copy; yet each disk carries the superblock, its own activity log and its own bitmap, so that a lost device takes its
 * bookkeeping with it and can not be vouched for by another.
 *
 * <p>Opening blocks; afterwards everything is to be called on the event loop and completes there. A metadata write that fails
 * closes that disk for writes like a failed data write.
 */
public final class CopyStore implements AutoCloseable {
    private final List<Part> parts;
    private final IoWorkers workers;
    private final Executor loop;
    private final StoredSuperblock stored;
    private long sequence;

    /** A disk with its bookkeeping. */
    private record Part(
            DiskStore store,
            AsyncDisk disk,
            SuperblockSlots superblock,
            ActivityRing activity,
            DirtyBitmap bitmap,
            long bytesAtOpening) {}

    private CopyStore(List<Part> parts, IoWorkers workers, Executor loop, StoredSuperblock stored, long sequence) {
        this.parts = parts;
        this.workers = workers;
        this.loop = loop;
        this.stored = stored;
        this.sequence = sequence;
    }

    /**
     * Opens and locks every disk and reads its metadata.
     *
     * @param disks in the order of the machine, at least one
     * @param loop runs tasks on the event loop
     * @throws DiskSetupException a disk can not be used as configured
     * @throws DiskException a device does not answer
     */
    public static CopyStore open(List<MirrorConfig.Disk> disks, IoWorkers workers, Executor loop)
            throws DiskSetupException, DiskException {
        List<DiskStore> stores = new ArrayList<>();
        try {
            for (MirrorConfig.Disk disk : disks) {
                stores.add(DiskStore.open(disk));
            }
            return over(stores, workers, loop);
        } catch (DiskSetupException | DiskException | RuntimeException e) {
            stores.forEach(DiskStore::close);
            throw e;
        }
    }

    static CopyStore over(List<DiskStore> stores, IoWorkers workers, Executor loop) throws DiskException {
        if (stores.isEmpty()) {
            throw new IllegalArgumentException("a copy needs at least one disk");
        }
        List<Part> parts = new ArrayList<>();
        List<SuperblockRead> reads = new ArrayList<>();
        for (DiskStore store : stores) {
            SuperblockSlots superblock = new SuperblockSlots(store.metadata());
            reads.add(superblock.read());
            int extents = Math.toIntExact(DirtyBitmap.extentsFor(store.sizeBytes()));
            parts.add(new Part(
                    store,
                    new AsyncDisk(store, workers, loop),
                    superblock,
                    ActivityRing.load(store.metadata(), extents),
                    DirtyBitmap.load(store.metadata(), parts.size(), store.sizeBytes()),
                    store.sizeBytes()));
        }
        long sequence = 0;
        for (SuperblockRead read : reads) {
            sequence = read instanceof Found found ? Math.max(sequence, found.sequence()) : sequence;
        }
        return new CopyStore(List.copyOf(parts), workers, loop, SuperblockVerdict.over(reads), sequence);
    }

    /** The disks, in the order of the machine. */
    public List<AsyncDisk> disks() {
        return parts.stream().map(Part::disk).toList();
    }

    /**
     * Since when the oldest read, write or flush of guest data waits that the devices have not answered, 0 if none; event loop only.
     *
     * @param now nanoseconds of the clock that the answer is of; tells the disks the time as well
     */
    public long oldestIoSince(long now) {
        long oldest = 0;
        for (Part part : parts) {
            part.disk().timePassed(now);
            long since = part.disk().oldestSince();
            oldest = oldest == 0 || since != 0 && since < oldest ? since : oldest;
        }
        return oldest;
    }

    /** The superblock as it was found when the copy was opened. */
    public StoredSuperblock superblock() {
        return stored;
    }

    /** The hot extents as they are on the disks now; of a disk whose log is damaged: all. */
    public List<Extent> hot() {
        List<Extent> hot = new ArrayList<>();
        for (int disk = 0; disk < parts.size(); disk++) {
            int index = disk;
            parts.get(disk).activity().hot().stream().forEach(extent -> hot.add(new Extent(index, extent)));
        }
        return hot;
    }

    /** Names of the disks whose activity log was found damaged, so that all of them counts as hot. */
    public List<String> damagedLogs() {
        return parts.stream()
                .filter(part -> part.activity().damaged())
                .map(part -> part.store().name())
                .toList();
    }

    /** The words of the bitmaps that are not 0. */
    public List<DirtyMask> dirty() {
        return parts.stream().flatMap(part -> part.bitmap().dirty().stream()).toList();
    }

    /** How large each disk is by its superblock, or by the configuration where there is none yet. In bytes, as the disks were opened. */
    public List<Long> diskBytes() {
        return parts.stream().map(Part::bytesAtOpening).toList();
    }

    /**
     * Makes room for a larger disk, see {@link DiskStore#makeRoom}; the disk is not larger before a superblock says so.
     *
     * @param done on the event loop: empty, or why there is no room
     */
    public void makeRoom(int disk, long from, long to, Consumer<String> done) {
        Part part = parts.get(disk);
        workers.submit(() -> {
            String outcome = "";
            try {
                part.store().makeRoom(from, to);
                int extents = Math.toIntExact(DirtyBitmap.extentsFor(to));
                part.activity().grow(extents);
                part.bitmap().grow(extents);
            } catch (NoRoomException | DiskException e) {
                outcome = String.valueOf(e.getMessage());
            }
            String why = outcome;
            loop.execute(() -> done.accept(why));
        });
    }

    /** With the sizes that the disks had when they were opened. */
    void persistSuperblock(Superblock superblock, IoCompletion done) {
        persistSuperblock(superblock, diskBytes(), done);
    }

    /** Makes superblock and sizes durable on every disk. At most one may be under way. */
    public void persistSuperblock(Superblock superblock, List<Long> diskBytes, IoCompletion done) {
        byte[] content = SuperblockCodec.encode(superblock);
        long next = ++sequence;
        onWorker(
                done,
                part -> part.superblock()
                        .write(next, part.store().name(), diskBytes.get(parts.indexOf(part)), content));
    }

    /**
     * First makes the masks durable in the bitmaps, then heats and cools extents with one record per disk. At most one of this
     * method and {@link #clearBookkeeping} may be under way.
     *
     * @param dirty each replaces the word of its extent
     */
    public void persistActivityLog(List<Extent> heat, List<Extent> cool, List<DirtyMask> dirty, IoCompletion done) {
        List<BitSet> heats = perDisk(heat);
        List<BitSet> cools = perDisk(cool);
        onWorker(done, part -> {
            int disk = parts.indexOf(part);
            for (DirtyMask mask : dirty) {
                if (mask.disk() == disk) {
                    part.bitmap().set(mask.index(), mask.mask());
                }
            }
            // Safety: a page is durable before an extent that it covers may leave the log.
            part.bitmap().writeDurably();
            if (!heats.get(disk).isEmpty() || !cools.get(disk).isEmpty()) {
                part.activity().commit(heats.get(disk), cools.get(disk));
            }
        });
    }

    /** Empties bitmaps and logs but for these extents; durable when completed. */
    public void clearBookkeeping(List<Extent> keepHot, IoCompletion done) {
        List<BitSet> keep = perDisk(keepHot);
        onWorker(done, part -> {
            part.bitmap().clear();
            part.bitmap().writeDurably();
            part.activity().reset(keep.get(parts.indexOf(part)));
        });
    }

    private List<BitSet> perDisk(List<Extent> extents) {
        List<BitSet> sets = new ArrayList<>();
        parts.forEach(part -> sets.add(new BitSet()));
        for (Extent extent : extents) {
            if (extent.disk() >= parts.size()
                    || extent.index() >= parts.get(extent.disk()).activity().diskExtents()) {
                throw new IllegalArgumentException(extent + " is not on this machine's disks");
            }
            sets.get(extent.disk()).set(extent.index());
        }
        return sets;
    }

    private interface MetadataWrite {
        void to(Part part) throws DiskException;
    }

    private void onWorker(IoCompletion done, MetadataWrite write) {
        workers.submit(() -> {
            DiskException failure = null;
            for (Part part : parts) {
                try {
                    part.store().refuseIfFailed();
                    write.to(part);
                } catch (DiskException e) {
                    // Go on with the other disks: what they say of the copy is to be as true as can be.
                    DiskException first = part.store().latch(e);
                    failure = failure == null ? first : failure;
                }
            }
            DiskException outcome = failure;
            loop.execute(() -> done.ioDone(outcome));
        });
    }

    /** Gives descriptors and locks back. Flushes nothing; nothing may be under way. */
    @Override
    public void close() {
        parts.forEach(part -> part.store().close());
    }
}
