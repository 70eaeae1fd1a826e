package dev.pairvm.mirror.core;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * Brings a follower to the lead's view of the chunks in {@code todo}: takes some chunks of an extent under range locks, lets both sides
 * hash, sends the 4 KiB pieces that differ. Chunks that are named dirty are compared by pieces at once; others by chunk first, for of
 * those few differ. Several steps are under way at once, as many as {@link ResyncPace} allows. Used to fill a joining copy while the
 * guest writes, and to reconcile an in-sync one before the guest is served.
 */
final class Resync {
    /** Most steps under way, whatever the pace. */
    private static final int MOST_STEPS = 64;

    /** One run of chunks that are locked together. Range locks are granted in order of arrival, so no guest starves a step. */
    private final class Run extends RangeLocks.Holder {
        private final ResyncStep step;

        Run(ResyncStep step, long offset, long length) {
            super(step.disk, offset, length, true);
            this.step = step;
        }

        @Override
        void granted() {
            if (!abandoned && --step.locksMissing == 0) {
                begin(step);
            }
        }
    }

    private final Outbox out;
    private final Rules rules;
    private final Lead lead;
    private final Link link;
    private final DirtyMap todo;
    /** Chunks that were written while the follower was away: most of them differ. */
    private final DirtyMap named;

    private final DiskSizes sizes;
    private final ResyncPace pace;
    private final List<ResyncStep> steps = new ArrayList<>();
    private final LongTable<ResyncStep> bySeq = new LongTable<>();
    private final ResyncProgress progress;
    private long underWay;
    private int disk;
    private int extent;
    private boolean pumping;
    private boolean abandoned;
    private boolean finished;

    Resync(
            Outbox out,
            Rules rules,
            Lead lead,
            Link link,
            DirtyMap todo,
            DirtyMap named,
            DiskSizes sizes,
            ResyncPace pace) {
        this.out = out;
        this.rules = rules;
        this.lead = lead;
        this.link = link;
        this.todo = todo;
        this.named = named;
        this.sizes = sizes;
        this.pace = pace;
        this.progress = new ResyncProgress(out, todo);
    }

    ResyncProgress progress() {
        return progress;
    }

    CoreView.Resyncing.Pace pace() {
        return pace.pace();
    }

    OptionalLong secondsLeft() {
        return finished ? OptionalLong.of(0) : progress.secondsLeft();
    }

