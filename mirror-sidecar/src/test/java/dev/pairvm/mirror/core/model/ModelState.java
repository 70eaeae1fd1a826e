package dev.pairvm.mirror.core.model;

import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A state: the arbiter's record, both sides, frames and compare-and-swap requests on their way, and three ghosts that no side can
 * see: what was issued, what was acknowledged, and what a serving active has shown to be absent ({@code dead}).
 */
final class ModelState {
    static final int BOTH = 3;

    /** A frame; they stay in the set, so they may be late, duplicated, or never taken. */
    record Frame(boolean ack, int from, int write, int epoch, int session) {
        int packed() {
            return (ack ? 1 : 0) | from << 1 | write << 2 | epoch << 4 | session << 8;
        }

        static Frame of(int packed) {
            return new Frame((packed & 1) == 1, packed >> 1 & 1, packed >> 2 & 3, packed >> 4 & 15, packed >> 8);
        }
    }

    /** A compare-and-swap on its way to the arbiter, who may apply it arbitrarily late, even after its sender died. */
    record Request(int from, ModelNode.Cas kind, int expected) {
        int packed() {
            return from | kind.ordinal() << 1 | expected << 4;
        }

        static Request of(int packed) {
            return new Request(packed & 1, ModelNode.Cas.values()[packed >> 1 & 7], packed >> 4);
        }
    }

    int epoch = 1;
    int active;
    int inSync = BOTH;
    int acked;
    int issued;
    int dead;
    int crashes;
    int nextSession = 1;
    ModelNode[] nodes = {new ModelNode(), new ModelNode()};
    TreeSet<Integer> frames = new TreeSet<>();
    TreeSet<Integer> requests = new TreeSet<>();

    @Nullable
    ModelState parent;

    String action = "";

    /** A pair at work: a is active, b follows in session 1. */
    static ModelState initial() {
        ModelState state = new ModelState();
        state.nodes[0].role = ModelNode.Role.ACTIVE;
        state.nodes[1].role = ModelNode.Role.STANDBY;
        for (ModelNode node : state.nodes) {
            node.epoch = 1;
            node.session = 1;
        }
        state.nodes[0].inSync = BOTH;
        state.nextSession = 2;
        return state;
    }

    ModelState next(String what, boolean keepPath) {
        ModelState next = new ModelState();
        next.epoch = epoch;
        next.active = active;
        next.inSync = inSync;
        next.acked = acked;
        next.issued = issued;
        next.dead = dead;
        next.crashes = crashes;
        next.nextSession = nextSession;
        next.nodes = new ModelNode[] {nodes[0].copy(), nodes[1].copy()};
        next.frames = new TreeSet<>(frames);
        next.requests = new TreeSet<>(requests);
        if (keepPath) {
            next.parent = this;
            next.action = what;
        }
        return next;
    }

    /** Drops what can never matter again and serializes the rest. */
    String key(boolean oldSessionsMatter) {
        if (!oldSessionsMatter) {
            frames.removeIf(frame -> frame >> 8 != nodes[0].session && frame >> 8 != nodes[1].session);
        }
        requests.removeIf(request -> request >> 4 < epoch);
        StringBuilder key = new StringBuilder(48);
        for (int value : new int[] {epoch, active, inSync, acked, issued, dead, crashes, nextSession}) {
            key.append((char) value);
        }
        nodes[0].appendTo(key);
        nodes[1].appendTo(key);
        frames.forEach(frame -> key.append((char) (int) frame));
        key.append('|');
        requests.forEach(request -> key.append((char) (int) request));
        return key.toString();
    }

    static int bit(int i) {
        return 1 << i;
    }

    /** The invariant that does not hold here, or null. */
    @Nullable
    String violated() {
        int actives = 0;
        for (int i = 0; i < 2; i++) {
            ModelNode node = nodes[i];
            ModelNode other = nodes[1 - i];
            boolean current = node.role == ModelNode.Role.ACTIVE && node.epoch == epoch;
            actives += current ? 1 : 0;
            if ((inSync & bit(i)) != 0 && (acked & ~node.disk) != 0) {
                return "I1 a copy in sync lacks an acknowledged write";
            }
            if (current && active == i && (dead & node.disk) != 0) {
                return "I3 a ghost write on the active";
            }
            boolean served = inSync == BOTH && other.role == ModelNode.Role.ACTIVE && other.epoch == epoch;
            if (served && (dead & node.disk) != 0) {
                return "I3 a ghost write on an in-sync standby";
            }
        }
        return actives > 1 ? "I2 two actives" : null;
    }
}
