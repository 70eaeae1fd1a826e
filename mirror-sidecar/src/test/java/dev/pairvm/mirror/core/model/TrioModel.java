package dev.pairvm.mirror.core.model;

import java.util.Arrays;
import java.util.TreeSet;

/**
 * Three members of one machine: at most two in sync, and a third that may join when the record lists the lead alone. One register
 * stands for the disks; every write is a new value. Frames within a session are atomic here (late ones are {@link PairModel}'s), but
 * compare-and-swap requests are applied arbitrarily late.
 */
final class TrioModel implements Search.Model<TrioModel.State> {
    /** A rule left out. */
    enum Mutation {
        NONE,
        PROMOTE_NOT_IN_SYNC,
        START_WITHOUT_CAS,
        SHRINK_WITHOUT_CAS,
        /** A grow in doubt is forgotten when its joiner is lost, and another copy is taken in instead. */
        FORGET_WHO_ELSE_MAY_BE_LISTED,
        /** The third is filled in place of an in-sync copy that the record still lists. */
        FILL_WHILE_ANOTHER_IS_LISTED
    }

    private static final int MEMBERS = 3;
    private static final int NOBODY = 3;
    private static final int DOWN = 0;
    private static final int IDLE = 1;
    private static final int FOLLOWS = 2;
    private static final int RECOVERING = 3;
    private static final int SERVES = 4;
    private static final int NONE = 0;
    private static final int START = 1;
    private static final int SHRINK = 2;
    private static final int GROW = 3;
    private static final int PROMOTE = 4;

    private static final int ROLE = 0;
    private static final int DISK = 3;
    private static final int EPOCH = 6;
    private static final int KNOWN = 9;
    private static final int PEER = 12;
    private static final int CAS = 15;
    private static final int JOINER = 18;
    private static final int JOINT = 21;
    /** A write under way at the lead: its value, and whether it landed here and there. */
    private static final int WRITING = 24;

    private static final int HERE = 27;
    private static final int THERE = 30;
    private static final int RECORD_EPOCH = 33;
    private static final int ACTIVE = 34;
    private static final int IN_SYNC = 35;
    private static final int ACKED = 36;
    private static final int ISSUED = 37;
    private static final int DEAD = 38;
    private static final int CRASHES = 39;
    private static final int SIZE = 40;

    /** A state: small numbers by the names above, and requests on their way. */
    static final class State {
        private final byte[] at;
        private final TreeSet<Integer> requests;

        State(byte[] at, TreeSet<Integer> requests) {
            this.at = at;
            this.requests = requests;
        }

        private State copy() {
            return new State(at.clone(), new TreeSet<>(requests));
        }

        private int get(int index) {
            return at[index];
        }

        private State set(int index, int value) {
            at[index] = (byte) value;
            return this;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof State state && Arrays.equals(at, state.at) && requests.equals(state.requests);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(at) * 31 + requests.hashCode();
        }
    }

    private final Mutation mutation;
    private final int epochs;
    private final int writes;
    private final int crashes;

    TrioModel(Mutation mutation, int writes, int epochs, int crashes) {
        this.mutation = mutation;
        this.writes = writes;
        this.epochs = epochs;
        this.crashes = crashes;
    }

    @Override
    public State initial() {
        State state = new State(new byte[SIZE], new TreeSet<>());
        for (int i = 0; i < MEMBERS; i++) {
            state.set(ROLE + i, IDLE).set(PEER + i, NOBODY).set(JOINER + i, NOBODY);
        }
        state.set(ROLE, SERVES).set(EPOCH, 1).set(KNOWN, 3).set(PEER, 1);
        return state.set(ROLE + 1, FOLLOWS)
                .set(EPOCH + 1, 1)
                .set(RECORD_EPOCH, 1)
                .set(IN_SYNC, 3);
    }

