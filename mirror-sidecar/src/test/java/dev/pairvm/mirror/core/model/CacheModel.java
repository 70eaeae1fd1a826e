package dev.pairvm.mirror.core.model;

import java.util.Arrays;

/**
 * Two copies with volatile caches: acknowledged is not durable. The active {@code a} writes versions to chunks; the peer {@code b} is
 * listed in sync, lost, or filled again chunk by chunk while the guest goes on writing. Power is lost at any moment, and each chunk falls
 * to what was flushed or not.
 *
 * <p>Checked: every copy in sync holds what was acknowledged (I1), and what was flushed if it lost power; a difference of the copies
 * is named by the active's log or bitmap or is under way (I7).
 */
final class CacheModel implements Search.Model<CacheModel.State> {
    /** A rule left out. */
    enum Mutation {
        NONE,
        FORGET_UNFLUSHED_WHEN_SHRINKING,
        SEAL_WITHOUT_FLUSH,
        RESYNC_WITHOUT_LOCK,
        FLUSH_ONLY_HERE,
        COOL_BEFORE_BOTH_FLUSHED,
        WRITE_BEFORE_HOT,
        TRUST_A_RESTARTED_PEER,
        SERVE_WITHOUT_RECONCILING
    }

    /** How the peer stands. */
    enum Peer {
        IN_SYNC,
        /** Listed, but it lost power since: to be dropped. */
        RESTARTED,
        OUT,
        FILLING,
        SEALED
    }

    private static final int CHUNKS = 2;

    private static final int A = 0;
    private static final int B = CHUNKS;
    private static final int A_STABLE = 2 * CHUNKS;
    private static final int B_STABLE = 3 * CHUNKS;
    private static final int ACKED = 4 * CHUNKS;
    private static final int DURABLE = 5 * CHUNKS;
    /** 0 none, else a write of version {@code ISSUED} with bit 1 begun, 2 here, 4 there. */
    private static final int FLIGHT = 6 * CHUNKS;

    private static final int ISSUED = 7 * CHUNKS;
    private static final int HOT = 8 * CHUNKS;
    private static final int UNFLUSHED = 9 * CHUNKS;
    private static final int DIRTY = 10 * CHUNKS;
    private static final int TODO = 11 * CHUNKS;
    /** A chunk that the resync has read but not yet written: its version plus 1. */
    private static final int COPYING = 12 * CHUNKS;
    /** What a running flush covers: the acknowledged version plus 1. */
    private static final int COVERS = 13 * CHUNKS;

    private static final int PEER = 14 * CHUNKS;
    /** 0 no flush, else bit 1 running, 2 done here, 4 done there. */
    private static final int FLUSH = PEER + 1;

    private static final int CRASHES = PEER + 2;
    /** a lost power and has not compared yet. */
    private static final int RECOVERING = PEER + 3;

    private static final int SIZE = PEER + 4;

    private static final int BEGUN = 1;
    private static final int HERE = 2;
    private static final int THERE = 4;

    /** A state: small numbers by the names above. */
    static final class State {
        private final byte[] at;

        State(byte[] at) {
            this.at = at;
        }

        int get(int index) {
            return at[index];
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof State state && Arrays.equals(at, state.at);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(at);
        }
    }

    private static final class Change {
        private final byte[] at;

        Change(State from) {
            at = from.at.clone();
        }

        Change set(int index, int value) {
            at[index] = (byte) value;
            return this;
        }

        int get(int index) {
            return at[index];
        }

        State done() {
            return new State(at);
        }
    }

    private final Mutation mutation;
    private final int versions;
    private final int crashes;

    CacheModel(Mutation mutation, int versions, int crashes) {
        this.mutation = mutation;
        this.versions = versions;
        this.crashes = crashes;
    }

    @Override
    public State initial() {
        return new State(new byte[SIZE]);
    }

    private static Peer peer(State s) {
        return Peer.values()[s.get(PEER)];
    }

    private static boolean counts(State s) {
        return peer(s) == Peer.IN_SYNC || peer(s) == Peer.SEALED || peer(s) == Peer.FILLING;
    }

