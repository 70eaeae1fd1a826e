package dev.pairvm.mirror.core.model;

/**
 * Checkpoints of a later level (I6): output is released only when the standby holds memory and disk of its checkpoint, and a takeover
 * brings both to the same one. An active runs in an open checkpoint, writes and emits; the standby buffers by checkpoint.
 */
final class CheckpointModel implements Search.Model<CheckpointModel.State> {
    /** A rule left out. */
    enum Mutation {
        NONE,
        RELEASE_BEFORE_THE_ACKNOWLEDGEMENT,
        APPLY_THE_OPEN_CHECKPOINT,
        ACKNOWLEDGE_WITHOUT_ITS_WRITES,
        KEEP_WHAT_THE_OLD_ACTIVE_HAD_AHEAD
    }

    /**
     * A state.
     *
     * @param open the checkpoint the active runs in
     * @param wrote whether it wrote in it
     * @param emits highest checkpoint whose output is buffered at the active
     * @param released highest checkpoint whose output was seen outside
     * @param sentWrites highest checkpoint whose writes are on their way or arrived; their arrival is {@code gotWrites}
     * @param memory highest checkpoint whose memory the standby holds
     * @param committed highest checkpoint that the standby acknowledged
     * @param applied checkpoint that the standby's disk is at
     * @param heard highest acknowledgement that the active heard
     * @param ahead checkpoint that the active's own disk is at
     * @param resumed checkpoint that a takeover resumed, -1 before
     * @param old checkpoint that the old active's disk is at when it is back in sync, -1 before
     */
    record State(
            int open,
            boolean wrote,
            int emits,
            int released,
            int gotWrites,
            int memory,
            int committed,
            int applied,
            int heard,
            int ahead,
            int resumed,
            int old) {}

    private final Mutation mutation;
    private final int most;

    CheckpointModel(Mutation mutation, int most) {
        this.mutation = mutation;
        this.most = most;
    }

    @Override
    public State initial() {
        return new State(1, false, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1);
    }

    @Override
    public String violated(State s) {
        if (s.resumed >= 0 && s.released > s.resumed) {
            return "I6 output was seen of a checkpoint that the takeover undid";
        }
        if (s.resumed >= 0 && s.applied != s.resumed) {
            return "I6 memory and disk are of different checkpoints";
        }
        return s.old >= 0 && s.old != s.resumed ? "I3 the old active is back in sync with what was undone" : "";
    }

    @Override
    public void successors(State s, Search.Steps<State> out) {
        if (s.resumed >= 0) {
            if (s.old < 0) {
                int disk = mutation == Mutation.KEEP_WHAT_THE_OLD_ACTIVE_HAD_AHEAD ? s.ahead : s.resumed;
                out.add("the old active is filled", with(s, s.applied, s.resumed, disk));
            }
            return;
        }
        running(s, out);
        standby(s, out);
        // The active may die at any moment: what was committed is applied, what is open is thrown away.
        int disk = mutation == Mutation.APPLY_THE_OPEN_CHECKPOINT ? s.gotWrites : s.committed;
        out.add("takeover", with(s, disk, s.committed, -1));
    }

    private void running(State s, Search.Steps<State> out) {
        if (!s.wrote) {
            out.add(
                    "write and emit",
                    new State(
                            s.open,
                            true,
                            s.open,
                            s.released,
                            s.gotWrites,
                            s.memory,
                            s.committed,
                            s.applied,
                            s.heard,
                            s.open,
                            -1,
                            -1));
        }
        if (s.wrote && s.open < most) {
            out.add(
                    "next checkpoint",
                    new State(
                            s.open + 1,
                            false,
                            s.emits,
                            s.released,
                            s.gotWrites,
                            s.memory,
                            s.committed,
                            s.applied,
                            s.heard,
                            s.ahead,
                            -1,
                            -1));
        }
        int may = mutation == Mutation.RELEASE_BEFORE_THE_ACKNOWLEDGEMENT ? s.open - 1 : s.heard;
        if (s.released < Math.min(may, s.emits)) {
            out.add(
                    "release",
                    new State(
                            s.open,
                            s.wrote,
                            s.emits,
                            s.released + 1,
                            s.gotWrites,
                            s.memory,
                            s.committed,
                            s.applied,
                            s.heard,
                            s.ahead,
                            -1,
                            -1));
        }
        if (s.heard < s.committed) {
            out.add(
                    "hear",
                    new State(
                            s.open,
                            s.wrote,
                            s.emits,
                            s.released,
                            s.gotWrites,
                            s.memory,
                            s.committed,
                            s.applied,
                            s.heard + 1,
                            s.ahead,
                            -1,
                            -1));
        }
    }

    private void standby(State s, Search.Steps<State> out) {
        int written = s.wrote ? s.open : s.open - 1;
        if (s.gotWrites < written) {
            out.add(
                    "writes arrive",
                    new State(
                            s.open,
                            s.wrote,
                            s.emits,
                            s.released,
                            s.gotWrites + 1,
                            s.memory,
                            s.committed,
                            s.applied,
                            s.heard,
                            s.ahead,
                            -1,
                            -1));
        }
        if (s.memory < s.open - 1) {
            out.add(
                    "memory arrives",
                    new State(
                            s.open,
                            s.wrote,
                            s.emits,
                            s.released,
                            s.gotWrites,
                            s.memory + 1,
                            s.committed,
                            s.applied,
                            s.heard,
                            s.ahead,
                            -1,
                            -1));
        }
        boolean complete = s.gotWrites > s.committed || mutation == Mutation.ACKNOWLEDGE_WITHOUT_ITS_WRITES;
        if (s.memory > s.committed && complete) {
            out.add(
                    "commit",
                    new State(
                            s.open,
                            s.wrote,
                            s.emits,
                            s.released,
                            s.gotWrites,
                            s.memory,
                            s.committed + 1,
                            s.applied,
                            s.heard,
                            s.ahead,
                            -1,
                            -1));
        }
        if (s.applied < Math.min(s.committed, s.gotWrites)) {
            out.add(
                    "apply",
                    new State(
                            s.open,
                            s.wrote,
                            s.emits,
                            s.released,
                            s.gotWrites,
                            s.memory,
                            s.committed,
                            s.applied + 1,
                            s.heard,
                            s.ahead,
                            -1,
                            -1));
        }
    }

    private State with(State s, int applied, int resumed, int old) {
        // A disk can only be brought to what has arrived.
        int disk = Math.min(applied, s.gotWrites);
        return new State(
                s.open,
                s.wrote,
                s.emits,
                s.released,
                s.gotWrites,
                s.memory,
                s.committed,
                disk,
                s.heard,
                s.ahead,
                resumed,
                old);
    }
}
