package dev.pairvm.mirror.core.sim;

import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Role;
import org.jspecify.annotations.Nullable;

/** Guests boot, crash and move from host to host. */
final class GuestMoves {
    private final Sim sim;
    private final World world;
    private @Nullable SimGuest moved;

    GuestMoves(Sim sim) {
        this.sim = sim;
        this.world = sim.world;
    }

    void mayRun(SimNode node, Effect.StartGuest effect) {
        node.cause = effect.cause();
        switch (effect.cause()) {
            case PROMOTED -> world.met(World.Branch.PROMOTED);
            case STARTED -> world.met(World.Branch.STARTED);
            case HANDED_OVER -> world.met(World.Branch.HANDED_OVER);
            case TAKEN_OVER -> {
                if (sim.twin.takeOver(node)) {
                    node.uncommitted = true;
                    boot(node, false);
                    commit(node);
                    return;
                }
            }
        }
        commit(node);
        sim.twin.killed(node);
        if (node.guest != null) {
            sim.twin.adopted(node.guest);
            node.guest.paused = false;
            node.guest.moving = false;
            return;
        }
        SimGuest migrated = moved;
        if (effect.cause() == Effect.StartCause.HANDED_OVER && migrated != null && !migrated.dead()) {
            moved = null;
            migrated.node = node;
            migrated.paused = false;
            migrated.moving = false;
            migrated.frozen = false;
            node.guest = migrated;
            return;
        }
        boot(node, true);
    }

    /** What a twin wrote before it took over comes into the image, if it did; the mirror is told in any case. */
    private void commit(SimNode node) {
        SimMirror mirror = node.mirror;
        boolean another = node.cause != Effect.StartCause.TAKEN_OVER;
        world.afterMillis(node.uncommitted ? world.between(2, 400) : 1, () -> {
            if (mirror != null && node.mirror == mirror && mirror.core.role().leads()) {
                if (node.uncommitted && another) {
                    world.met(World.Branch.COMMITTED_BY_ANOTHER_LIFE);
                }
                node.uncommitted = false;
                mirror.deliver(new Event.OverlaysCommitted());
            }
        });
    }

    /** {@code anew}: else a twin goes on, of which only what was heard is simulated. */
    private void boot(SimNode node, boolean anew) {
        if (anew) {
            sim.twin.booted();
        }
        // An active that is out of the record serves its peer's disk.
        SimNode holder = sim.arbiter.stored.inSync().contains(node.copy) ? node : sim.inSyncBeside(node);
        for (int cell = 0; cell < sim.oracle.size(); cell++) {
            sim.invariants.cell(holder, cell, "I1 and I3 when booted");
            long word = holder.disk.read(cell);
            if (holder.disk.has(cell) && !sim.rot.is(word)) {
                // A guest that finds rot says nothing of which of the values before it was the last one.
                sim.oracle.booted(cell, word);
            }
            holder.disk.setBack[cell] = false;
        }
        for (int cell = 0; cell < sim.oracle.size(); cell++) {
            sim.invariants.cell(cell, "I3 in-sync peers when booted");
        }
        node.guest = new SimGuest(sim, node);
    }

    /** QEMU ends; the mirror notices its closed connection, and a new one boots when the requests of the old have ended. */
    boolean crash(SimNode node) {
        SimGuest guest = node.guest;
        SimMirror mirror = node.mirror;
        if (guest == null || mirror == null || guest.moving || guest.paused) {
            return false;
        }
        guest.die();
        node.guest = null;
        mirror.deliver(new Event.GuestDisconnected());
        mirror.deliver(new Event.GuestDied());
        reboot(node, mirror);
        return true;
    }

    private void reboot(SimNode node, SimMirror mirror) {
        world.afterMillis(world.between(5, 60), () -> {
            if (node.mirror != mirror
                    || node.guest != null
                    || !mirror.core.role().leads()) {
                return;
            }
            // Behind an active that was overtaken while it stood still, a guest that boots is answered nothing.
            boolean stale = mirror.behind() || !sim.arbiter.stored.active().equals(node.copy);
            if (mirror.core.role() == Role.ACTIVE && mirror.idle() && !stale && !sim.twin.isOf(mirror)) {
                world.met(World.Branch.GUEST_REBOOTED);
                boot(node, true);
            } else {
                reboot(node, mirror);
            }
        });
    }

    void move(SimMirror from) {
        SimGuest guest = from.node.guest;
        if (guest == null || !sim.calm && world.oneIn(5)) {
            from.later(world.between(1, 50), new Event.HandOverAbandoned());
            return;
        }
        guest.moving = true;
        world.afterMillis(world.between(5, 60), () -> drain(from, guest, 200));
    }

    private void drain(SimMirror from, SimGuest guest, int patience) {
        if (from.node.mirror != from || guest.dead() || !guest.moving) {
            return;
        }
        guest.paused = true;
        if (guest.drained()) {
            moved = guest;
            from.deliver(new Event.GuestDrained());
        } else if (patience == 0) {
            guest.paused = false;
            guest.moving = false;
            from.deliver(new Event.HandOverAbandoned());
        } else {
            world.afterMillis(5, () -> drain(from, guest, patience - 1));
        }
    }

    boolean movedAway(SimGuest guest) {
        return moved == guest;
    }
}
