package dev.pairvm.mirror.core.sim;

import dev.pairvm.mirror.core.DirtyMask;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Extent;
import dev.pairvm.mirror.core.Message;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * What one life of a mirror has under way at its disks: each takes its time, may fail, and at the end of that life has happened or not.
 * The disks themselves are {@link SimDisk}'s.
 */
final class SimStore {
    /** One in so many reads for the peer. */
    private static final int UNREADABLE_ON_BOTH = 300;

    private final SimMirror mirror;
    private final SimNode node;
    private final Sim sim;
    /** I/O begun and not finished: at a crash each of them happens or does not. */
    private final Set<Runnable> underWay = new LinkedHashSet<>();

    /** Bookkeeping takes effect in order: at a crash some first ones of these have happened. */
    private final ArrayDeque<Runnable> bookkeeping = new ArrayDeque<>();

    private double bookkeepingFree;

    SimStore(SimMirror mirror) {
        this.mirror = mirror;
        this.node = mirror.node;
        this.sim = mirror.node.sim;
    }

    private double latency() {
        double usual = sim.world.oneIn(30) ? sim.world.between(1, 20) : sim.world.between(0.03, 0.9);
        return sim.slowDisk == node ? usual + sim.world.between(20, 600) : usual;
    }

    private double metadataLatency() {
        return sim.world.between(0.2, 4);
    }

    /** Runs {@code work} when the device is done; at a crash it may or may not have happened. */
    private void io(double millis, Runnable work) {
        underWay.add(work);
        double stall = Math.max(0, node.diskStalledUntil - sim.world.now()) / (double) World.MILLI;
        sim.world.afterMillis(stall + millis, () -> {
            if (underWay.remove(work)) {
                work.run();
            }
        });
    }

    private void bookkeep(Runnable work, long token) {
        double at = Math.max(Math.max(bookkeepingFree, node.diskStalledUntil), sim.world.now())
                + metadataLatency() * World.MILLI;
        bookkeepingFree = at;
        bookkeeping.add(work);
        sim.world.after((long) (at - sim.world.now()), () -> {
            if (mirror.alive() && sim.diskFaults.metadataFails(node)) {
                bookkeeping.remove();
                mirror.deliver(new Event.LocalFailed(token, 5, Event.LocalFailed.Kind.METADATA));
            } else if (mirror.alive()) {
                bookkeeping.remove().run();
                mirror.deliver(new Event.BookkeepingPersisted(token));
            }
        });
    }

    void persist(Effect.PersistSuperblock e) {
        io(metadataLatency(), () -> {
            if (sim.diskFaults.metadataFails(node)) {
                mirror.deliver(new Event.LocalFailed(e.token(), 5, Event.LocalFailed.Kind.METADATA));
                return;
            }
            node.disk.superblock = e.superblock();
            node.disk.sizes = e.diskBytes();
            mirror.deliver(new Event.SuperblockPersisted(e.token()));
        });
    }

    void makeRoom(Effect.MakeRoom e) {
        io(latency() + sim.world.between(0.1, 30), () -> {
            if (!sim.calm && sim.world.oneIn(8)) {
                mirror.deliver(new Event.NoRoom(e.token(), "the volume is too small"));
                return;
            }
            node.disk.zero(e.disk(), e.fromBytes(), e.toBytes());
            mirror.deliver(new Event.RoomMade(e.token()));
        });
    }

    void persist(Effect.PersistActivityLog e) {
        bookkeep(() -> heat(e), e.token());
    }

    void clear(Effect.ClearBookkeeping e) {
        bookkeep(
                () -> {
                    node.disk.dirty.clear();
                    node.disk.hot.clear();
                    e.keepHot().forEach(x -> node.disk.hot.add(SimDisk.key(x.disk(), x.index())));
                },
                e.token());
    }

    private void heat(Effect.PersistActivityLog e) {
        for (DirtyMask mask : e.dirty()) {
            node.disk.dirty.put(SimDisk.key(mask.disk(), mask.index()), mask.mask());
        }
        e.cool().forEach(x -> node.disk.hot.remove(SimDisk.key(x.disk(), x.index())));
        e.heat().forEach(x -> node.disk.hot.add(SimDisk.key(x.disk(), x.index())));
        if (!e.cool().isEmpty()) {
            sim.world.met(World.Branch.EXTENT_COOLED);
        }
    }

    void hash(Effect.HashLocal e) {
        io(latency(), () -> {
            int first = node.disk.cell(e.disk(), e.offset());
            boolean fails = sim.diskFaults.readFails(node, first, e.length() / SimDisk.CELL);
            mirror.deliver(
                    fails
                            ? new Event.LocalFailed(e.io(), 5, Event.LocalFailed.Kind.READ, e.disk())
                            : new Event.LocalHashed(e.io(), node.disk.hash(e.disk(), e.offset(), e.length())));
        });
    }

    void hash(Effect.HashPieces e) {
        io(latency(), () -> {
            boolean fails = false;
            for (long left = e.chunks(); left != 0; left &= left - 1) {
                long chunk =
                        (long) e.extent() * Extent.BYTES + (long) Long.numberOfTrailingZeros(left) * Extent.CHUNK_BYTES;
                int first = node.disk.cell(e.disk(), chunk);
                int count = Math.min(Extent.CHUNK_BYTES / SimDisk.CELL, node.disk.firstCell[e.disk() + 1] - first);
                fails |= sim.diskFaults.readFails(node, first, count);
            }
            mirror.deliver(
                    fails
                            ? new Event.LocalFailed(e.io(), 5, Event.LocalFailed.Kind.READ, e.disk())
                            : new Event.PiecesHashed(e.io(), node.disk.pieces(e)));
        });
    }

