package dev.pairvm.mirror.core.sim;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Role;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One host: its clock, its power, its disk, the mirror process and the guest on it, and the kernel's gate. */
final class SimNode {
    final CopyId copy;
    /** Counts up in the order in which copies were made. */
    final int number;

    final Sim sim;
    final SimDisk disk;
    private double rate;
    private long base;
    boolean up = true;
    long pausedUntil;
    long diskStalledUntil;
    /** The kind of effect that its process does not survive, empty if none. */
    String killIn = "";

    @Nullable
    SimMirror mirror;

    @Nullable
    SimGuest guest;

    /** What its mirror did last, of all its lives. */
    @Nullable
    Role role;

    /** Why its mirror served last. */
    Effect.@Nullable StartCause cause;

    /** The operator did away with its copy; the host need not know yet. */
    boolean discarded;

    private boolean removed;

    /** What a guest here sees of the disks. */
    List<Long> served = List.of();

    private double gateUntil;
    /** A bit for each host that frames of this one do not reach. */
    private long cutOff;

    SimNode(Sim sim, CopyId copy, int number) {
        this.sim = sim;
        this.copy = copy;
        this.number = number;
        this.disk = new SimDisk(sim.diskBytes, sim.bytesAtFirst, sim.world);
        boot();
    }

    private void boot() {
        rate = sim.world.between(0.97, 1.03);
        base = 1_000_000_000L + (long) sim.world.between(0, 5e9) - (long) (sim.world.now() * rate);
    }

    long clock() {
        return base + (long) (sim.world.now() * rate);
    }

    boolean cutOffFrom(SimNode to) {
        return (cutOff >>> to.number & 1) != 0;
    }

    void cutOffFrom(SimNode to, boolean cut) {
        cutOff = cut ? cutOff | 1L << to.number : cutOff & ~(1L << to.number);
    }

    boolean isolated() {
        return cutOff != 0;
    }

    boolean paused() {
        return sim.world.now() < pausedUntil;
    }

    void openGate(long untilLocal) {
        gateUntil = untilLocal == Long.MAX_VALUE ? Double.MAX_VALUE : (untilLocal - base) / rate;
    }

    void closeGate() {
        gateUntil = 0;
    }

    boolean gateOpen() {
        return up && !paused() && sim.world.now() < gateUntil && guest != null;
    }

    /** Its copy lacks what lies in the overlays of a twin that took over here. */
    boolean uncommitted;

    void startMirror() {
        if (up && mirror == null && !removed) {
            SimMirror started = new SimMirror(this);
            mirror = started;
            started.begin();
        }
    }

    void crashMirror() {
        SimMirror running = mirror;
        if (running != null) {
            mirror = null;
            running.die(false);
        }
    }

    void crash() {
        SimMirror running = mirror;
        mirror = null;
        up = false;
        gateUntil = 0;
        if (running != null) {
            running.die(true);
        }
        if (guest != null) {
            guest.die();
            guest = null;
        }
        sim.twin.killed(this);
        for (int cell : disk.losePower(sim.world)) {
            disk.setBack[cell] = true;
            sim.world.met(World.Branch.CACHE_LOST);
            sim.invariants.survives(this, cell);
        }
        pausedUntil = 0;
    }

    /** Copy, mirror and guest are gone from this host for good. */
    void remove() {
        removed = true;
        crashMirror();
        closeGate();
        if (guest != null) {
            guest.die();
            guest = null;
        }
        up = false;
    }

    void powerOn() {
        if (!up && !removed) {
            up = true;
            boot();
            startMirror();
        }
    }
}
