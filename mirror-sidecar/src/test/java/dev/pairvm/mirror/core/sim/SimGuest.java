package dev.pairvm.mirror.core.sim;

import dev.pairvm.mirror.core.Event;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A running guest: writes words of its own, also overlapping ones; flushes, reads, and holds what it sees against the oracle. */
final class SimGuest {
    private static final int EINVAL = 22;
    private static final int MOST_OUTSTANDING = 8;

    enum Kind {
        WRITE,
        ZERO,
        FLUSH,
        READ
    }

    /** One request over all the times that it is sent. */
    static final class Request {
        final Kind kind;
        final int disk;
        final int first;
        final int count;
        final boolean fua;
        final long word;
        final long issued;
        long[] read = {};
        /** Where a read puts its bytes: another one from when it was abandoned to a device that has not answered. */
        Object place = new Object();

        boolean readLocally;

        Request(Kind kind, int disk, int first, int count, boolean fua, long word, long issued) {
            this.kind = kind;
            this.disk = disk;
            this.first = first;
            this.count = count;
            this.fua = fua;
            this.word = word;
            this.issued = issued;
        }

        @Override
        public String toString() {
            return kind + " d" + disk + "+" + first + "x" + count + (fua ? " fua " : " ") + Long.toHexString(word);
        }
    }

    private final Sim sim;
    SimNode node;
    boolean frozen;
    boolean paused;
    private boolean dead;
    boolean moving;
    private final Map<Request, Long> outstanding = new LinkedHashMap<>();

    SimGuest(Sim sim, SimNode node) {
        this.sim = sim;
        this.node = node;
        next();
    }

    private void next() {
        double gap = sim.quiet() ? 40 : sim.world.oneIn(40) ? sim.world.between(20, 120) : sim.world.between(0.3, 4);
        sim.world.afterMillis(gap, () -> {
            if (!dead) {
                if (!frozen && !paused && !node.paused() && outstanding.size() < MOST_OUTSTANDING && !sim.quiet()) {
                    issue();
                }
                if (!frozen && !paused && !node.paused()) {
                    sim.twin.speaks(this);
                }
                next();
            }
        });
    }

    private void issue() {
        World world = sim.world;
        int disk = world.below(sim.diskBytes.size());
        int cells = (int) (node.served.get(disk) / SimDisk.CELL);
        int dice = world.below(100);
        Kind kind = dice < 58 ? Kind.WRITE : dice < 64 ? Kind.ZERO : dice < 74 ? Kind.FLUSH : Kind.READ;
        // Now and then close to the end, where it is when a disk grows.
        int first = world.oneIn(2)
                ? world.below(Math.min(12, cells))
                : world.oneIn(4) ? cells - 1 - world.below(8) : world.below(cells);
        int count = kind == Kind.FLUSH ? 0 : Math.min(cells - first, 1 + world.below(world.oneIn(10) ? 24 : 5));
        long word = kind == Kind.WRITE ? world.word() : 0;
        Request request = new Request(kind, disk, first, count, world.oneIn(8), word, sim.oracle.point());
        if (kind == Kind.WRITE || kind == Kind.ZERO) {
            for (int cell = 0; cell < count; cell++) {
                sim.oracle.issued(node.disk.firstCell[disk] + first + cell, word, request.issued);
            }
        }
        outstanding.put(request, 0L);
        send(request);
    }

    private void send(Request request) {
        SimMirror mirror = node.mirror;
        if (mirror != null) {
            long number = mirror.accept(request);
            outstanding.put(request, number);
            long offset = (long) request.first * SimDisk.CELL;
            int length = request.count * SimDisk.CELL;
            mirror.deliver(
                    switch (request.kind) {
                        case WRITE, ZERO ->
                            new Event.WriteReceived(
                                    number, request.disk, offset, length, request.kind == Kind.ZERO, request.fua);
                        case FLUSH -> new Event.FlushReceived(number, request.disk);
                        case READ -> new Event.ReadReceived(number, request.disk, offset, length);
                    });
        }
    }

    /** The mirror restarted: QEMU sends again what was not answered. */
    void reconnected() {
        List<Request> again = new ArrayList<>(outstanding.keySet());
        while (!again.isEmpty()) {
            send(again.remove(sim.world.below(again.size())));
        }
    }

    void replied(Request request, int errno) {
        if (dead || outstanding.remove(request) == null) {
            return;
        }
        Checks.that(
                errno != EINVAL, "a guest meets no end of a disk that it sees", () -> request + " of " + node.served);
        if (errno != 0) {
            sim.world.met(World.Branch.GUEST_SAW_AN_ERROR);
            return;
        }
        long at = sim.oracle.point();
        int base = node.disk.firstCell[request.disk];
        switch (request.kind) {
            case WRITE, ZERO -> {
                for (int cell = base + request.first; cell < base + request.first + request.count; cell++) {
                    sim.oracle.acknowledged(cell, request.word, request.issued, at, request.fua);
                    sim.invariants.cell(cell, "I1 when acknowledged");
                }
            }
            case FLUSH -> sim.oracle.flushed(base, node.disk.firstCell[request.disk + 1], request.issued);
            case READ -> {
                for (int i = 0; i < request.count; i++) {
                    int cell = base + request.first + i;
                    long word = request.read[i];
                    if (sim.rot.is(word)) {
                        continue;
                    }
                    Checks.that(
                            sim.oracle.mayRead(cell, word, request.issued),
                            "reads are linearizable",
                            () -> "cell " + cell + " read as " + Long.toHexString(word) + " by " + request + ", history"
                                    + sim.oracle.describe(cell));
                    sim.oracle.seen(cell, word, at);
                }
            }
        }
    }

    boolean drained() {
        return outstanding.isEmpty();
    }

    @Override
    public String toString() {
        return outstanding.toString();
    }

    void die() {
        dead = true;
    }

    boolean dead() {
        return dead;
    }

    @Nullable
    SimNode where() {
        return dead ? null : node;
    }
}
