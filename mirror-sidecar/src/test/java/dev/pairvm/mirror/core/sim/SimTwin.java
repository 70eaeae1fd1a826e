package dev.pairvm.mirror.core.sim;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Event;
import org.jspecify.annotations.Nullable;

/**
 * Level 3 as far as the protocol of the pair sees it: a guest says one thing after the other, its twin knows up to where it could have said
 * the same, and nobody may ever take back what was heard (I6). What the twin does to disks is not simulated: a guest that was taken over
 * reads them like one that booted.
 */
final class SimTwin {
    private final Sim sim;
    /** Whose guest has a twin, or is about to. */
    private @Nullable SimMirror from;

    private SimNet.@Nullable Connection over;
    private @Nullable SimGuest guest;
    /** Where the twin is; it stays there when its session is over. */
    private @Nullable SimNode at;

    private boolean runs;
    private long said;
    private long known;
    private long heard;
    /** The guest's packets wait for the twin. */
    private boolean held;

    SimTwin(Sim sim) {
        this.sim = sim;
    }

    /** A new life of the guest: it has said nothing. */
    void booted() {
        said = 0;
        heard = 0;
        known = 0;
        held = false;
    }

    /** The guest says something, if its gate is open. */
    void speaks(SimGuest speaker) {
        if (speaker.node.gateOpen()) {
            said++;
            if (!held || speaker != guest) {
                heard = said;
            }
        }
    }

    void begin(SimMirror mirror, CopyId to) {
        SimGuest now = mirror.node.guest;
        SimNode other = sim.node(to);
        SimNet.Connection connection = mirror.connection(other);
        SimMirror peer = other.mirror;
        if (now == null || connection == null || peer == null || !sim.calm && sim.world.oneIn(6)) {
            mirror.later(sim.world.between(1, 50), new Event.TwinEnded("it could not begin"));
            return;
        }
        from = mirror;
        over = connection;
        guest = now;
        at = other;
        runs = false;
        peer.deliver(new Event.TwinArrived());
        sim.world.afterMillis(sim.world.between(20, 250), () -> {
            if (from == mirror && guest == now && at == other && together()) {
                runs = true;
                held = true;
                known = said;
                mirror.deliver(new Event.TwinRuns());
                checkpoints(mirror, now);
            } else if (from == mirror && guest == now) {
                mirror.deliver(new Event.TwinEnded("it did not come together"));
            }
        });
    }

    /** The channels are there and both sides turn. */
    private boolean together() {
        SimMirror active = from;
        SimNode standby = at;
        SimMirror peer = standby == null ? null : standby.mirror;
        return active != null
                && standby != null
                && active.alive()
                && !active.blocked()
                && active.connection(standby) == over
                && guest == active.node.guest
                && guest != null
                && !guest.dead()
                && peer != null
                && !peer.blocked();
    }

    private void checkpoints(SimMirror mirror, SimGuest of) {
        sim.world.afterMillis(sim.world.between(8, 60), () -> {
            if (from != mirror || guest != of || !held) {
                return;
            }
            if (together()) {
                known = said;
                heard = said;
                sim.world.met(World.Branch.CHECKPOINT);
                checkpoints(mirror, of);
            } else if (mirror.blocked() && at != null && mirror.connection(at) == over) {
                checkpoints(mirror, of);
            } else {
                mirror.deliver(new Event.TwinEnded("a channel broke"));
            }
        });
    }

    /** Whether this active's guest has a twin that was not ended: no other guest may begin in its place. */
    boolean isOf(SimMirror mirror) {
        return from == mirror;
    }

    /** From now the guest speaks freely; its twin, wherever it is, falls behind. */
    void end(SimMirror mirror) {
        if (from == mirror) {
            held = false;
            heard = said;
            from = null;
            SimNode twins = at;
            SimNet.Connection way = over;
            if (twins != null && sim.world.oneIn(2)) {
                sim.world.afterMillis(sim.world.between(1, 60), () -> givenUp(twins, way));
            }
        }
    }

    /** The word that it is over reaches the twin's mirror, if their connection is still there. */
    private void givenUp(SimNode twins, SimNet.@Nullable Connection way) {
        SimMirror peer = twins.mirror;
        if (at == twins && over == way && from == null && peer != null && way != null) {
            SimNode other = way.beyond(twins);
            if (peer.connection(other) == way && twins.guest == null) {
                at = null;
                runs = false;
                peer.deliver(new Event.TwinGone());
            }
        }
    }

    /** A new life of the mirror found its guest and may run it: by the record nobody takes over. */
    void adopted(SimGuest found) {
        if (guest == found) {
            held = false;
            heard = said;
            from = null;
        }
    }

    /** Every QEMU on this node is dead. */
    void killed(SimNode node) {
        if (at == node) {
            at = null;
            runs = false;
        }
    }

    /** The twin on this node goes on as the guest, if there is one. */
    boolean takeOver(SimNode node) {
        if (at != node || !runs) {
            return false;
        }
        Checks.that(
                heard <= known,
                "I6 what was heard is taken back",
                () -> "heard " + heard + ", the twin knows " + known);
        sim.world.met(World.Branch.TAKEN_OVER);
        said = known;
        held = false;
        from = null;
        at = null;
        runs = false;
        return true;
    }
}