    @Override
    public String violated(State s) {
        int serving = 0;
        for (int i = 0; i < MEMBERS; i++) {
            boolean current = s.get(ROLE + i) == SERVES && s.get(EPOCH + i) == s.get(RECORD_EPOCH);
            serving += current ? 1 : 0;
            int disk = s.get(DISK + i);
            boolean listed = (s.get(IN_SYNC) >> i & 1) != 0;
            if (listed && disk < s.get(ACKED)) {
                return "I1 a copy in sync lacks an acknowledged write";
            }
            if (current && s.get(ACTIVE) == i && (s.get(DEAD) >> disk & 1) != 0) {
                return "I3 a ghost write on the active";
            }
        }
        return serving > 1 ? "I2 two actives" : "";
    }

    private static boolean leads(State s, int i) {
        return s.get(ROLE + i) >= RECOVERING;
    }

    /** What is not acknowledged and not on this disk was seen to be absent; what is on it was seen. */
    private static void serve(State s, int i) {
        for (int value = s.get(ACKED) + 1; value <= s.get(ISSUED); value++) {
            if (value != s.get(DISK + i)) {
                s.set(DEAD, s.get(DEAD) | 1 << value);
            }
        }
        s.set(ROLE + i, SERVES).set(WRITING + i, 0).set(HERE + i, 0).set(THERE + i, 0);
    }

    private static void idle(State s, int i) {
        s.set(ROLE + i, IDLE)
                .set(PEER + i, NOBODY)
                .set(CAS + i, NONE)
                .set(JOINER + i, NOBODY)
                .set(JOINT + i, 0);
        s.set(WRITING + i, 0).set(HERE + i, 0).set(THERE + i, 0).set(KNOWN + i, 0);
    }

    private static void part(State s, int lead) {
        int peer = s.get(PEER + lead);
        if (peer != NOBODY) {
            s.set(PEER + lead, NOBODY).set(THERE + lead, 0);
            if (s.get(ROLE + peer) == FOLLOWS) {
                s.set(ROLE + peer, IDLE);
            }
            if (s.get(CAS + lead) != GROW) {
                s.set(JOINT + lead, 0);
            }
        }
    }

    private static void partFromLead(State s, int i) {
        for (int lead = 0; lead < MEMBERS; lead++) {
            if (s.get(PEER + lead) == i) {
                part(s, lead);
            }
        }
    }

    private static int request(int from, int kind, int joiner, int epoch) {
        return from | kind << 2 | joiner << 5 | epoch << 7;
    }

    @Override
    public void successors(State s, Search.Steps<State> out) {
        for (int i = 0; i < MEMBERS; i++) {
            String me = String.valueOf((char) ('a' + i));
            lifeAndDeath(s, i, me, out);
            wishes(s, i, me, out);
            learn(s, i, me, out);
            sessions(s, i, me, out);
            if (s.get(ROLE + i) == SERVES) {
                writes(s, i, me, out);
            }
        }
        arbiter(s, out);
    }

    private void lifeAndDeath(State s, int i, String me, Search.Steps<State> out) {
        if (s.get(ROLE + i) == DOWN) {
            out.add("restart " + me, s.copy().set(ROLE + i, IDLE));
        } else if (s.get(CRASHES) < crashes) {
            State next = s.copy().set(CRASHES, s.get(CRASHES) + 1);
            part(next, i);
            partFromLead(next, i);
            idle(next, i);
            out.add("crash " + me, next.set(ROLE + i, DOWN));
        }
        if (s.get(PEER + i) != NOBODY) {
            State next = s.copy();
            part(next, i);
            if (mutation == Mutation.FORGET_WHO_ELSE_MAY_BE_LISTED && s.get(CAS + i) == GROW) {
                next.set(CAS + i, NONE).set(JOINER + i, NOBODY).set(JOINT + i, 0);
            }
            out.add("link of " + me + " breaks", next);
        }
    }

