package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.List;

/**
 * A frame to the peer; metadata only. Frames of one link arrive in order or not at all; every one carries the sender's epoch and
 * the session, and a receiver refuses those of another session. {@code seq} is one rising number space per session.
 * {@link Write} (unless {@code zero}), {@link ResyncData} (unless {@code zero}) and {@link ReadData} have payload bytes, which the
 * link carries behind the frame with a CRC32C checked before the core sees the message.
 */
public sealed interface Message {
    /** Epoch of the sender when it sent this. */
    long epoch();

    /** Session; 0 in {@link Hello}, which makes the session. */
    long session();

    /**
     * First frame of both sides on a new link. The session is a mix of both seeds. A receiver that does not like the identity
     * answers nothing and drops the link. An active that handed over says it once more on the same link, with the same seed, so
     * that the session goes on; a receiver that does not expect that drops the link too, and gets a fresh one.
     *
     * @param protocol version of this protocol, {@link #PROTOCOL}
     * @param machineUid must be the receiver's
     * @param copy the sender's copy; the link has already compared it with the certificate
     * @param life random word of the sender's process life
     * @param seed the sender's part of the session, fresh for each link
     * @param role the sender's role
     * @param state state of the sender's copy
     * @param lineage names of the sender's data
     * @param diskBytes sizes of the sender's disks; as many as the receiver's, and a follower's at least its lead's
     * @param hot extents in the sender's activity log, plus those with persisted dirty bits: what may differ on its copy because it
     *     was active before
     */
    record Hello(
            int protocol,
            long epoch,
            String machineUid,
            CopyId copy,
            long life,
            long seed,
            Role role,
            CopyState state,
            Lineage lineage,
            List<Long> diskBytes,
            List<Extent> hot)
            implements Message {
        @Override
        public long session() {
            return 0;
        }
    }

    /** Version of the protocol in {@link Hello}. */
    int PROTOCOL = 1;

    /** How a peer follows from now. */
    enum AttachKind {
        /** In sync, same life as before: unacknowledged writes come again. */
        CONTINUE,
        /** In sync, but the lead has restarted: its activity log is compared before it serves. */
        RECONCILE,
        /** Not in sync: persist SYNCING first, then be filled. */
        RESYNC
    }

    /** Lead to peer: follow me. {@code arbiter} is the lead's record, whose epoch is this frame's. */
    record Attach(long epoch, long session, AttachKind kind, ArbiterRecord arbiter) implements Message {}

    /** Peer to lead: I follow; everything it must persist first is durable, and no older local write is outstanding. */
    record Attached(long epoch, long session) implements Message {}

    /** Peer to lead: no. {@code epoch} is the highest the peer knows; the lead reads the arbiter again. */
    record Refused(long epoch, long session, String reason) implements Message {}

    /** Lead to peer: the record changed by my compare-and-swap (grow, start); frames carry the new epoch from here. */
    record EpochChanged(long epoch, long session, ArbiterRecord arbiter) implements Message {}

    /** Guest write, or zeroes ({@code zero}: no payload; trim is sent as zeroes too). {@code fua}: durable before the ack. */
    record Write(long epoch, long session, long seq, int disk, long offset, int length, boolean zero, boolean fua)
            implements Message {}

    /** Answers {@link Write} and {@link ResyncData}: written (durably if fua). */
    record WriteAck(long epoch, long session, long seq) implements Message {}

    /** Answers anything with a {@code seq}: the peer's device failed; its copy is out. */
    record Nack(long epoch, long session, long seq, int errno) implements Message {}

    /**
     * Lead to its in-sync peer: this side can not read the range from its own store; send it. The range is locked at the lead until
     * the answer, so the bytes are those of every acknowledged write and of no other. At most {@link #MOST_READS} unanswered.
     */
    record Read(long epoch, long session, long seq, int disk, long offset, int length) implements Message {}

    /** Most {@link Read}s that a lead has unanswered; a peer that is asked for more ends the link. */
    int MOST_READS = 64;

