package dev.pairvm.mirror.core;

import java.util.List;

/**
 * One range, at most 1 MiB and aligned to chunks, hashed by both sides under its range lock; what differs is sent to the follower. The
 * lock makes both hashes speak of the same writes: nothing that overlaps is under way on either side.
 */
abstract class Comparison extends LoggedWrite {
    /** Longest range. */
    static final int MOST_CHUNKS = 16;

    private final Outbox out;
    private final Lead lead;
    private final Link link;
    private long io;
    private List<ChunkHash> mine = List.of();
    private List<ChunkHash> theirs = List.of();
    private int unanswered;

    /**
     * One range of {@code disk}.
     *
     * @param exclusive whether the guest's reads wait for it as its writes do
     */
    Comparison(Outbox out, Lead lead, Link link, int disk, long offset, long length, boolean exclusive) {
        super(disk, offset, length, exclusive);
        this.out = out;
        this.lead = lead;
        this.link = link;
    }

    /** A frame with this seq is on its way and will be answered. */
    abstract void sent(long seq);

    /** Who is compared with. */
    Link to() {
        return link;
    }

    /** Lets both sides hash. What an earlier asking brought is forgotten. */
    void ask() {
        ask(false);
    }

    /** Like {@link #ask()}, but what the devices hold and not what a page cache does, as far as the peer can. */
    void askDevices() {
        ask(true);
    }

    private void ask(boolean onDevice) {
        mine = List.of();
        theirs = List.of();
        io = out.token();
        long seq = link.nextSeq();
        sent(seq);
        out.emit(new Effect.HashLocal(io, disk, offset, (int) length, onDevice));
        out.emit(new Effect.Send(
                link.peer,
                onDevice && link.verifies
                        ? new Message.Verify(lead.epoch(), link.session(), seq, disk, offset, (int) length)
                        : new Message.HashRequest(lead.epoch(), link.session(), seq, disk, offset, (int) length)));
    }

    boolean owns(long ofIo) {
        return io == ofIo;
    }

    void localHashed(List<ChunkHash> hashes) {
        mine = checked(hashes);
    }

    void peerHashed(List<ChunkHash> hashes) {
        theirs = checked(hashes);
    }

    private List<ChunkHash> checked(List<ChunkHash> hashes) {
        ProtocolBugException.check(hashes.size() == chunks(), "one hash for each chunk", hashes.size());
        return hashes;
    }

    /** Whether both sides have answered. */
    boolean known() {
        return !mine.isEmpty() && !theirs.isEmpty();
    }

    int chunks() {
        return (int) ((length + Extent.CHUNK_BYTES - 1) / Extent.CHUNK_BYTES);
    }

    boolean differs(int chunk) {
        return !mine.get(chunk).equals(theirs.get(chunk));
    }

    /** The lead's hash of a chunk. */
    ChunkHash mine(int chunk) {
        return mine.get(chunk);
    }

    /** The follower's hash of a chunk. */
    ChunkHash theirs(int chunk) {
        return theirs.get(chunk);
    }

    /** Sends the lead's bytes of every chunk that differs; how many frames are on their way for that. */
    int sendDifferences() {
        int chunks = chunks();
        int from = 0;
        while (from < chunks) {
            int to = from;
            while (to < chunks && differs(to) && zero(to) == zero(from)) {
                to++;
            }
            if (to > from) {
                send(from, to);
            }
            from = Math.max(to, from + 1);
        }
        return unanswered;
    }

    private boolean zero(int chunk) {
        return mine.get(chunk).equals(ChunkHash.ZERO);
    }

    private void send(int from, int to) {
        long at = offset + (long) from * Extent.CHUNK_BYTES;
        long bytes = Math.min((long) (to - from) * Extent.CHUNK_BYTES, offset + length - at);
        long seq = link.nextSeq();
        var frame = new Message.ResyncData(lead.epoch(), link.session(), seq, disk, at, (int) bytes, zero(from));
        unanswered++;
        sent(seq);
        out.emit(frame.zero() ? new Effect.Send(link.peer, frame) : new Effect.SendChunk(link.peer, frame));
    }

    /** The follower has what one frame brought; how many are left. */
    int acknowledged() {
        return --unanswered;
    }
}