    private void wishes(State s, int i, String me, Search.Steps<State> out) {
        if (s.get(CAS + i) != NONE || s.get(RECORD_EPOCH) >= epochs) {
            return;
        }
        int role = s.get(ROLE + i);
        if (role == IDLE && s.get(ACTIVE) == i) {
            State next = s.copy().set(ROLE + i, RECOVERING).set(EPOCH + i, s.get(RECORD_EPOCH));
            next.set(KNOWN + i, s.get(IN_SYNC));
            if (mutation == Mutation.START_WITHOUT_CAS) {
                if (s.get(IN_SYNC) == 1 << i) {
                    serve(next, i);
                }
            } else {
                next.set(CAS + i, START).requests.add(request(i, START, NOBODY, s.get(RECORD_EPOCH)));
            }
            out.add("start " + me, next);
        }
        boolean listed = (s.get(IN_SYNC) >> i & 1) != 0 || mutation == Mutation.PROMOTE_NOT_IN_SYNC;
        if ((role == IDLE || role == FOLLOWS) && listed && s.get(ACTIVE) != i) {
            State next = s.copy();
            partFromLead(next, i);
            next.set(ROLE + i, IDLE).set(CAS + i, PROMOTE).set(EPOCH + i, s.get(RECORD_EPOCH));
            next.requests.add(request(i, PROMOTE, NOBODY, s.get(RECORD_EPOCH)));
            out.add("promote " + me, next);
        }
        if (leads(s, i) && s.get(KNOWN + i) != 1 << i) {
            State next = s.copy();
            part(next, i);
            next.set(CAS + i, SHRINK).requests.add(request(i, SHRINK, NOBODY, s.get(EPOCH + i)));
            if (mutation == Mutation.SHRINK_WITHOUT_CAS) {
                next.set(KNOWN + i, 1 << i);
            }
            out.add("shrink by " + me, next);
        }
        int peer = s.get(PEER + i);
        if (s.get(ROLE + i) == SERVES && peer != NOBODY && s.get(JOINT + i) != 0) {
            State next = s.copy().set(CAS + i, GROW).set(JOINER + i, peer);
            next.requests.add(request(i, GROW, peer, s.get(EPOCH + i)));
            out.add(me + " asks for " + (char) ('a' + peer), next);
        }
    }

    private void learn(State s, int i, String me, Search.Steps<State> out) {
        boolean moved = s.get(RECORD_EPOCH) > s.get(EPOCH + i);
        if (s.get(CAS + i) == NONE || !moved) {
            if (leads(s, i) && moved) {
                State next = s.copy();
                part(next, i);
                idle(next, i);
                out.add(me + " is fenced", next);
            }
            return;
        }
        State next = s.copy();
        int kind = s.get(CAS + i);
        next.set(CAS + i, NONE).set(JOINER + i, NOBODY);
        if (s.get(ACTIVE) != i || s.get(RECORD_EPOCH) != s.get(EPOCH + i) + 1) {
            part(next, i);
            idle(next, i);
        } else {
            next.set(EPOCH + i, s.get(RECORD_EPOCH))
                    .set(KNOWN + i, s.get(IN_SYNC))
                    .set(JOINT + i, 0);
            boolean alone = s.get(IN_SYNC) == 1 << i;
            if (kind == PROMOTE || alone && s.get(ROLE + i) == RECOVERING) {
                serve(next, i);
            }
        }
        out.add(me + " learns", next);
    }

    private void sessions(State s, int i, String me, Search.Steps<State> out) {
        if (!leads(s, i) || s.get(PEER + i) != NOBODY || s.get(CAS + i) != NONE) {
            return;
        }
        for (int j = 0; j < MEMBERS; j++) {
            if (j == i || s.get(ROLE + j) != IDLE || s.get(CAS + j) != NONE || s.get(EPOCH + j) > s.get(EPOCH + i)) {
                continue;
            }
            boolean listed = (s.get(KNOWN + i) >> j & 1) != 0;
            boolean room = s.get(KNOWN + i) == 1 << i || mutation == Mutation.FILL_WHILE_ANOTHER_IS_LISTED;
            if (!listed && !(room && s.get(ROLE + i) == SERVES)) {
                continue;
            }
            State next = s.copy().set(PEER + i, j).set(ROLE + j, FOLLOWS).set(EPOCH + j, s.get(EPOCH + i));
            if (listed) {
                next.set(DISK + j, s.get(DISK + i));
                if (s.get(ROLE + i) == RECOVERING) {
                    serve(next, i);
                }
            }
            out.add(me + " attaches " + (char) ('a' + j), next);
        }
    }

