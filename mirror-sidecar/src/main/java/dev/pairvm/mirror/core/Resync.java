package dev.pairvm.mirror.core;

import java.util.ArrayList;
import java.util.List;

/**
 * Brings a follower to the lead's view of the chunks in {@code todo}: takes ranges of at most 1 MiB under a range lock, lets both
 * sides hash, sends what differs. Several ranges are under way at once. Used to fill a joining copy while the guest writes, and to
 * reconcile an in-sync one before the guest is served.
 */
final class Resync {
    /** Ranges under way: enough to cover a round trip of 10 ms at some hundred MiB/s. */
    private static final int MOST_STEPS = 4;

    private final class Step extends Comparison {
        Step(int disk, long offset, long length) {
            super(out, lead, link, disk, offset, length, true);
        }

        @Override
        void granted() {
            if (!abandoned) {
                ask();
            }
        }

        @Override
        void sent(long seq) {
            bySeq.put(seq, this);
        }

        @Override
        void hot() {
            throw new ProtocolBugException("a copy that is being filled needs no log");
        }
    }

    private final Outbox out;
    private final Rules rules;
    private final Lead lead;
    private final Link link;
    private final DirtyMap todo;
    private final DiskSizes sizes;
    private final List<Step> steps = new ArrayList<>();
    private final LongTable<Step> bySeq = new LongTable<>();
    private final long[] total;
    private final long[] done;
    private int disk;
    private int extent;
    private boolean pumping;
    private boolean abandoned;
    private boolean finished;

    Resync(Outbox out, Rules rules, Lead lead, Link link, DirtyMap todo, DiskSizes sizes) {
        this.out = out;
        this.rules = rules;
        this.lead = lead;
        this.link = link;
        this.todo = todo;
        this.sizes = sizes;
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
        int run = Math.min(Comparison.MOST_CHUNKS, Long.numberOfTrailingZeros(~(word >>> first)));
        long offset = (long) extent * Extent.BYTES + (long) first * Extent.CHUNK_BYTES;
        long length = Math.min((long) run * Extent.CHUNK_BYTES, sizes.of(disk) - offset);
        todo.remove(disk, extent, DirtyMap.mask(extent, offset, length));
        Step step = new Step(disk, offset, length);
        steps.add(step);
        if (rules.resyncLocksRanges()) {
            lead.io().locks(step.disk).acquire(step);
        } else {
            step.granted();
        }
    }

    boolean hashed(Event.LocalHashed event) {
        for (Step step : steps) {
            if (step.owns(event.io())) {
                step.localHashed(event.hashes());
                compare(step);
                return true;
            }
        }
        return false;
    }

    boolean owns(long io) {
        return steps.stream().anyMatch(step -> step.owns(io));
    }

    void peerHashed(Message.HashReply reply) {
        Step step = bySeq.remove(reply.seq());
        if (step != null) {
            step.peerHashed(reply.hashes());
            compare(step);
        }
    }

    private void compare(Step step) {
        if (step.known() && step.sendDifferences() == 0) {
            finish(step);
        }
    }

    void acknowledged(long seq) {
        Step step = bySeq.remove(seq);
        if (step != null && step.acknowledged() == 0) {
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