    @Override
    public String violated(State s) {
        boolean serving = s.get(RECOVERING) == 0;
        for (int c = 0; c < CHUNKS; c++) {
            if (s.get(A + c) < s.get(DURABLE + c)) {
                return "I1 a flushed write is lost at the active";
            }
            if (serving && s.get(A + c) < s.get(ACKED + c)) {
                return "I1 an acknowledged write is lost at the active";
            }
            if (peer(s) == Peer.IN_SYNC && s.get(B + c) < s.get(ACKED + c) && serving) {
                return "I1 a copy in sync lacks an acknowledged write";
            }
            if ((peer(s) == Peer.IN_SYNC || peer(s) == Peer.RESTARTED) && s.get(B + c) < s.get(DURABLE + c)) {
                return "I1 a copy in sync lacks a flushed write";
            }
            boolean named = s.get(HOT + c) != 0 || s.get(FLIGHT + c) != 0;
            if (peer(s) == Peer.IN_SYNC && s.get(A + c) != s.get(B + c) && !named) {
                return "I7 a difference that no log names";
            }
        }
        return "";
    }

    @Override
    public void successors(State s, Search.Steps<State> out) {
        boolean serving = s.get(RECOVERING) == 0;
        for (int c = 0; c < CHUNKS; c++) {
            if (serving) {
                write(s, c, out);
                cool(s, c, out);
            }
            fill(s, c, out);
        }
        if (serving) {
            flush(s, out);
        }
        peers(s, out);
        power(s, out);
    }

    private void write(State s, int c, Search.Steps<State> out) {
        int flight = s.get(FLIGHT + c);
        boolean locked = s.get(COPYING + c) != 0 && mutation != Mutation.RESYNC_WITHOUT_LOCK;
        if (flight == 0 && s.get(ISSUED + c) < versions && !locked) {
            Change next = new Change(s).set(FLIGHT + c, BEGUN).set(ISSUED + c, s.get(ISSUED + c) + 1);
            if (mutation != Mutation.WRITE_BEFORE_HOT) {
                next.set(HOT + c, 1);
            }
            // Alone, the chunk is dirty before the write begins.
            next.set(UNFLUSHED + c, 1).set(DIRTY + c, peer(s) == Peer.IN_SYNC ? s.get(DIRTY + c) : 1);
            out.add("write " + c, next.done());
        }
        if (flight == 0) {
            return;
        }
        if ((flight & HERE) == 0) {
            out.add(
                    "lands here " + c,
                    new Change(s)
                            .set(A + c, s.get(ISSUED + c))
                            .set(FLIGHT + c, flight | HERE)
                            .done());
        }
        if ((flight & THERE) == 0 && counts(s)) {
            out.add(
                    "lands there " + c,
                    new Change(s)
                            .set(B + c, s.get(ISSUED + c))
                            .set(FLIGHT + c, flight | THERE)
                            .done());
        }
        if ((flight & HERE) != 0 && ((flight & THERE) != 0 || peer(s) == Peer.OUT)) {
            out.add(
                    "acknowledge " + c,
                    new Change(s)
                            .set(ACKED + c, s.get(ISSUED + c))
                            .set(FLIGHT + c, 0)
                            .set(UNFLUSHED + c, 1)
                            .done());
        }
    }

    private void cool(State s, int c, Search.Steps<State> out) {
        boolean clean = s.get(UNFLUSHED + c) == 0 || mutation == Mutation.COOL_BEFORE_BOTH_FLUSHED;
        if (s.get(HOT + c) != 0 && s.get(FLIGHT + c) == 0 && clean && s.get(FLUSH) == 0) {
            out.add("cools " + c, new Change(s).set(HOT + c, 0).done());
        }
    }