    /** Copies that must have a write before it is acknowledged. */
    private int required(State s, int i) {
        int required = s.get(KNOWN + i);
        if (s.get(JOINER + i) != NOBODY) {
            required |= 1 << s.get(JOINER + i);
        }
        if (s.get(JOINT + i) != 0 && s.get(PEER + i) != NOBODY) {
            required |= 1 << s.get(PEER + i);
        }
        if (mutation == Mutation.FILL_WHILE_ANOTHER_IS_LISTED && s.get(PEER + i) != NOBODY) {
            required = 1 << i | 1 << s.get(PEER + i);
        }
        return required & ~(1 << i);
    }

    private void writes(State s, int i, String me, Search.Steps<State> out) {
        int peer = s.get(PEER + i);
        int value = s.get(WRITING + i);
        if (value == 0) {
            if (s.get(ISSUED) < writes) {
                int fresh = s.get(ISSUED) + 1;
                out.add(
                        "write " + fresh + " at " + me,
                        s.copy().set(ISSUED, fresh).set(WRITING + i, fresh));
            }
        } else {
            if (s.get(HERE + i) == 0) {
                out.add("lands at " + me, s.copy().set(HERE + i, 1).set(DISK + i, value));
            }
            if (peer != NOBODY && s.get(THERE + i) == 0) {
                out.add("lands at its follower", s.copy().set(THERE + i, 1).set(DISK + peer, value));
            }
            int has = s.get(THERE + i) != 0 && peer != NOBODY ? 1 << peer : 0;
            boolean held = s.get(CAS + i) == SHRINK && mutation != Mutation.SHRINK_WITHOUT_CAS && has == 0;
            if (s.get(HERE + i) != 0 && (required(s, i) & ~has) == 0 && !held) {
                State next = s.copy().set(ACKED, value);
                out.add(
                        me + " acknowledges " + value,
                        next.set(WRITING + i, 0).set(HERE + i, 0).set(THERE + i, 0));
            }
        }
        boolean joining = peer != NOBODY && (s.get(KNOWN + i) >> peer & 1) == 0 && s.get(JOINT + i) == 0;
        if (joining && s.get(CAS + i) == NONE) {
            int filled = s.get(THERE + i) != 0 ? value : s.get(DISK + i);
            out.add("filled", s.copy().set(DISK + peer, filled).set(JOINT + i, 1));
        }
    }

    private void arbiter(State s, Search.Steps<State> out) {
        for (int request : s.requests) {
            int from = request & 3;
            int kind = request >> 2 & 7;
            int joiner = request >> 5 & 3;
            State next = s.copy();
            next.requests.remove(request);
            if (request >> 7 == s.get(RECORD_EPOCH)) {
                int epoch = s.get(RECORD_EPOCH) + 1;
                next.set(RECORD_EPOCH, epoch);
                next.requests.removeIf(late -> late >> 7 < epoch);
                switch (kind) {
                    case SHRINK -> next.set(IN_SYNC, 1 << from);
                    case GROW -> next.set(IN_SYNC, s.get(IN_SYNC) | 1 << joiner);
                    case PROMOTE -> next.set(ACTIVE, from).set(IN_SYNC, 1 << from);
                    default -> {}
                }
            }
            out.add("arbiter takes " + kind + " of " + (char) ('a' + from), next);
        }
    }
}
