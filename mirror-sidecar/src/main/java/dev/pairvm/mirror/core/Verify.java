package dev.pairvm.mirror.core;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Compares the two copies while the guest works: one range after the other under its range lock, so that nothing is under way there on
 * either side, each as its device holds it. What differs twice in a row is told with both hashes; then the standby's bytes are written
 * anew from the active's, for these are what the guest sees, flushed, and compared once more.
 *
 * <p>It gives way: a range begins only while no request of the guest is under way, or after {@link #BUSY_NANOS}, so that a guest that
 * never rests is verified too, if slowly.
 *
 * <p>Safety: a repair is a write. Its extents are hot durably before it begins, so what a crash in the middle leaves different is
 * compared before the guest is served again. A range that is known to differ while the peer is lost keeps that peer from simply
 * continuing: it goes out by record, and the range is dirty.
 */
final class Verify {
    /** Longest time between two ranges of a busy guest: 4 MiB/s, a TiB in three days. */
    private static final long BUSY_NANOS = 250_000_000L;

    /** Progress is news this many times in a run. */
    private static final long TOLD_PARTS = 20;

    private enum Stage {
        /** Both hash. */
        COMPARING,
        /** They differed; both hash once more. */
        AGAIN,
        /** They differ: the repair waits for the activity log, is on its way, or is being flushed. */
        REPAIRING,
        /** Repaired and flushed; both hash once more. */
        PROVING
    }

    private final class Step extends Comparison {
        Stage stage = Stage.COMPARING;
        boolean cut;
        boolean sending;
        private long differing;

        Step(Link to, int disk, long offset, long length) {
            super(side.out, lead, to, disk, offset, length, false);
        }

        @Override
        void granted() {
            if (!cut) {
                askDevices();
            }
        }

        @Override
        void sent(long seq) {
            seqs.put(seq, this);
        }

        @Override
        void hot() {
            if (cut) {
                leaveLog();
            } else {
                sending = true;
                sendDifferences();
            }
        }

        void leaveLog() {
            if (logged) {
                logged = false;
                lead.io().log().leave(this);
            }
        }

        /** Known to differ, and not proven repaired. */
        boolean doubtful() {
            return stage == Stage.REPAIRING || stage == Stage.PROVING;
        }

        boolean zeroes() {
            for (int chunk = 0; chunk < chunks(); chunk++) {
                if (!known() || !mine(chunk).equals(ChunkHash.ZERO)) {
                    return false;
                }
            }
            return true;
        }

        long differing() {
            long count = 0;
            for (int chunk = 0; chunk < chunks(); chunk++) {
                count += differs(chunk) ? 1 : 0;
            }
            return count;
        }
    }

    private final Side side;
    private final Lead lead;
    private final List<VerifyRun.Mismatch> kept = new ArrayList<>();
    private final LongTable<Step> seqs = new LongTable<>();
    private @Nullable Link link;
    private @Nullable Step step;
    private String ending = "";
    private @Nullable Runnable then;
    private int disk;
    private long offset;
    private long notBefore;
    private long beganAt;
    private long compared;
    private long mismatches;
    private long repaired;
    private long unreadable;

    Verify(Side side, Lead lead) {
        this.side = side;
        this.lead = lead;
    }

    /** An order; changes nothing while one is being carried out. */
    void request() {
        if (link != null) {
            return;
        }
        String refusal = refusal();
        if (!refusal.isEmpty()) {
            side.out.emit(new Effect.OrderEnded(Effect.Order.VERIFY, refusal));
            return;
        }
        link = lead.inSyncLink();
        disk = 0;
        offset = 0;
        notBefore = 0;
        beganAt = side.out.now();
        compared = 0;
        mismatches = 0;
        repaired = 0;
        unreadable = 0;
        kept.clear();
        side.publish();
    }

    private String refusal() {
        if (!lead.serving()) {
            return "this side does not serve now";
        }
        if (lead.diskFailed()) {
            return "this side's disk failed";
        }
        if (lead.inSyncLink() == null) {
            return "no other copy is in sync with this side now";
        }
        return lead.handOver().switching() ? "the guest is being handed over" : "";
    }

    /** What is known of the one under way. */
    Optional<VerifyRun> running() {
        return Optional.ofNullable(link).map(to -> run(to, VerifyRun.State.RUNNING, "", 0));
    }

    private long total() {
        return side.sizes.all().stream().mapToLong(Long::longValue).sum();
    }

    private VerifyRun run(Link to, VerifyRun.State state, String reason, long endedAt) {
        return new VerifyRun(
                to.peer, state, reason, beganAt, endedAt, total(), compared, mismatches, repaired, unreadable, kept);
    }

    // ------------------------------------------------------------------------------------------------------ one by one

    void tick() {
        if (link == null || step != null || !lead.serving() || lead.handOver().switching()) {
            return;
        }
        if (lead.inSyncLink() != link) {
            abort("the peer is not in sync any more");
            return;
        }
        boolean idle = lead.io().inFlight() == 0 && side.held.size() == 0;
        if (idle || side.out.now() >= notBefore) {
            take(link);
        }
    }

    private void take(Link to) {
        notBefore = side.out.now() + BUSY_NANOS;
        long length = Math.min((long) Comparison.MOST_CHUNKS * Extent.CHUNK_BYTES, side.sizes.of(disk) - offset);
        Step next = new Step(to, disk, offset, length);
        step = next;
        if (side.rules.verifyLocksRanges()) {
            lead.io().locks(disk).acquire(next);
        } else {
            next.granted();
        }
    }

    boolean hashed(Event.LocalHashed event) {
        Step now = step;
        if (now == null || !now.owns(event.io())) {
            return false;
        }
        now.localHashed(event.hashes());
        compare(now);
        return true;
    }

    void peerHashed(Message.HashReply reply) {
        Step now = seqs.remove(reply.seq());
        if (now != null) {
            now.peerHashed(reply.hashes());
            compare(now);
        }
    }

    /** This side could not read it: whether the hash was this one's. A read of the guest there is answered, and repaired, by the peer. */
    boolean canNotRead(long io) {
        Step now = step;
        if (now == null || !now.owns(io)) {
            return false;
        }
        unreadable += now.length;
        finish(now);
        return true;
    }

    private void compare(Step now) {
        if (!now.known()) {
            return;
        }
        long differing = now.differing();
        switch (now.stage) {
            case COMPARING -> {
                if (differing == 0) {
                    equal(now);
                } else {
                    now.stage = Stage.AGAIN;
                    now.askDevices();
                }
            }
            case AGAIN -> {
                if (differing == 0) {
                    equal(now);
                } else {
                    now.stage = Stage.REPAIRING;
                    now.differing = differing;
                    tell(now);
                    lead.io().log().enter(now);
                }
            }
            case PROVING -> {
                if (differing == 0) {
                    repaired += now.differing;
                    equal(now);
                } else {
                    lead.followed().keepsNoRepair(now.to());
                }
            }
            case REPAIRING -> throw new ProtocolBugException("nobody hashes during a repair");
        }
    }

    /** One by one only the first; a disk that is rotten all over must not flood who reads the reports. */
    private void tell(Step now) {
        int before = kept.size();
        for (int chunk = 0; chunk < now.chunks(); chunk++) {
            if (now.differs(chunk)) {
                long at = now.offset + (long) chunk * Extent.CHUNK_BYTES;
                int length = (int) Math.min(Extent.CHUNK_BYTES, now.offset + now.length - at);
                mismatches++;
                if (kept.size() < VerifyRun.MOST_KEPT) {
                    var mismatch = new VerifyRun.Mismatch(now.disk, at, length, now.mine(chunk), now.theirs(chunk));
                    kept.add(mismatch);
                    side.out.emit(new Effect.TellMismatch(mismatch));
                }
            }
        }
        if (kept.size() > before) {
            side.publish();
        }
    }

    /** The standby has what one frame of a repair brought. After the last, both flush: only what is durable is repaired. */
    void acknowledged(long seq) {
        Step now = seqs.remove(seq);
        if (now == null || now.acknowledged() > 0) {
            return;
        }
        now.sending = false;
        if (lead.diskFailed()) {
            doubt(now);
            finish(now);
            return;
        }
        lead.io().flushes().flush(now.disk, () -> {
            if (step == now && now.stage == Stage.REPAIRING) {
                now.stage = Stage.PROVING;
                now.askDevices();
            }
        });
    }

    private void equal(Step now) {
        long before = compared * TOLD_PARTS / total();
        compared += now.length;
        if (compared * TOLD_PARTS / total() > before) {
            side.publish();
        }
        finish(now);
    }

    private void finish(Step now) {
        boolean zeroes = now.zeroes();
        release(now);
        offset = now.offset + now.length;
        if (offset >= side.sizes.of(now.disk)) {
            offset = 0;
            disk = now.disk + 1;
        }
        if (!ending.isEmpty()) {
            abort(ending);
        } else if (disk == side.sizes.count()) {
            end(VerifyRun.State.COMPLETE, "");
        } else if (zeroes) {
            tick(); // holes cost next to nothing
        }
    }

    private void release(Step now) {
        step = null;
        now.cut = true;
        now.leaveLog();
        if (seqs.size() > 0) {
            seqs.clear();
        }
        if (side.rules.verifyLocksRanges()) {
            lead.io().locks(now.disk).release(now);
        }
    }

    // ------------------------------------------------------------------------------------------------------------- end

    /**
     * Ends it, and runs {@code next} when nothing of it is under way any more: at once, but for a repair, which is carried out first. Its
     * lock is not given up before, for the bytes on their way would overwrite a later write.
     */
    void stop(String why, Runnable next) {
        Step now = step;
        if (now != null && now.doubtful()) {
            ending = why;
            then = next;
            return;
        }
        if (now != null) {
            release(now);
        }
        if (link != null) {
            abort(why);
        }
        next.run();
    }

    /** This side's bytes count for nothing any more. What of them is on its way to the standby keeps its lock until it has arrived. */
    void diskFailed() {
        Step now = step;
        if (link == null) {
            return;
        }
        ending = "this side's disk failed";
        if (now == null || !now.sending) {
            if (now != null) {
                doubt(now);
                release(now);
            }
            abort(ending);
        }
    }

    /** The peer's link is gone, and what was on its way with it. */
    void peerLost() {
        Step now = step;
        then = null;
        if (now != null) {
            doubt(now);
            release(now);
        }
        if (link != null) {
            abort("the peer was lost");
        }
    }

    /** A difference that is known and not proven repaired: whoever holds it is not in sync. */
    private void doubt(Step now) {
        if (now.doubtful()) {
            lead.followed().joining().wentOnWithout();
            lead.dirty().addRange(now.disk, now.offset, now.length);
        }
    }

    /** This side leads no more. The locks go with it. */
    void end() {
        Step now = step;
        if (now != null) {
            now.cut = true;
        }
        step = null;
        then = null;
        if (link != null) {
            abort("this side leads no more");
        }
    }

    private void abort(String why) {
        end(VerifyRun.State.ABORTED, why);
    }

    private void end(VerifyRun.State state, String why) {
        Link to = link;
        if (to == null) {
            throw new ProtocolBugException("what runs has a peer");
        }
        side.lastVerify = Optional.of(run(to, state, why, side.out.now()));
        link = null;
        ending = "";
        side.out.emit(new Effect.OrderEnded(Effect.Order.VERIFY, why));
        side.publish();
        Runnable next = then;
        then = null;
        if (next != null) {
            next.run();
        }
    }
}
