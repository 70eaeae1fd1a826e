package dev.pairvm.mirror.core.sim;

import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Message;
import java.util.function.Consumer;

/**
 * The paths between the hosts and the connections on them: delay, silent loss when cut, resets, half-open ends, late frames. Any two
 * mirrors of the machine have a connection of their own.
 */
final class SimNet {
    /** A frame and its payload: words by cell. */
    record Frame(Message message, long[] payload) {}

    /** One connection of two hosts; an end is open until its mirror learns otherwise. By sender: 0 = the one that was made earlier. */
    static final class Connection {
        final SimNode[] ends;
        final double[] lastArrival = new double[2];
        final boolean[] broken = new boolean[2];

        Connection(SimNode one, SimNode two) {
            ends = one.number < two.number ? new SimNode[] {one, two} : new SimNode[] {two, one};
        }

        int side(SimNode from) {
            return from == ends[0] ? 0 : 1;
        }

        SimNode beyond(SimNode from) {
            return ends[1 - side(from)];
        }
    }

    private final Sim sim;

    SimNet(Sim sim) {
        this.sim = sim;
        dialSoon();
    }

    private static boolean passes(SimNode from, SimNode to) {
        return !from.cutOffFrom(to) && to.up && from.up;
    }

    /** Both mirrors have the same connection, and no frame of it was lost. */
    boolean sound(SimNode one, SimNode two) {
        SimMirror a = one.mirror;
        SimMirror b = two.mirror;
        Connection over = a == null ? null : a.connection(two);
        return over != null && b != null && b.connection(one) == over && !over.broken[0] && !over.broken[1];
    }

    private void dialSoon() {
        sim.world.afterMillis(sim.world.between(10, 40), () -> {
            for (int i = 0; i < sim.nodes.size(); i++) {
                for (int j = i + 1; j < sim.nodes.size(); j++) {
                    dial(sim.nodes.get(i), sim.nodes.get(j));
                }
            }
            dialSoon();
        });
    }

    /** The later copy dials; an earlier one may still hold the connection before. */
    private void dial(SimNode listener, SimNode dialer) {
        SimMirror a = listener.mirror;
        SimMirror b = dialer.mirror;
        if (a == null
                || b == null
                || b.connection(listener) != null
                || !passes(listener, dialer)
                || !passes(dialer, listener)
                || b.blocked()
                || a.blocked()) {
            return;
        }
        if (listener.discarded || dialer.discarded) {
            sim.world.met(World.Branch.DISCARDED_COPY_MET);
        }
        Connection fresh = new Connection(listener, dialer);
        if (connect(a, dialer, fresh) && !connect(b, listener, fresh)) {
            lost(fresh);
        }
    }

    /** False if the mirror dies of what it does about its old connection: then there is nobody to connect. */
    private boolean connect(SimMirror end, SimNode to, Connection fresh) {
        if (end.connection(to) != null) {
            sim.world.met(World.Branch.HALF_OPEN);
            end.disconnected(to);
            end.deliver(new Event.LinkDown(to.copy, Event.LinkDown.Cause.LOST));
        }
        if (!end.alive()) {
            return false;
        }
        end.connected(to, fresh);
        end.deliver(new Event.LinkUp(to.copy));
        return true;
    }

    void send(SimMirror from, SimNode to, Frame frame) {
        Connection over = from.connection(to);
        if (over == null) {
            return;
        }
        int side = over.side(from.node);
        double delay = sim.world.oneIn(60) ? sim.world.between(2, 30) : sim.world.between(0.05, 0.8);
        if (sim.slowLink) {
            delay += sim.world.between(50, 900);
        }
        double at = Math.max(sim.world.now() + delay * World.MILLI, over.lastArrival[side] + 1);
        over.lastArrival[side] = at;
        sim.world.after((long) (at - sim.world.now()), () -> arrive(over, from.node, frame));
    }

    private void arrive(Connection over, SimNode from, Frame frame) {
        SimNode at = over.beyond(from);
        SimMirror to = at.mirror;
        int side = over.side(from);
        if (!passes(from, at)) {
            if (!over.broken[side]) {
                over.broken[side] = true;
                sim.world.afterMillis(sim.world.between(300, 2000), () -> lost(over));
            }
            return;
        }
        if (over.broken[side] || to == null) {
            return;
        }
        if (to.connection(from) == over) {
            to.receive(from, frame);
        } else {
            stale(over, from, to, frame);
        }
    }

    /** The receiver has closed this connection: a reset goes back; now and then the frame slips through to the next session. */
    private void stale(Connection over, SimNode from, SimMirror to, Frame frame) {
        SimMirror sender = from.mirror;
        if (sender != null && sender.connection(to.node) == over) {
            closed(sender, over);
        }
        SimNet.Connection now = to.connection(from);
        if (now != null && !(frame.message() instanceof Message.Hello) && sim.world.oneIn(3) && !sim.calm) {
            sim.world.met(World.Branch.STALE_FRAME);
            to.receive(from, frame);
        } else if (now == null && !(frame.message() instanceof Message.Hello) && !sim.calm && sim.world.oneIn(2)) {
            sim.world.afterMillis(sim.world.between(5, 400), () -> {
                SimMirror late = to.node.mirror;
                Connection then = late == null ? null : late.connection(from);
                if (late != null && then != null && then != over) {
                    sim.world.met(World.Branch.STALE_FRAME);
                    late.receive(from, frame);
                }
            });
        }
    }

    private void lost(Connection over) {
        for (SimNode node : over.ends) {
            SimMirror end = node.mirror;
            SimNode beyond = over.beyond(node);
            if (end != null && end.connection(beyond) == over) {
                end.disconnected(beyond);
                end.deliver(new Event.LinkDown(beyond.copy, Event.LinkDown.Cause.LOST));
            }
        }
    }

    private void closed(SimMirror end, Connection over) {
        SimNode beyond = over.beyond(end.node);
        end.disconnected(beyond);
        end.deliver(new Event.LinkDown(beyond.copy, Event.LinkDown.Cause.CLOSED_BY_PEER));
    }

    /** This end closes; the other hears it if the path allows. */
    void close(SimMirror from, SimNode to, boolean silently) {
        Connection over = from.connection(to);
        if (over == null) {
            return;
        }
        from.disconnected(to);
        sim.world.afterMillis(sim.world.between(0.1, 2), () -> {
            SimMirror end = to.mirror;
            if (end != null && end.connection(from.node) == over && !silently && passes(from.node, to)) {
                closed(end, over);
            } else {
                sim.world.afterMillis(sim.world.between(300, 2000), () -> lost(over));
            }
        });
    }

    /** The connection breaks for both. */
    void reset(SimNode one, SimNode two) {
        SimMirror any = one.mirror;
        Connection over = any == null ? null : any.connection(two);
        if (over != null) {
            over.broken[0] = true;
            over.broken[1] = true;
            lost(over);
        }
    }

    /** A datagram: beacons have a socket of their own. */
    void datagram(SimMirror from, SimNode at, Consumer<SimMirror> action) {
        sim.world.afterMillis(sim.world.between(0.05, 1.5), () -> {
            SimMirror to = at.mirror;
            if (to != null && passes(from.node, at) && !sim.world.oneIn(100)) {
                action.accept(to);
            }
        });
    }
}