    private void flush(State s, Search.Steps<State> out) {
        int flush = s.get(FLUSH);
        if (flush == 0) {
            Change next = new Change(s).set(FLUSH, BEGUN);
            for (int c = 0; c < CHUNKS; c++) {
                next.set(COVERS + c, s.get(ACKED + c) + 1);
            }
            out.add("flush", next.done());
            return;
        }
        if ((flush & HERE) == 0) {
            Change next = new Change(s).set(FLUSH, flush | HERE);
            for (int c = 0; c < CHUNKS; c++) {
                next.set(A_STABLE + c, s.get(A + c));
            }
            out.add("flushed here", next.done());
        }
        if ((flush & THERE) == 0 && counts(s)) {
            Change next = new Change(s).set(FLUSH, flush | THERE);
            for (int c = 0; c < CHUNKS; c++) {
                next.set(B_STABLE + c, s.get(B + c));
            }
            out.add("flushed there", next.done());
        }
        boolean there = (flush & THERE) != 0 || peer(s) == Peer.OUT || mutation == Mutation.FLUSH_ONLY_HERE;
        if ((flush & HERE) != 0 && there) {
            Change next = new Change(s).set(FLUSH, 0);
            for (int c = 0; c < CHUNKS; c++) {
                int covered = s.get(COVERS + c) - 1;
                next.set(DURABLE + c, Math.max(s.get(DURABLE + c), covered)).set(COVERS + c, 0);
                if (covered == s.get(ISSUED + c)) {
                    next.set(UNFLUSHED + c, 0);
                }
            }
            out.add("flush answered", next.done());
        }
    }

    private void peers(State s, Search.Steps<State> out) {
        Peer peer = peer(s);
        boolean serving = s.get(RECOVERING) == 0;
        if (peer == Peer.IN_SYNC || peer == Peer.RESTARTED) {
            Change next = new Change(s).set(PEER, Peer.OUT.ordinal()).set(RECOVERING, 0);
            for (int c = 0; c < CHUNKS; c++) {
                boolean unflushed = s.get(UNFLUSHED + c) != 0 && mutation != Mutation.FORGET_UNFLUSHED_WHEN_SHRINKING;
                if (unflushed || s.get(FLIGHT + c) != 0 || !serving && s.get(HOT + c) != 0) {
                    next.set(DIRTY + c, 1);
                }
                if (!serving) {
                    next.set(ACKED + c, s.get(A + c)).set(ISSUED + c, Math.max(s.get(ISSUED + c), s.get(A + c)));
                }
            }
            out.add("shrink", next.done());
        }
        if (peer == Peer.RESTARTED && mutation == Mutation.TRUST_A_RESTARTED_PEER) {
            out.add("trusted", new Change(s).set(PEER, Peer.IN_SYNC.ordinal()).done());
        }
        if (!serving) {
            if (peer == Peer.IN_SYNC) {
                reconcile(s, out);
            }
            return;
        }
        switch (peer) {
            case OUT -> {
                Change next = new Change(s).set(PEER, Peer.FILLING.ordinal());
                for (int c = 0; c < CHUNKS; c++) {
                    next.set(TODO + c, s.get(DIRTY + c));
                    // What is under way comes again, to this follower.
                    next.set(FLIGHT + c, s.get(FLIGHT + c) & ~THERE);
                }
                out.add("fill", next.done());
            }
            case FILLING -> {
                boolean copied = true;
                Change next = new Change(s).set(PEER, Peer.SEALED.ordinal());
                for (int c = 0; c < CHUNKS; c++) {
                    copied &= s.get(TODO + c) == 0 && s.get(COPYING + c) == 0;
                    if (mutation != Mutation.SEAL_WITHOUT_FLUSH) {
                        next.set(B_STABLE + c, s.get(B + c)).set(A_STABLE + c, s.get(A + c));
                    }
                }
                if (copied) {
                    out.add("seal", next.done());
                }
            }
            case SEALED -> {
                Change next = new Change(s).set(PEER, Peer.IN_SYNC.ordinal());
                for (int c = 0; c < CHUNKS; c++) {
                    next.set(DIRTY + c, 0);
                }
                out.add("grow", next.done());
            }
            case IN_SYNC, RESTARTED -> {}
        }
        if (peer == Peer.FILLING || peer == Peer.SEALED) {
            out.add("link lost while filling", lost(s).done());
        }
    }

