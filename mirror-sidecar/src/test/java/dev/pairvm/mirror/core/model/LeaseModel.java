package dev.pairvm.mirror.core.model;

/**
 * Lease and promise in integer time, on two clocks of different rates: an active {@code a}, its standby {@code b}, beacons of any delay, a
 * record changed by compare-and-swap. Two gates must never be open together (I5). The gate is the kernel's: it closes by a's clock
 * whatever the mirror does.
 *
 * <p>Where a serves, grants and grows are as in the mirror: bounded by the lease of b while b may be listed, without end when the
 * record lists a alone and nothing is in doubt.
 */
final class LeaseModel implements Search.Model<LeaseModel.State> {
    /** A rule left out. */
    enum Mutation {
        NONE,
        PROMISE_NOT_KEPT,
        GRACE_WITHOUT_MARGIN,
        LEASE_FROM_RECEIPT,
        NEW_LIFE_FORGETS_ITS_PROMISE,
        GRANTS_WHILE_ASKING,
        ALONE_BEFORE_THE_SHRINK_IS_KNOWN,
        GATE_WITHOUT_END_WHILE_GROWING
    }

    /** What the record lists. */
    enum Listed {
        BOTH,
        A,
        /** b is active, alone. */
        B
    }

    /** A change that a has asked for and whose outcome it does not know. */
    enum Asked {
        NOTHING,
        SHRINK,
        GROW
    }

    private static final int FOREVER = 99;
    private static final int NOTHING = -1;

    /**
     * A state. Times are relative, each in its own clock's units, and end at 0.
     *
     * @param beacon age on a's clock of a beacon on its way to b, {@link #NOTHING} if none
     * @param grant age on a's clock of the beacon whose grant is on its way back
     * @param gate how long a's gate stays open
     * @param promise how long b may not ask for promotion
     * @param following whether b follows and grants
     * @param bGate whether b's gate is open
     * @param known what a knows of the record
     * @param asking a's change in doubt
     * @param shrinkSent a shrink that may yet be applied, with its epoch, 0 if none; likewise the others
     */
    record State(
            int beacon,
            int grant,
            int gate,
            int promise,
            boolean following,
            boolean bGate,
            Listed record,
            int epoch,
            Listed known,
            int knownEpoch,
            Asked asking,
            int shrinkSent,
            int growSent,
            int promoteSent,
            int restarts) {}

    private final Mutation mutation;
    private final int rateA;
    private final int rateB;
    private final int lease;
    private final int grace;
    private final int epochs;

    /** Rates are units per tick: a's lease is 24 units of its clock, b's grace 1.25 times that of its own. */
    LeaseModel(Mutation mutation, int rateA, int rateB, int epochs) {
        this.mutation = mutation;
        this.rateA = rateA;
        this.rateB = rateB;
        this.epochs = epochs;
        lease = 24;
        grace = mutation == Mutation.GRACE_WITHOUT_MARGIN ? lease : lease * 5 / 4;
    }

    @Override
    public State initial() {
        return new State(
                NOTHING, NOTHING, 0, grace, true, false, Listed.BOTH, 1, Listed.BOTH, 1, Asked.NOTHING, 0, 0, 0, 0);
    }

    @Override
    public String violated(State s) {
        return s.gate > 0 && s.bGate ? "I5 two gates are open" : "";
    }

    private int aged(int age) {
        return age == NOTHING || age + rateA > lease ? NOTHING : age + rateA;
    }

    private int later(int left, int rate) {
        return left == FOREVER ? FOREVER : Math.max(0, left - rate);
    }

    @Override
    public void successors(State s, Search.Steps<State> out) {
        out.add(
                "tick",
                with(s, aged(s.beacon), aged(s.grant), later(s.gate, rateA), later(s.promise, rateB), s.following));
        beacons(s, out);
        active(s, out);
        standby(s, out);
        arbiter(s, out);
    }

    private void beacons(State s, Search.Steps<State> out) {
        boolean leads = s.known != Listed.B;
        if (leads && s.beacon == NOTHING) {
            out.add("a sends a beacon", with(s, 0, s.grant, s.gate, s.promise, s.following));
        }
        if (s.beacon != NOTHING) {
            out.add("beacon lost", with(s, NOTHING, s.grant, s.gate, s.promise, s.following));
            if (s.following) {
                out.add("b grants", with(s, NOTHING, s.beacon, s.gate, grace, true));
            }
        }
        if (s.grant != NOTHING) {
            out.add("grant lost", with(s, s.beacon, NOTHING, s.gate, s.promise, s.following));
            boolean bounded = s.known == Listed.BOTH || s.asking == Asked.GROW;
            if (leads && bounded) {
                int until = mutation == Mutation.LEASE_FROM_RECEIPT ? lease : lease - s.grant;
                int gate = s.gate == FOREVER ? FOREVER : Math.max(s.gate, until);
                out.add("a hears the grant", with(s, s.beacon, NOTHING, gate, s.promise, s.following));
            }
        }
    }

