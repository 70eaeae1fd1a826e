package dev.pairvm.mirror.core.sim;

import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Message;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The path between two hosts and the connection on it: delay, silent loss when cut, resets, half-open ends, late frames. */
final class SimNet {
    /** A frame and its payload: words by cell. */
    record Frame(Message message, long[] payload) {}

    /** One connection; an end is open until its mirror learns otherwise. */
    static final class Connection {
        final Set<SimMirror> open = new HashSet<>();
        final double[] lastArrival = new double[2];
        final boolean[] broken = new boolean[2];
    }

    private final Sim sim;
    /** By sender (0 = a): frames from it are lost. */
    final boolean[] cut = new boolean[2];

    SimNet(Sim sim) {
        this.sim = sim;
        dialSoon();
    }

    private int side(SimMirror mirror) {
        return mirror.node == sim.nodes.get(0) ? 0 : 1;
    }

    private SimNode other(SimMirror mirror) {
        return sim.nodes.get(1 - side(mirror));
    }

    private boolean passes(int from) {
        return !cut[from] && sim.nodes.get(1 - from).up && sim.nodes.get(from).up;
    }

    /** Both ends have the same connection, and no frame of it was lost. */
    boolean sound() {
        SimMirror a = sim.nodes.get(0).mirror;
        SimMirror b = sim.nodes.get(1).mirror;
        Connection over = a == null ? null : a.connection;
        return over != null && b != null && b.connection == over && !over.broken[0] && !over.broken[1];
    }

    private void dialSoon() {
        sim.world.afterMillis(sim.world.between(10, 40), () -> {
            dial();
            dialSoon();
        });
    }

    private void dial() {
        SimMirror a = sim.nodes.get(0).mirror;
        SimMirror b = sim.nodes.get(1).mirror;
        if (a == null || b == null || b.connection != null || !passes(0) || !passes(1) || b.blocked() || a.blocked()) {
            return;
        }
        Connection fresh = new Connection();
        for (SimMirror end : new SimMirror[] {a, b}) {
            if (end.connection != null) {
                sim.world.met(World.Branch.HALF_OPEN);
                end.connection.open.remove(end);
                end.connection = null;
                end.deliver(new Event.LinkDown(other(end).copy, Event.LinkDown.Cause.LOST));
            }
            fresh.open.add(end);
            end.connection = fresh;
            end.deliver(new Event.LinkUp(other(end).copy));
        }
    }

    void send(SimMirror from, Frame frame) {
        Connection over = from.connection;
        if (over == null) {
            return;
        }
        int side = side(from);
        double delay = sim.world.oneIn(60) ? sim.world.between(2, 30) : sim.world.between(0.05, 0.8);
        if (sim.slowLink) {
            delay += sim.world.between(50, 900);
        }
        double at = Math.max(sim.world.now() + delay * World.MILLI, over.lastArrival[side] + 1);
        over.lastArrival[side] = at;
        sim.world.after((long) (at - sim.world.now()), () -> arrive(over, side, frame));
    }

    private void arrive(Connection over, int side, Frame frame) {
        SimMirror to = sim.nodes.get(1 - side).mirror;
        if (!passes(side)) {
            if (!over.broken[side]) {
                over.broken[side] = true;
                sim.world.afterMillis(sim.world.between(300, 2000), () -> lost(over));
            }
            return;
        }
        if (over.broken[side] || to == null) {
            return;
        }
        if (to.connection == over) {
            to.receive(frame);
        } else {
            stale(over, side, to, frame);
        }
    }

    /** The receiver has closed this connection: a reset goes back; now and then the frame slips through to the next session. */
    private void stale(Connection over, int side, SimMirror to, Frame frame) {
        SimMirror sender = sim.nodes.get(side).mirror;
        if (sender != null && sender.connection == over) {
            closed(sender, over);
        }
        if (to.connection != null && !(frame.message() instanceof Message.Hello) && sim.world.oneIn(3) && !sim.calm) {
            sim.world.met(World.Branch.STALE_FRAME);
            to.receive(frame);
        } else if (to.connection == null
                && !(frame.message() instanceof Message.Hello)
                && !sim.calm
                && sim.world.oneIn(2)) {
            sim.world.afterMillis(sim.world.between(5, 400), () -> {
                SimMirror late = sim.nodes.get(1 - side).mirror;
                if (late != null && late.connection != null && late.connection != over) {
                    sim.world.met(World.Branch.STALE_FRAME);
                    late.receive(frame);
                }
            });
        }
    }

    private void lost(Connection over) {
        for (SimNode node : sim.nodes) {
            SimMirror end = node.mirror;
            if (end != null && end.connection == over) {
                end.connection = null;
                over.open.remove(end);
                end.deliver(new Event.LinkDown(other(end).copy, Event.LinkDown.Cause.LOST));
            }
        }
    }

    private void closed(SimMirror end, Connection over) {
        end.connection = null;
        over.open.remove(end);
        end.deliver(new Event.LinkDown(other(end).copy, Event.LinkDown.Cause.CLOSED_BY_PEER));
    }

    /** This end closes; the other hears it if the path allows. */
    void close(SimMirror from, boolean silently) {
        Connection over = from.connection;
        if (over == null) {
            return;
        }
        from.connection = null;
        over.open.remove(from);
        int side = side(from);
        boolean heard = !silently;
        sim.world.afterMillis(sim.world.between(0.1, 2), () -> {
            SimMirror end = sim.nodes.get(1 - side).mirror;
            if (end != null && end.connection == over && heard && passes(side)) {
                closed(end, over);
            } else {
                sim.world.afterMillis(sim.world.between(300, 2000), () -> lost(over));
            }
        });
    }

    /** The connection breaks for both. */
    void reset() {
        SimMirror any = sim.nodes.get(0).mirror;
        Connection over = any == null ? null : any.connection;
        if (over != null) {
            over.broken[0] = true;
            over.broken[1] = true;
            lost(over);
        }
    }

    /** A datagram: beacons have a socket of their own. */
    void datagram(SimMirror from, java.util.function.Consumer<SimMirror> action) {
        int side = side(from);
        sim.world.afterMillis(sim.world.between(0.05, 1.5), () -> {
            @Nullable SimMirror to = sim.nodes.get(1 - side).mirror;
            if (to != null && passes(side) && !sim.world.oneIn(100)) {
                action.accept(to);
            }
        });
    }
}
