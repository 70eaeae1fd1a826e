package dev.pairvm.mirror.core;

import java.util.ArrayList;
import java.util.List;

/**
 * Brings a follower to the lead's view of the chunks in {@code todo}: takes ranges of at most 1 MiB under a range lock, lets both
 * sides hash, sends what differs. Several ranges are under way at once. Used to fill a joining copy while the guest writes, and to
 * reconcile an in-sync one before the guest is served.
 */
final class Resync {
    private static final int STEP_CHUNKS = 16;
    /** Ranges under way: enough to cover a round trip of 10 ms at some hundred MiB/s. */
    private static final int MOST_STEPS = 4;

    private final class Step extends RangeLocks.Holder {
        final long io = out.token();
        final long seq = link.nextSeq();
        List<ChunkHash> mine = List.of();
        List<ChunkHash> theirs = List.of();
        int unanswered;

        Step(int disk, long offset, long length) {
            super(disk, offset, length, true);
        }

        @Override
        void granted() {
            if (abandoned) {
                return;
            }
            out.emit(new Effect.HashLocal(io, disk, offset, (int) length));
            out.emit(new Effect.Send(
                    link.peer, new Message.HashRequest(lead.epoch(), link.session(), seq, disk, offset, (int) length)));
        }

        int chunks() {
            return (int) ((length + Extent.CHUNK_BYTES - 1) / Extent.CHUNK_BYTES);
        }
    }

    private final Outbox out;
    private final Rules rules;
    private final Lead lead;
    private final Link link;
    private final DirtyMap todo;
    private final List<Long> diskBytes;
    private final List<Step> steps = new ArrayList<>();
    private final LongTable<Step> bySeq = new LongTable<>();
    private final long[] total;
    private final long[] done;
    private int disk;
    private int extent;
    private boolean pumping;
    private boolean abandoned;
    private boolean finished;

    Resync(Outbox out, Rules rules, Lead lead, Link link, DirtyMap todo, List<Long> diskBytes) {
        this.out = out;
        this.rules = rules;
        this.lead = lead;
        this.link = link;
        this.todo = todo;
        this.diskBytes = diskBytes;
        total = new long[todo.disks()];
        done = new long[todo.disks()];
        for (int i = 0; i < total.length; i++) {
            total[i] = todo.chunks(i);
        }
    }

    long totalBytes(int ofDisk) {
        return total[ofDisk] * Extent.CHUNK_BYTES;
    }

    long doneBytes(int ofDisk) {
        return done[ofDisk] * Extent.CHUNK_BYTES;
    }

    void pump() {
        if (pumping || abandoned || finished) {
            return;
        }
        pumping = true;
        while (steps.size() < MOST_STEPS && seek()) {
            take();
        }
        pumping = false;
        if (steps.isEmpty() && !seek()) {
            finished = true;
            lead.resynced(this);
        }
    }

    private boolean seek() {
        while (disk < todo.disks()) {
            while (extent < todo.extents(disk)) {
                if (todo.word(disk, extent) != 0) {
                    return true;
                }
                extent++;
            }
            extent = 0;
            disk++;
        }
        return false;
    }

    private void take() {
        long word = todo.word(disk, extent);
        int first = Long.numberOfTrailingZeros(word);
        int run = Math.min(STEP_CHUNKS, Long.numberOfTrailingZeros(~(word >>> first)));
        long offset = (long) extent * Extent.BYTES + (long) first * Extent.CHUNK_BYTES;
        long length = Math.min((long) run * Extent.CHUNK_BYTES, diskBytes.get(disk) - offset);
        todo.remove(disk, extent, DirtyMap.mask(extent, offset, length));
        Step step = new Step(disk, offset, length);
        steps.add(step);
        bySeq.put(step.seq, step);
        if (rules.resyncLocksRanges()) {
            lead.io().locks(step.disk).acquire(step);
        } else {
            step.granted();
        }
    }

    boolean hashed(Event.LocalHashed event) {
        for (Step step : steps) {
            if (step.io == event.io()) {
                step.mine = event.hashes();
                compare(step);
                return true;
            }
        }
        return false;
    }

    boolean owns(long io) {
        return steps.stream().anyMatch(step -> step.io == io);
    }

    void peerHashed(Message.HashReply reply) {
        Step step = bySeq.remove(reply.seq());
        if (step != null) {
            step.theirs = reply.hashes();
            compare(step);
        }
    }

    private void compare(Step step) {
        if (step.mine.isEmpty() || step.theirs.isEmpty()) {
            return;
        }
        int chunks = step.chunks();
        ProtocolBugException.check(
                step.mine.size() == chunks && step.theirs.size() == chunks,
                "one hash for each chunk",
                step.theirs.size());
        int from = 0;
        while (from < chunks) {
            int to = from;
            while (to < chunks && differs(step, to) && zero(step, to) == zero(step, from)) {
                to++;
            }
            if (to > from) {
                send(step, from, to);
            }
            from = Math.max(to, from + 1);
        }
        if (step.unanswered == 0) {
            finish(step);
        }
    }

    private static boolean differs(Step step, int chunk) {
        return !step.mine.get(chunk).equals(step.theirs.get(chunk));
    }

    private static boolean zero(Step step, int chunk) {
        return step.mine.get(chunk).equals(ChunkHash.ZERO);
    }

    private void send(Step step, int from, int to) {
        long offset = step.offset + (long) from * Extent.CHUNK_BYTES;
        long length = Math.min((long) (to - from) * Extent.CHUNK_BYTES, step.offset + step.length - offset);
        long seq = link.nextSeq();
        var frame = new Message.ResyncData(
                lead.epoch(), link.session(), seq, step.disk, offset, (int) length, zero(step, from));
        step.unanswered++;
        bySeq.put(seq, step);
        out.emit(frame.zero() ? new Effect.Send(link.peer, frame) : new Effect.SendChunk(link.peer, frame));
    }

    void acknowledged(long seq) {
        Step step = bySeq.remove(seq);
        if (step != null && --step.unanswered == 0) {
            finish(step);
        }
    }

    private void finish(Step step) {
        steps.remove(step);
        done[step.disk] += step.chunks();
        if (rules.resyncLocksRanges()) {
            lead.io().locks(step.disk).release(step);
        }
        pump();
    }

    /** The follower is lost; locks are given back. */
    void abandon() {
        abandoned = true;
        if (rules.resyncLocksRanges()) {
            steps.forEach(step -> lead.io().locks(step.disk).release(step));
        }
        steps.clear();
        bySeq.clear();
    }
}
