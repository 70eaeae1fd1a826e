package dev.pairvm.mirror.core.model;

import static dev.pairvm.mirror.core.model.ModelState.BOTH;
import static dev.pairvm.mirror.core.model.ModelState.bit;

import dev.pairvm.mirror.core.model.ModelNode.Cas;
import dev.pairvm.mirror.core.model.ModelNode.Role;
import dev.pairvm.mirror.core.model.ModelState.Frame;
import dev.pairvm.mirror.core.model.ModelState.Request;
import java.util.ArrayList;
import java.util.List;

/** The rules: from a state, every state that one step of anybody can lead to. */
final class PairModel {
    private static final String[] NAMES = {"a", "b"};

    private final Bounds bounds;
    private final Mutation mutation;
    private final List<ModelState> out = new ArrayList<>();

    PairModel(Bounds bounds, Mutation mutation) {
        this.bounds = bounds;
        this.mutation = mutation;
    }

    private boolean without(Mutation rule) {
        return mutation == rule;
    }

    private ModelState add(ModelState from, String action) {
        ModelState next = from.next(action, mutation != Mutation.NONE);
        out.add(next);
        return next;
    }

    List<ModelState> successors(ModelState state) {
        out.clear();
        for (int i = 0; i < 2; i++) {
            lifeAndDeath(state, i);
            wishes(state, i);
            learn(state, i);
            sessions(state, i);
            if (state.nodes[i].role == Role.ACTIVE) {
                writes(state, i);
                join(state, i);
            }
        }
        applyRequests(state);
        deliver(state);
        return out;
    }

    /** The safety rule: copies whose acknowledgement an acknowledgement needs. */
    private int required(ModelNode lead, int other) {
        int required = lead.inSync;
        if (!without(Mutation.JOINER_NOT_REQUIRED) && (lead.joint || lead.cas == Cas.GROW)) {
            required |= bit(other);
        }
        if (without(Mutation.ACK_DURING_UNCONFIRMED_SHRINK) && lead.cas == Cas.SHRINK) {
            required &= ~bit(other);
        }
        return required;
    }

    /** From here reads are answered: writes missing on the active are known to be absent. */
    private static void serve(ModelState state, int i) {
        ModelNode node = state.nodes[i];
        node.role = Role.ACTIVE;
        state.dead |= state.issued & ~state.acked & ~node.disk;
        node.localPending = 0;
        node.peerAcked = 0;
        node.inFlight = 0;
    }

    private void lifeAndDeath(ModelState state, int i) {
        ModelNode node = state.nodes[i];
        if (node.role == Role.DOWN) {
            add(state, "restart " + NAMES[i]).nodes[i].role = Role.IDLE;
        } else if (state.crashes < bounds.crashes()) {
            for (int landed = 0; landed <= (node.localPending != 0 ? 1 : 0); landed++) {
                ModelState next = add(state, "crash " + NAMES[i] + (landed == 1 ? " after its write landed" : ""));
                next.crashes++;
                next.nodes[i].disk |= landed == 1 ? node.localPending : 0;
                next.nodes[i].stepDown();
                next.nodes[i].role = Role.DOWN;
            }
        }
    }

    private void wishes(ModelState state, int i) {
        ModelNode node = state.nodes[i];
        if (node.cas != Cas.NONE) {
            return;
        }
        if (node.role == Role.IDLE && state.active == i) {
            ModelState next = add(state, "start " + NAMES[i]);
            ModelNode starting = next.nodes[i];
            starting.epoch = state.epoch;
            starting.inSync = state.inSync;
            starting.role = Role.RECOVERING;
            if (!without(Mutation.START_WITHOUT_CAS)) {
                starting.cas = Cas.START;
                next.requests.add(new Request(i, Cas.START, state.epoch).packed());
            } else if (starting.inSync == bit(i)) {
                serve(next, i);
            }
        }
        if (node.role.leads() && node.inSync == BOTH && !node.joint && node.epoch < bounds.epochs()) {
            ModelState next = add(state, "shrink by " + NAMES[i]);
            next.nodes[i].cas = Cas.SHRINK;
            next.nodes[i].session = 0;
            next.requests.add(new Request(i, Cas.SHRINK, node.epoch).packed());
            if (without(Mutation.SHRINK_WITHOUT_CAS)) {
                next.nodes[i].inSync = bit(i);
            }
        }
        boolean listed = (state.inSync & bit(i)) != 0 || without(Mutation.PROMOTE_NOT_IN_SYNC);
        boolean mayStand = node.role == Role.IDLE || node.role == Role.STANDBY;
        if (mayStand && state.active != i && state.epoch < bounds.epochs() && listed) {
            ModelState next = add(state, "promote " + NAMES[i]);
            ModelNode standing = next.nodes[i];
            standing.role = Role.IDLE;
            standing.session = 0;
            standing.cas = Cas.PROMOTE;
            standing.epoch = state.epoch;
            next.requests.add(new Request(i, Cas.PROMOTE, state.epoch).packed());
            if (without(Mutation.PROMOTE_WITHOUT_CAS)) {
                standing.cas = Cas.NONE;
                standing.epoch = state.epoch + 1;
                standing.inSync = bit(i);
                serve(next, i);
            }
        }
    }