    /** Answers {@link Read}: {@code length} bytes of payload. */
    record ReadData(long epoch, long session, long seq, int length) implements Message {}

    /** Answers {@link Read}: the peer can not read the range either. Its copy is not out for that. */
    record ReadFailed(long epoch, long session, long seq, int errno) implements Message {}

    /** Make durable what was acknowledged before on this disk. */
    record Flush(long epoch, long session, long seq, int disk) implements Message {}

    /** Answers {@link Flush}. */
    record FlushAck(long epoch, long session, long seq) implements Message {}

    /** Resync: hash every chunk of this range (chunk-aligned, at most 1 MiB). */
    record HashRequest(long epoch, long session, long seq, int disk, long offset, int length) implements Message {}

    /** Answers {@link HashRequest} and {@link Verify}: one hash per chunk in order; {@link ChunkHash#UNREADABLE} for each if the range can not be read. */
    record HashReply(long epoch, long session, long seq, List<ChunkHash> hashes) implements Message {
        /** Copies the list. */
        public HashReply {
            hashes = List.copyOf(hashes);
        }
    }

    /**
     * Lead to its in-sync peer: like {@link HashRequest}, but of what the device holds. A peer of an older release gets that one instead.
     */
    record Verify(long epoch, long session, long seq, int disk, long offset, int length) implements Message {}

    /**
     * Resync, to a peer that {@link Link#comparesPieces}: hash every 4 KiB piece of some chunks of an extent, behind the session's word.
     *
     * @param chunks a bit for each chunk, 1 to {@link #MOST_CHUNKS} of them
     * @param diskBytes how large the disk is at the lead, where the last piece ends; the peer's may be larger
     */
    record PieceRequest(long epoch, long session, long seq, int disk, int extent, long chunks, long diskBytes)
            implements Message {}

    /** Most chunks of one {@link PieceRequest}: what is locked and hashed at a time is 1 MiB. */
    int MOST_CHUNKS = 16;

    /** Answers {@link PieceRequest}: one hash per piece, chunk by chunk; the last chunk of a disk may have fewer. */
    record PieceReply(long epoch, long session, long seq, List<PieceHash> hashes) implements Message {
        /** Copies the list. */
        public PieceReply {
            hashes = List.copyOf(hashes);
        }
    }

    /** Resync, verification: these bytes differ; write them. Answered by {@link WriteAck}. */
    record ResyncData(long epoch, long session, long seq, int disk, long offset, int length, boolean zero)
            implements Message {}

    /**
     * Lead to a filled peer: flush all disks, then persist IN_SYNC with this lineage word. Safe before the grow is recorded: only
     * the record makes a copy promotable.
     */
    record Seal(long epoch, long session, long lineage) implements Message {}

    /** Answers {@link Seal}, when durable. */
    record Sealed(long epoch, long session, long lineage) implements Message {}

    /** Lead to peer, polite leave: flush, persist STALE. */
    record Outdate(long epoch, long session) implements Message {}

    /** Answers {@link Outdate}, when durable: the lead may drop this copy. */
    record Outdated(long epoch, long session) implements Message {}

    /** Old active to peer: by my compare-and-swap you are the active of {@code epoch}; read the arbiter and start. {@code clean}:
     * both sides had flushed with nothing in flight, so there is nothing to compare. */
    record HandedOver(long epoch, long session, boolean clean) implements Message {}

    /**
     * Lead to a peer that follows or is to follow: your copy of this disk is to hold at least {@code bytes}. Answered by {@link Grown}
     * or {@link NotGrown}.
     */
    record Grow(long epoch, long session, int disk, long bytes) implements Message {}

    /** Answers {@link Grow}: the disk durably holds at least {@code bytes}, zeros from its former end on. */
    record Grown(long epoch, long session, int disk, long bytes) implements Message {}

    /** Answers {@link Grow}: it can not, for this reason; nothing has changed. */
    record NotGrown(long epoch, long session, int disk, long bytes, String reason) implements Message {}

    /** Either side: a polite end of the session, e.g. before the process exits. */
    record Goodbye(long epoch, long session) implements Message {}
}
