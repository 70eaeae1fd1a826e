package dev.pairvm.mirror.core;

import java.util.ArrayDeque;

/**
 * Guest reads that the in-sync peer answers, because this side's copy can not, or not in time: one place of it is unreadable, or all of
 * it is out, or its device is late.
 * They wait here in order until the peer follows; so many and so many bytes are under way at once.
 *
 * <p>Invariant: every read here holds its range lock, so no write of the same bytes is under way on either side, and only a peer that
 * the record lists in sync is asked. So what it answers is what was acknowledged last, and nothing that can still vanish.
 */
final class PeerReads {
    /** Bytes asked for and not answered: a round trip of 10 ms at 1 GiB/s, or one longest request. */
    private static final long WINDOW_BYTES = 16L << 20;

    private final Outbox out;
    private final Lead lead;
    private final ArrayDeque<GuestRequest> waiting = new ArrayDeque<>();
    private final LongTable<GuestRequest> bySeq = new LongTable<>();
    private final ArrayDeque<GuestRequest> asked = new ArrayDeque<>();
    private long askedBytes;

    PeerReads(Outbox out, Lead lead) {
        this.out = out;
        this.lead = lead;
    }

    void ask(GuestRequest read) {
        waiting.add(read);
        pump();
    }

    /** Asks for what fits into the window; called whenever the peer may have come, or answered. */
    void pump() {
        Link link = lead.inSyncLink();
        while (link != null && link.answersReads && !waiting.isEmpty() && fits(waiting.getFirst())) {
            GuestRequest read = waiting.remove();
            if (read.localDone) {
                continue; // the local store was quicker
            }
            read.seq = link.nextSeq();
            read.sentAt = out.now();
            bySeq.put(read.seq, read);
            asked.add(read);
            askedBytes += read.length;
            out.emit(new Effect.Send(
                    link.peer, new Message.Read(lead.epoch(), link.session(), read.seq, read.disk, read.offset, (int)
                            read.length)));
        }
    }

    private boolean fits(GuestRequest next) {
        return asked.isEmpty() || asked.size() < Message.MOST_READS && askedBytes + next.length <= WINDOW_BYTES;
    }

    /** The read that the peer answered, no longer waiting; null if it was not asked in this session. */
    @org.jspecify.annotations.Nullable
    GuestRequest answered(long seq) {
        GuestRequest read = bySeq.remove(seq);
        if (read != null) {
            asked.remove(read);
            askedBytes -= read.length;
        }
        return read;
    }

    /** The session is over: what it did not answer is asked again in the next one, before what came later. */
    void detached() {
        while (!asked.isEmpty()) {
            waiting.addFirst(asked.removeLast());
        }
        bySeq.clear();
        askedBytes = 0;
    }

    /** Takes all reads out: nobody is left who could answer them. */
    ArrayDeque<GuestRequest> giveUp() {
        detached();
        ArrayDeque<GuestRequest> given = new ArrayDeque<>(waiting);
        waiting.clear();
        return given;
    }

    void clear() {
        giveUp();
    }

    /** Age in nanoseconds of the oldest read that the peer has not answered, 0 if none. */
    long oldestUnanswered() {
        GuestRequest oldest = asked.peek();
        return oldest == null ? 0 : out.now() - oldest.sentAt;
    }
}