    /** The outcome of a compare-and-swap is known only once the epoch has moved. */
    private void learn(ModelState state, int i) {
        ModelNode node = state.nodes[i];
        if (node.cas != Cas.NONE && state.epoch > node.epoch) {
            ModelState next = add(state, "learn " + node.cas + " by " + NAMES[i]);
            ModelNode learner = next.nodes[i];
            learner.cas = Cas.NONE;
            if (state.active != i || state.epoch != node.epoch + 1) {
                learner.stepDown();
            } else {
                won(next, i, node.cas);
            }
        }
        if (without(Mutation.UNCHANGED_MEANS_FAILED) && node.cas == Cas.GROW && state.epoch == node.epoch) {
            ModelNode hasty = add(state, "assume failed " + NAMES[i]).nodes[i];
            hasty.cas = Cas.NONE;
            hasty.joint = false;
            hasty.session = 0;
        }
    }

    private static void won(ModelState state, int i, Cas kind) {
        ModelNode winner = state.nodes[i];
        ModelNode other = state.nodes[1 - i];
        winner.epoch = state.epoch;
        winner.inSync = state.inSync;
        if (kind == Cas.PROMOTE
                || kind == Cas.START && winner.inSync == bit(i)
                || kind == Cas.SHRINK && winner.role == Role.RECOVERING) {
            serve(state, i);
        }
        if (kind == Cas.SHRINK || kind == Cas.GROW) {
            winner.joint = false;
        }
        boolean follows = other.role == Role.STANDBY && other.session == winner.session && winner.session != 0;
        if (kind == Cas.GROW && follows && other.epoch == winner.epoch - 1) {
            other.epoch = winner.epoch;
        }
    }

    private void sessions(ModelState state, int i) {
        ModelNode node = state.nodes[i];
        ModelNode other = state.nodes[1 - i];
        boolean free = node.cas == Cas.NONE && node.session == 0 && other.role == Role.IDLE && other.cas == Cas.NONE;
        if (node.role.leads() && free && other.epoch <= node.epoch && state.nextSession <= bounds.sessions()) {
            ModelState next = add(state, "connect " + NAMES[i]);
            ModelNode lead = next.nodes[i];
            ModelNode follower = next.nodes[1 - i];
            lead.session = next.nextSession;
            follower.session = next.nextSession++;
            follower.role = Role.STANDBY;
            follower.epoch = lead.epoch;
            lead.peerAcked = 0;
            lead.joint = false;
            if ((lead.inSync & bit(1 - i)) != 0) {
                if (!without(Mutation.SERVE_UNRECONCILED)) {
                    follower.disk = lead.disk;
                }
                if (lead.role == Role.RECOVERING) {
                    serve(next, i);
                }
            }
        }
        if (without(Mutation.SERVE_UNRECONCILED) && node.role == Role.RECOVERING && node.cas == Cas.NONE) {
            serve(add(state, "serve unreconciled " + NAMES[i]), i);
        }
        if (node.session != 0) {
            ModelNode alone = add(state, "link down at " + NAMES[i]).nodes[i];
            alone.session = 0;
            if (node.role == Role.STANDBY) {
                alone.role = Role.IDLE;
            } else {
                alone.joint &= node.cas == Cas.GROW;
                alone.peerAcked = 0;
            }
        }
    }