    /** Begins what may be begun now; to be called whenever something has happened, time alone included. */
    void pump() {
        if (pumping || abandoned || finished) {
            return;
        }
        pumping = true;
        progress.timePassed();
        while (steps.size() < MOST_STEPS && seek()) {
            long allowed = pace.allowance(underWay);
            if (allowed < Extent.CHUNK_BYTES) {
                break;
            }
            take((int) Math.min(Message.MOST_CHUNKS, allowed / Extent.CHUNK_BYTES));
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

    /** Begins a step of at most so many chunks. */
    private void take(int most) {
        long word = todo.word(disk, extent);
        long byPieces = link.comparesPieces ? word & named.word(disk, extent) : 0;
        ResyncStep step = byPieces != 0
                ? new ResyncStep(disk, extent, lowest(byPieces, most), sizes.of(disk), true)
                : new ResyncStep(disk, extent, firstRun(word, most), sizes.of(disk), false);
        todo.remove(disk, extent, step.chunks);
        steps.add(step);
        step.bytes = (long) Long.bitCount(step.chunks) * Extent.CHUNK_BYTES;
        underWay += step.bytes;
        pace.took(step.bytes);
        lock(step);
    }

    private static long lowest(long word, int most) {
        long chosen = 0;
        for (long left = word; left != 0 && Long.bitCount(chosen) < most; left &= left - 1) {
            chosen |= Long.lowestOneBit(left);
        }
        return chosen;
    }

    private static long firstRun(long word, int most) {
        int first = Long.numberOfTrailingZeros(word);
        int length = Math.min(most, Long.numberOfTrailingZeros(~(word >>> first)));
        return (-1L >>> (Long.SIZE - length)) << first;
    }

    private void lock(ResyncStep step) {
        if (!rules.resyncLocksRanges()) {
            begin(step);
            return;
        }
        List<Run> runs = new ArrayList<>();
        for (long left = step.chunks; left != 0; ) {
            long run = firstRun(left, Extent.CHUNKS);
            left &= ~run;
            long offset = step.offset(Long.numberOfTrailingZeros(run));
            runs.add(new Run(step, offset, end(step, run) - offset));
        }
        // All of them at once: two steps that waited for each other's halves would wait for ever.
        step.locks.addAll(runs);
        step.locksMissing = runs.size();
        runs.forEach(run -> lead.io().locks(step.disk).acquire(run));
    }

    /** Where the last of these chunks ends: the disk may end within it. */
    private long end(ResyncStep step, long chunks) {
        int last = Long.SIZE - 1 - Long.numberOfLeadingZeros(chunks);
        return Math.min(step.offset(last) + Extent.CHUNK_BYTES, step.diskBytes);
    }

    private void begin(ResyncStep step) {
        if (step.named) {
            askPieces(step, step.chunks);
            return;
        }
        step.io = out.token();
        long offset = step.offset(Long.numberOfTrailingZeros(step.chunks));
        int length = (int) (end(step, step.chunks) - offset);
        long seq = expect(step);
        out.emit(new Effect.HashLocal(step.io, step.disk, offset, length, false));
        out.emit(new Effect.Send(
                link.peer, new Message.HashRequest(lead.epoch(), link.session(), seq, step.disk, offset, length)));
    }

    private void askPieces(ResyncStep step, long chunks) {
        step.askPieces(chunks);
        step.io = out.token();
        long seq = expect(step);
        out.emit(new Effect.HashPieces(step.io, step.disk, step.extent, chunks, step.diskBytes, link.session()));
        out.emit(new Effect.Send(
                link.peer,
                new Message.PieceRequest(
                        lead.epoch(), link.session(), seq, step.disk, step.extent, chunks, step.diskBytes)));
    }

    private long expect(ResyncStep step) {
        long seq = link.nextSeq();
        bySeq.put(seq, step);
        step.unanswered++;
        return seq;
    }

    // ------------------------------------------------------------------------------------------------------- answers

    boolean owns(long io) {
        return find(io) != null;
    }

    private @org.jspecify.annotations.Nullable ResyncStep find(long io) {
        for (ResyncStep step : steps) {
            if (step.io == io) {
                return step;
            }
        }
        return null;
    }

    void hashed(Event.LocalHashed event) {
        ResyncStep step = find(event.io());
        if (step != null) {
            step.mine = event.hashes();
            compare(step);
        }
    }

    void hashed(Event.PiecesHashed event) {
        ResyncStep step = find(event.io());
        if (step != null) {
            step.myPieces = event.hashes();
            comparePieces(step);
        }
    }

    /** The peer's hashes; false if they are not what was asked for. */
    boolean peerHashed(Message.HashReply reply) {
        ResyncStep step = bySeq.remove(reply.seq());
        if (step == null) {
            return true;
        }
        step.unanswered--;
        step.theirs = reply.hashes();
        return reply.hashes().size() == Long.bitCount(step.chunks) && compare(step);
    }

    /** The peer's hashes of pieces; false if they are not what was asked for. */
    boolean peerHashed(Message.PieceReply reply) {
        ResyncStep step = bySeq.remove(reply.seq());
        if (step == null) {
            return true;
        }
        step.unanswered--;
        step.theirPieces = reply.hashes();
        return reply.hashes().size() == pieces(step) && comparePieces(step);
    }

    private int pieces(ResyncStep step) {
        int count = 0;
        for (long left = step.asked; left != 0; left &= left - 1) {
            count += piecesOf(step, Long.numberOfTrailingZeros(left));
        }
        return count;
    }

    private int piecesOf(ResyncStep step, int chunk) {
        long bytes = end(step, 1L << chunk) - step.offset(chunk);
        return (int) ((bytes + PieceHash.PIECE_BYTES - 1) / PieceHash.PIECE_BYTES);
    }

    private boolean compare(ResyncStep step) {
        if (step.mine.isEmpty() || step.theirs.isEmpty()) {
            return true;
        }
        Differences differences = new Differences(step);
        long unsure = 0;
        int index = 0;
        for (long left = step.chunks; left != 0; left &= left - 1, index++) {
            int chunk = Long.numberOfTrailingZeros(left);
            ChunkHash mine = step.mine.get(index);
            ChunkHash theirs = step.theirs.get(index);
            long offset = step.offset(chunk);
            if (mine.equals(theirs)) {
                if (mine.equals(ChunkHash.ZERO)) {
                    pace.giveBack(Extent.CHUNK_BYTES);
                }
            } else if (!link.comparesPieces
                    || mine.equals(ChunkHash.ZERO)
                    || theirs.equals(ChunkHash.ZERO)
                    || theirs.equals(ChunkHash.UNREADABLE)) {
                differences.add(offset, end(step, 1L << chunk), mine.equals(ChunkHash.ZERO));
            } else {
                unsure |= 1L << chunk;
            }
        }
        differences.send();
        if (unsure != 0) {
            askPieces(step, unsure);
        }
        finishIfDone(step);
        return true;
    }

    private boolean comparePieces(ResyncStep step) {
        if (step.myPieces.isEmpty() || step.theirPieces.isEmpty()) {
            return true;
        }
        Differences differences = new Differences(step);
        int index = 0;
        for (long left = step.asked; left != 0; left &= left - 1) {
            int chunk = Long.numberOfTrailingZeros(left);
            long end = end(step, 1L << chunk);
            boolean same = true;
            for (long at = step.offset(chunk); at < end; at += PieceHash.PIECE_BYTES, index++) {
                PieceHash mine = step.myPieces.get(index);
                if (!mine.equals(step.theirPieces.get(index))) {
                    same = false;
                    differences.add(at, Math.min(at + PieceHash.PIECE_BYTES, end), mine.equals(PieceHash.ZERO));
                }
            }
            if (same && !step.named) {
                // The chunks differ by their whole SHA-256: that counts, not what pieces say by twelve bytes.
                differences.add(step.offset(chunk), end, false);
            }
        }
        differences.send();
        finishIfDone(step);
        return true;
    }

    /** Sends what differs, neighbours together. */
    private final class Differences {
        private final ResyncStep step;
        private long from;
        private long to;
        private boolean zero;

        Differences(ResyncStep step) {
            this.step = step;
        }

        void add(long offset, long end, boolean zeroes) {
            if (to != offset || zero != zeroes) {
                send();
                from = offset;
                zero = zeroes;
            }
            to = end;
        }

        void send() {
            if (to > from) {
                var frame = new Message.ResyncData(
                        lead.epoch(), link.session(), expect(step), step.disk, from, (int) (to - from), zero);
                out.emit(zero ? new Effect.Send(link.peer, frame) : new Effect.SendChunk(link.peer, frame));
            }
            from = 0;
            to = 0;
        }
    }

    void acknowledged(long seq) {
        ResyncStep step = bySeq.remove(seq);
        if (step != null) {
            step.unanswered--;
            finishIfDone(step);
        }
    }

    private void finishIfDone(ResyncStep step) {
        if (step.unanswered > 0 || step.hashing()) {
            return;
        }
        steps.remove(step);
        underWay -= step.bytes;
        progress.done(step.disk, Long.bitCount(step.chunks));
        step.locks.forEach(run -> lead.io().locks(step.disk).release(run));
        pump();
    }

    /** The follower is lost; locks are given back. */
    void abandon() {
        abandoned = true;
        steps.forEach(
                step -> step.locks.forEach(run -> lead.io().locks(step.disk).release(run)));
        steps.clear();
        bySeq.clear();
    }
}
