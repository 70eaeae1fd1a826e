package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** This side while it follows a lead in one session: carries out its frames in order of arrival and answers them. */
final class Follower {
    private static final int EIO = 5;

    private enum Kind {
        WRITE,
        READ,
        FLUSH,
        HASH,
        PIECES,
        SEAL_FLUSH,
        OUTDATE_FLUSH
    }

    /** What the lead waits for: {@code word} is the lineage of a seal, the number of chunks or pieces of a hash. */
    private record Pending(Kind kind, long seq, long word) {}

    private final Side side;
    final Link link;
    private final long session;
    private final LongTable<Pending> pending = new LongTable<>();
    private long epoch;
    private int flushesLeft;
    private int reads;
    private boolean ended;
    private ArbiterRecord.Mode mode = ArbiterRecord.Mode.HA;

    Follower(Side side, Link link, long epoch) {
        this.side = side;
        this.link = link;
        this.session = link.session();
        this.epoch = epoch;
    }

    long epoch() {
        return epoch;
    }

    /** Whether this side's twin may take over, as far as the lead has said. */
    boolean twinRecorded() {
        return mode == ArbiterRecord.Mode.FT;
    }

    /** Late answers of the store are only counted. */
    void end() {
        ended = true;
    }

    private boolean mine(Link from, Message message) {
        if (!side.rules.checksSession()) {
            return true;
        }
        return from == link && message.session() == session && message.epoch() == epoch;
    }

    void write(Link from, Message.Write m) {
        if (mine(from, m)) {
            apply(m.seq(), m.disk(), m.offset(), m.length(), m.zero(), m.fua());
        }
    }

    void resyncData(Link from, Message.ResyncData m) {
        if (mine(from, m)) {
            apply(m.seq(), m.disk(), m.offset(), m.length(), m.zero(), false);
        }
    }

    private void apply(long seq, int disk, long offset, int length, boolean zero, boolean fua) {
        if (outside(disk, offset, length)) {
            side.drop(link, "frame outside of the disk");
            return;
        }
        long io = expect(Kind.WRITE, seq, 0);
        side.localWrites.begun();
        side.out.emit(new Effect.WriteFromPeer(io, seq, disk, offset, length, zero, fua));
    }

    private boolean outside(int disk, long offset, int length) {
        return side.sizes.outside(disk, offset, length);
    }

    /** The lead can not read this from its own store. */
    void read(Link from, Message.Read m) {
        if (!mine(from, m)) {
            return;
        }
        if (outside(m.disk(), m.offset(), m.length()) || reads == Message.MOST_READS) {
            side.drop(link, "a read outside of the disk, or one too many");
        } else if (side.state() != CopyState.IN_SYNC) {
            // Only a copy that holds every acknowledged write may answer for the guest.
            side.send(link, new Message.ReadFailed(epoch, session, m.seq(), EIO));
        } else {
            reads++;
            long io = expect(Kind.READ, m.seq(), 0);
            var data = new Message.ReadData(epoch, session, m.seq(), m.length());
            side.out.emit(new Effect.SendRange(io, link.peer, data, m.disk(), m.offset()));
        }
    }

    void flush(Link from, Message.Flush m) {
        if (mine(from, m) && !outside(m.disk(), 0, 1)) {
            side.out.emit(new Effect.FlushLocal(expect(Kind.FLUSH, m.seq(), 0), m.disk()));
        }
    }

    void hash(Link from, Message.HashRequest m) {
        if (mine(from, m) && !outside(m.disk(), m.offset(), m.length())) {
            hash(m.seq(), m.disk(), m.offset(), m.length(), false);
        }
    }

    void hash(Link from, Message.PieceRequest m) {
        if (!mine(from, m)) {
            return;
        }
        int last = Long.SIZE - 1 - Long.numberOfLeadingZeros(m.chunks());
        if (m.extent() < 0
                || m.chunks() == 0
                || Long.bitCount(m.chunks()) > Message.MOST_CHUNKS
                || m.diskBytes() <= (long) m.extent() * Extent.BYTES + (long) last * Extent.CHUNK_BYTES
                || outside(m.disk(), m.diskBytes() - 1, 1)) {
            side.drop(link, "it asks for hashes outside of the disk, or for too many");
            return;
        }
        long whole = (long) Long.bitCount(m.chunks()) * PieceHash.IN_CHUNK;
        long end = m.diskBytes() - (long) m.extent() * Extent.BYTES;
        long missing = Math.max(0, (last + 1L) * Extent.CHUNK_BYTES - end) / PieceHash.PIECE_BYTES;
        long io = expect(Kind.PIECES, m.seq(), whole - missing);
        side.out.emit(new Effect.HashPieces(io, m.disk(), m.extent(), m.chunks(), m.diskBytes(), session));
    }

    void verify(Link from, Message.Verify m) {
        if (mine(from, m) && !outside(m.disk(), m.offset(), m.length())) {
            hash(m.seq(), m.disk(), m.offset(), m.length(), true);
        }
    }