    private void writes(ModelState state, int i) {
        ModelNode node = state.nodes[i];
        int fresh = Integer.numberOfTrailingZeros(~state.issued);
        if (fresh < bounds.writes()) {
            ModelState next = add(state, "write " + fresh + " at " + NAMES[i]);
            next.issued |= bit(fresh);
            next.nodes[i].inFlight |= bit(fresh);
            next.nodes[i].localPending |= bit(fresh);
        }
        for (int w = 0; w < bounds.writes(); w++) {
            int write = bit(w);
            if ((node.inFlight & write) == 0) {
                continue;
            }
            boolean local = (node.localPending & write) == 0;
            boolean peer = (node.peerAcked & write) != 0;
            if (!local) {
                ModelNode landed = add(state, "local " + w).nodes[i];
                landed.localPending &= ~write;
                landed.disk |= write;
            }
            int frame = new Frame(false, i, w, node.epoch, node.session).packed();
            if (node.session != 0 && !peer && !state.frames.contains(frame)) {
                add(state, "send " + w).frames.add(frame);
            }
            boolean hold = node.cas == Cas.SHRINK
                    && !without(Mutation.ACK_DURING_UNCONFIRMED_SHRINK)
                    && !without(Mutation.SHRINK_WITHOUT_CAS)
                    && !peer;
            if (local && !hold && (peer || (required(node, 1 - i) & bit(1 - i)) == 0)) {
                ModelState next = add(state, "acknowledge " + w + " by " + NAMES[i]);
                next.acked |= write;
                next.nodes[i].inFlight &= ~write;
            }
        }
    }

    private void join(ModelState state, int i) {
        ModelNode node = state.nodes[i];
        ModelNode other = state.nodes[1 - i];
        if (node.cas != Cas.NONE || (node.inSync & bit(1 - i)) != 0) {
            return;
        }
        boolean follows = node.session != 0 && other.role == Role.STANDBY && other.session == node.session;
        if (follows && !node.joint) {
            ModelState next = add(state, "filled " + NAMES[1 - i]);
            next.nodes[1 - i].disk = node.disk | other.disk & node.inFlight;
            next.nodes[i].joint = true;
        }
        if (node.joint && node.epoch < bounds.epochs()) {
            ModelState next = add(state, "grow by " + NAMES[i]);
            next.nodes[i].cas = Cas.GROW;
            next.requests.add(new Request(i, Cas.GROW, node.epoch).packed());
        }
    }

    private void applyRequests(ModelState state) {
        for (int packed : state.requests) {
            Request request = Request.of(packed);
            ModelState next = add(state, "arbiter takes " + request);
            next.requests.remove(packed);
            if (state.epoch == request.expected() && state.epoch <= bounds.epochs()) {
                next.epoch++;
                switch (request.kind()) {
                    case SHRINK -> next.inSync = bit(request.from());
                    case GROW -> next.inSync = BOTH;
                    case PROMOTE -> {
                        next.active = request.from();
                        next.inSync = bit(request.from());
                    }
                    case START, NONE -> {}
                }
            }
        }
    }

    private void deliver(ModelState state) {
        for (int packed : state.frames) {
            Frame frame = Frame.of(packed);
            int to = 1 - frame.from();
            ModelNode node = state.nodes[to];
            int write = bit(frame.write());
            if (frame.ack()) {
                boolean awaited = (node.inFlight & ~node.peerAcked & write) != 0;
                if (node.role == Role.ACTIVE && node.session == frame.session() && awaited) {
                    add(state, "peer has " + frame.write()).nodes[to].peerAcked |= write;
                }
            } else {
                boolean mine =
                        node.role == Role.STANDBY && node.session == frame.session() && node.epoch == frame.epoch();
                boolean reckless =
                        without(Mutation.NO_SESSION_CHECK) && node.role != Role.DOWN && node.role != Role.ACTIVE;
                int ack = new Frame(true, to, frame.write(), frame.epoch(), frame.session()).packed();
                if ((mine || reckless) && ((node.disk & write) == 0 || !state.frames.contains(ack))) {
                    ModelState next = add(state, "apply " + frame.write() + " at " + NAMES[to]);
                    next.nodes[to].disk |= write;
                    next.frames.add(ack);
                }
            }
        }
    }
}