    void write(long io, int disk, long offset, long[] words, boolean fua) {
        int first = node.disk.cell(disk, offset);
        if (sim.diskErrors && sim.world.oneIn(60) || sim.diskFaults.writeFails(node)) {
            sim.world.met(World.Branch.DISK_ERROR);
            sim.diskFaults.failed(node);
            io(latency(), () -> mirror.deliver(new Event.LocalFailed(io, 5, Event.LocalFailed.Kind.WRITE)));
            return;
        }
        io(latency(), () -> {
            boolean whole = mirror.alive();
            for (int i = 0; i < words.length; i++) {
                if (whole || sim.world.oneIn(2)) {
                    sim.diskFaults.rewritten(node, first + i);
                    node.disk.write(first + i, words[i]);
                    sim.invariants.written(node, first + i);
                }
            }
            if (whole && fua) {
                Map<Integer, Long> covered = node.disk.beginFlush(disk);
                covered.keySet().removeIf(cell -> cell < first || cell >= first + words.length);
                node.disk.endFlush(covered);
            }
            mirror.deliver(new Event.LocalWriteDone(io));
        });
    }

    void read(Effect.ReadLocal e) {
        SimGuest.Request asked = mirror.request(e.request());
        Object place = asked == null ? this : asked.place;
        if (asked != null) {
            asked.readLocally = true;
        }
        io(latency(), () -> {
            if (asked != null && asked.place == place) {
                asked.readLocally = false;
            }
            int count = e.length() / SimDisk.CELL;
            if (sim.diskFaults.readFails(node, node.disk.cell(e.disk(), e.offset()), count)) {
                mirror.deliver(new Event.LocalFailed(e.io(), 5, Event.LocalFailed.Kind.READ, e.disk()));
                return;
            }
            SimGuest.Request request = mirror.request(e.request());
            if (request != null && request.place == place) {
                long[] words = new long[e.length() / SimDisk.CELL];
                for (int i = 0; i < words.length; i++) {
                    words[i] = node.disk.read(node.disk.cell(e.disk(), e.offset()) + i);
                }
                request.read = words;
            }
            mirror.deliver(new Event.LocalReadDone(e.io()));
        });
    }

    void flush(Effect.FlushLocal e) {
        Map<Integer, Long> covered = node.disk.beginFlush(e.disk());
        io(latency() + sim.world.between(0.1, 3), () -> {
            if (mirror.alive() && sim.diskFaults.flushFails(node)) {
                sim.diskFaults.failed(node);
                mirror.deliver(new Event.LocalFailed(e.io(), 5, Event.LocalFailed.Kind.FLUSH, e.disk()));
                return;
            }
            node.disk.endFlush(covered);
            mirror.deliver(new Event.LocalFlushDone(e.io()));
        });
    }

    void sendRange(Effect.SendRange e) {
        SimNode to = sim.node(e.peer());
        SimNet.Connection over = mirror.connection(to);
        int first = node.disk.cell(e.disk(), e.offset());
        io(latency(), () -> {
            // The other copy's device is the one that fails; once in a while this one can not read the same place
            // either.
            if (sim.diskFaults.readFails(node, first, e.message().length() / SimDisk.CELL)
                    || sim.diskFaults.any() && sim.world.oneIn(UNREADABLE_ON_BOTH)) {
                mirror.deliver(new Event.LocalFailed(e.io(), 5, Event.LocalFailed.Kind.READ, e.disk()));
                return;
            }
            if (mirror.alive() && mirror.connection(to) == over) {
                sim.net.send(
                        mirror,
                        to,
                        new SimNet.Frame(e.message(), cells(first, e.message().length())));
            }
            mirror.deliver(new Event.LocalReadDone(e.io()));
        });
    }

    private long[] cells(int first, int length) {
        long[] words = new long[length / SimDisk.CELL];
        for (int i = 0; i < words.length; i++) {
            words[i] = node.disk.read(first + i);
        }
        return words;
    }

    void sendChunk(Effect.SendChunk e) {
        Message.ResyncData m = e.message();
        SimNode to = sim.node(e.peer());
        SimNet.Connection over = mirror.connection(to);
        io(latency(), () -> {
            if (sim.diskFaults.readFails(node, node.disk.cell(m.disk(), m.offset()), m.length() / SimDisk.CELL)) {
                mirror.deliver(new Event.ChunkUnreadable(m.seq(), 5));
                return;
            }
            if (mirror.alive() && mirror.connection(to) == over) {
                long[] words = new long[m.length() / SimDisk.CELL];
                for (int i = 0; i < words.length; i++) {
                    words[i] = node.disk.read(node.disk.cell(m.disk(), m.offset()) + i);
                }
                sim.net.send(mirror, to, new SimNet.Frame(m, words));
            }
        });
    }

    /** The life ends: what is under way has happened, or never will. */
    void die() {
        Collection<Runnable> open = new ArrayList<>(underWay);
        underWay.clear();
        for (Runnable work : open) {
            if (sim.world.oneIn(2)) {
                work.run();
            }
        }
        for (int done = sim.world.below(bookkeeping.size() + 1); done > 0; done--) {
            bookkeeping.remove().run();
        }
    }
}