    private static Change lost(State s) {
        Change next = new Change(s).set(PEER, Peer.OUT.ordinal());
        for (int c = 0; c < CHUNKS; c++) {
            next.set(TODO + c, 0).set(COPYING + c, 0);
            if (s.get(FLIGHT + c) != 0 || s.get(UNFLUSHED + c) != 0) {
                next.set(DIRTY + c, 1);
            }
        }
        return next;
    }

    /** Chunk by chunk: read under a range lock, then written there. A chunk with a write under way waits for it. */
    private void fill(State s, int c, Search.Steps<State> out) {
        if (peer(s) != Peer.FILLING) {
            return;
        }
        boolean free = s.get(FLIGHT + c) == 0 || mutation == Mutation.RESYNC_WITHOUT_LOCK;
        if (s.get(TODO + c) != 0 && s.get(COPYING + c) == 0 && free) {
            out.add(
                    "reads " + c,
                    new Change(s)
                            .set(COPYING + c, s.get(A + c) + 1)
                            .set(TODO + c, 0)
                            .done());
        }
        if (s.get(COPYING + c) != 0) {
            out.add(
                    "copies " + c,
                    new Change(s)
                            .set(B + c, s.get(COPYING + c) - 1)
                            .set(COPYING + c, 0)
                            .done());
        }
    }

    /** a restarted: what its log names is made equal there, both flush, and what it holds is what was ever acknowledged. */
    private void reconcile(State s, Search.Steps<State> out) {
        Change next = new Change(s).set(RECOVERING, 0);
        for (int c = 0; c < CHUNKS; c++) {
            boolean compared = s.get(HOT + c) != 0 && mutation != Mutation.SERVE_WITHOUT_RECONCILING;
            if (compared) {
                next.set(B + c, s.get(A + c)).set(B_STABLE + c, s.get(A + c)).set(A_STABLE + c, s.get(A + c));
            }
            next.set(HOT + c, 0).set(UNFLUSHED + c, 0).set(ACKED + c, s.get(A + c));
        }
        out.add("reconcile", next.done());
    }

    private void power(State s, Search.Steps<State> out) {
        if (s.get(CRASHES) >= crashes) {
            return;
        }
        for (int kept = 0; kept < 1 << CHUNKS; kept++) {
            Change a = new Change(s)
                    .set(CRASHES, s.get(CRASHES) + 1)
                    .set(RECOVERING, 1)
                    .set(FLUSH, 0);
            Change b = new Change(s).set(CRASHES, s.get(CRASHES) + 1);
            for (int c = 0; c < CHUNKS; c++) {
                boolean keep = (kept >> c & 1) != 0;
                a.set(A + c, keep ? s.get(A + c) : s.get(A_STABLE + c));
                a.set(A_STABLE + c, a.get(A + c));
                a.set(FLIGHT + c, 0).set(COVERS + c, 0).set(UNFLUSHED + c, s.get(HOT + c));
                b.set(B + c, keep ? s.get(B + c) : s.get(B_STABLE + c));
                b.set(B_STABLE + c, b.get(B + c));
            }
            if (peer(s) == Peer.FILLING || peer(s) == Peer.SEALED || peer(s) == Peer.OUT) {
                for (int c = 0; c < CHUNKS; c++) {
                    a.set(TODO + c, 0).set(COPYING + c, 0).set(ACKED + c, a.get(A + c));
                    a.set(DIRTY + c, s.get(HOT + c) != 0 ? 1 : s.get(DIRTY + c));
                }
                a.set(PEER, Peer.OUT.ordinal()).set(RECOVERING, 0);
            }
            out.add("a loses power", a.done());
            switch (peer(s)) {
                case IN_SYNC ->
                    out.add(
                            "b loses power",
                            b.set(PEER, Peer.RESTARTED.ordinal()).done());
                case FILLING, SEALED -> {
                    Change gone = lost(b.done());
                    out.add("b loses power while filled", gone.done());
                }
                case OUT, RESTARTED -> out.add("b loses power", b.done());
            }
        }
    }
}