    private void hash(long seq, int disk, long offset, int length, boolean onDevice) {
        long chunks = (length + Extent.CHUNK_BYTES - 1) / Extent.CHUNK_BYTES;
        side.out.emit(new Effect.HashLocal(expect(Kind.HASH, seq, chunks), disk, offset, length, onDevice));
    }

    void seal(Link from, Message.Seal m) {
        if (mine(from, m)) {
            flushAll(Kind.SEAL_FLUSH, m.lineage());
        }
    }

    void outdate(Link from, Message.Outdate m) {
        if (mine(from, m)) {
            flushAll(Kind.OUTDATE_FLUSH, 0);
        }
    }

    private void flushAll(Kind kind, long word) {
        flushesLeft = side.sizes.count();
        List<Effect> flushes = new ArrayList<>();
        for (int disk = 0; disk < side.sizes.count(); disk++) {
            flushes.add(new Effect.FlushLocal(expect(kind, 0, word), disk));
        }
        flushes.forEach(side.out::emit);
    }

    private long expect(Kind kind, long seq, long word) {
        long io = side.out.token();
        pending.put(io, new Pending(kind, seq, word));
        return io;
    }

    /** The lead's record changed. */
    void epochChanged(Link from, Message.EpochChanged m) {
        if (from == link && m.session() == session && m.epoch() > epoch) {
            epoch = m.epoch();
            mode = m.arbiter().mode();
            side.superblock.change(durable -> durable.seen(m.arbiter().epoch()), () -> {});
            side.problems.clear(Problem.Kind.ARBITER_ROLLBACK);
            if (m.arbiter().inSync().contains(side.self())) {
                side.out.emit(new Effect.PrepareStandbyGuest());
            }
            side.publish();
        }
    }

    boolean localDone(long io) {
        Pending done = pending.remove(io);
        if (done == null) {
            return false;
        }
        if (done.kind() == Kind.READ) {
            reads--;
        }
        if (ended) {
            return true;
        }
        switch (done.kind()) {
            case WRITE -> side.send(link, new Message.WriteAck(epoch, session, done.seq()));
            case FLUSH -> side.send(link, new Message.FlushAck(epoch, session, done.seq()));
            case READ -> {}
            case SEAL_FLUSH -> {
                if (--flushesLeft == 0) {
                    becomeInSync(done.word());
                }
            }
            case OUTDATE_FLUSH -> {
                if (--flushesLeft == 0) {
                    becomeStale();
                }
            }
            case HASH, PIECES -> throw new ProtocolBugException("a hash has an answer");
        }
        return true;
    }

    boolean hashed(Event.LocalHashed event) {
        Pending done = pending.remove(event.io());
        if (done != null && !ended) {
            side.send(link, new Message.HashReply(epoch, session, done.seq(), event.hashes()));
        }
        return done != null;
    }

    boolean hashed(Event.PiecesHashed event) {
        Pending done = pending.remove(event.io());
        if (done != null && !ended) {
            side.send(link, new Message.PieceReply(epoch, session, done.seq(), event.hashes()));
        }
        return done != null;
    }

    private void becomeInSync(long word) {
        long at = epoch;
        side.superblock.change(
                durable -> durable.inSyncAt(
                        new dev.pairvm.api.mirror.Epoch(at), durable.lineage().sealed(word)),
                () -> {
                    if (!ended) {
                        side.foundHot = List.of();
                        side.foundDirty = List.of();
                        side.out.emit(new Effect.ClearBookkeeping(side.out.token(), List.of()));
                        side.send(link, new Message.Sealed(epoch, session, word));
                        side.publish();
                    }
                });
    }

    private void becomeStale() {
        side.outdate(() -> {
            if (!ended) {
                side.send(link, new Message.Outdated(epoch, session));
                side.publish();
            }
        });
    }

    /** The store failed: this copy is out, and the lead must know before anything else is acknowledged. */
    boolean failed(Event.LocalFailed event) {
        Pending done = pending.remove(event.io());
        if (done == null) {
            return false;
        }
        if (done.kind() == Kind.READ) {
            reads--;
        }
        if (!ended) {
            side.send(link, answer(done, event));
        }
        return true;
    }

    /**
     * A place that can not be read here need not be: the lead, asked to compare, has what belongs there, and a drive replaces a bad sector
     * when it is written. Everything else is the end of this copy.
     */
    private Message answer(Pending failed, Event.LocalFailed event) {
        boolean reading = event.kind() == Event.LocalFailed.Kind.READ;
        if (failed.kind() == Kind.HASH && reading) {
            return new Message.HashReply(
                    epoch, session, failed.seq(), Collections.nCopies((int) failed.word(), ChunkHash.UNREADABLE));
        }
        if (failed.kind() == Kind.PIECES && reading) {
            return new Message.PieceReply(
                    epoch, session, failed.seq(), Collections.nCopies((int) failed.word(), PieceHash.UNREADABLE));
        }
        return failed.kind() == Kind.READ
                ? new Message.ReadFailed(epoch, session, failed.seq(), event.errno())
                : new Message.Nack(epoch, session, failed.seq(), event.errno());
    }
}