    /** What a asks, and what it learns: only that the epoch moved. */
    private void active(State s, Search.Steps<State> out) {
        boolean leads = s.known != Listed.B;
        if (leads && s.asking == Asked.NOTHING && s.knownEpoch < epochs) {
            if (s.known == Listed.BOTH) {
                int gate = mutation == Mutation.ALONE_BEFORE_THE_SHRINK_IS_KNOWN ? FOREVER : s.gate;
                out.add("a asks to shrink", asks(s, gate, Asked.SHRINK, s.knownEpoch, s.growSent));
            } else {
                int gate = mutation == Mutation.GATE_WITHOUT_END_WHILE_GROWING ? s.gate : 0;
                out.add("a asks to grow", asks(s, gate, Asked.GROW, s.shrinkSent, s.knownEpoch));
            }
        }
        if (s.knownEpoch < s.epoch) {
            int gate = switch (s.record) {
                case A -> FOREVER;
                case B -> 0;
                case BOTH -> s.gate == FOREVER ? 0 : s.gate;
            };
            if (mutation == Mutation.GATE_WITHOUT_END_WHILE_GROWING && s.record == Listed.BOTH) {
                gate = 0;
            }
            out.add(
                    "a learns " + s.record,
                    new State(
                            s.beacon,
                            s.grant,
                            gate,
                            s.promise,
                            s.following,
                            s.bGate,
                            s.record,
                            s.epoch,
                            s.record,
                            s.epoch,
                            Asked.NOTHING,
                            s.shrinkSent,
                            s.growSent,
                            s.promoteSent,
                            s.restarts));
        }
    }

    private void standby(State s, Search.Steps<State> out) {
        if (s.following) {
            out.add("b loses a", with(s, s.beacon, s.grant, s.gate, s.promise, false));
        } else if (s.promoteSent == 0 && s.record != Listed.B) {
            out.add("b follows", with(s, s.beacon, s.grant, s.gate, grace, true));
        }
        boolean quiet = !s.following || mutation == Mutation.GRANTS_WHILE_ASKING;
        boolean due = s.promise == 0 || mutation == Mutation.PROMISE_NOT_KEPT;
        if (quiet && due && s.record == Listed.BOTH && s.promoteSent == 0 && s.epoch < epochs) {
            out.add("b asks to be promoted", sent(s, s.shrinkSent, s.growSent, s.epoch));
        }
        if (s.restarts < 1 && !s.bGate) {
            int promise = mutation == Mutation.NEW_LIFE_FORGETS_ITS_PROMISE ? 0 : grace;
            State again = with(s, s.beacon, s.grant, s.gate, promise, false);
            out.add(
                    "b restarts",
                    new State(
                            again.beacon,
                            again.grant,
                            again.gate,
                            again.promise,
                            false,
                            false,
                            s.record,
                            s.epoch,
                            s.known,
                            s.knownEpoch,
                            s.asking,
                            s.shrinkSent,
                            s.growSent,
                            s.promoteSent,
                            s.restarts + 1));
        }
    }

    /** The arbiter applies what was sent arbitrarily late, each at its epoch only. */
    private void arbiter(State s, Search.Steps<State> out) {
        if (s.shrinkSent != 0) {
            State taken = sent(s, 0, s.growSent, s.promoteSent);
            out.add("arbiter shrinks", s.shrinkSent == s.epoch ? moved(taken, Listed.A, s.bGate) : taken);
        }
        if (s.growSent != 0) {
            State taken = sent(s, s.shrinkSent, 0, s.promoteSent);
            out.add("arbiter grows", s.growSent == s.epoch ? moved(taken, Listed.BOTH, s.bGate) : taken);
        }
        if (s.promoteSent != 0) {
            State taken = sent(s, s.shrinkSent, s.growSent, 0);
            out.add("arbiter promotes b", s.promoteSent == s.epoch ? moved(taken, Listed.B, true) : taken);
        }
    }

    private static State with(State s, int beacon, int grant, int gate, int promise, boolean following) {
        return new State(
                beacon,
                grant,
                gate,
                promise,
                following,
                s.bGate,
                s.record,
                s.epoch,
                s.known,
                s.knownEpoch,
                s.asking,
                s.shrinkSent,
                s.growSent,
                s.promoteSent,
                s.restarts);
    }

    private static State asks(State s, int gate, Asked asking, int shrinkSent, int growSent) {
        return new State(
                s.beacon,
                s.grant,
                gate,
                s.promise,
                s.following,
                s.bGate,
                s.record,
                s.epoch,
                s.known,
                s.knownEpoch,
                asking,
                shrinkSent,
                growSent,
                s.promoteSent,
                s.restarts);
    }

    private static State sent(State s, int shrinkSent, int growSent, int promoteSent) {
        return new State(
                s.beacon,
                s.grant,
                s.gate,
                s.promise,
                s.following,
                s.bGate,
                s.record,
                s.epoch,
                s.known,
                s.knownEpoch,
                s.asking,
                shrinkSent,
                growSent,
                promoteSent,
                s.restarts);
    }

    private static State moved(State s, Listed record, boolean bGate) {
        return new State(
                s.beacon,
                s.grant,
                s.gate,
                s.promise,
                s.following && record != Listed.B,
                bGate,
                record,
                s.epoch + 1,
                s.known,
                s.knownEpoch,
                s.asking,
                s.shrinkSent,
                s.growSent,
                s.promoteSent,
                s.restarts);
    }
}
