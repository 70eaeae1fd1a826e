package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.List;
import java.util.Optional;

/**
 * What happened. Handed to {@link PairCore#step} one at a time, with the time of CLOCK_BOOTTIME in nanoseconds beside it. An
 * answer to an effect carries the effect's token; answers may come in any order, each at most once.
 */
public sealed interface Event {

    // ------------------------------------------------------------------------------------------------ life of the
    // process

    /**
     * First event of a life. The copy is locked (flock) and its metadata read.
     *
     * @param superblock absent on a blank volume
     * @param hot extents of the activity log as found
     * @param dirty the persisted bitmap, words that are not 0
     * @param guestAlive whether a QEMU that had been running as the guest still lives (the mirror restarted); not a prepared one
     */
    record Started(Optional<Superblock> superblock, List<Extent> hot, List<DirtyMask> dirty, boolean guestAlive)
            implements Event {}

    /** Time passed. Send one every 25 ms (half a beacon); after a stall deliver waiting beacon events first. */
    record Tick() implements Event {}

    /** The process is about to exit by order (SIGTERM): flush, say goodbye. Ends with {@link Effect.ReadyToExit}. */
    record StopRequested() implements Event {}

    // ------------------------------------------------------------------------------------------------------- the
    // arbiter

    /** Answers {@link Effect.ReadArbiter}: a quorum read. {@code version} is the resourceVersion, {@code uid} the object's. */
    record ArbiterRead(long token, ArbiterRecord arbiter, String version, String uid) implements Event {}

    /** Answers {@link Effect.CasArbiter}: the store confirmed it; {@code version} is the new one. */
    record CasApplied(long token, String version) implements Event {}

    /**
     * Answers {@link Effect.CasArbiter}: the store refused it, because the version had moved; with a quorum read made after the
     * refusal. (If that read fails, answer {@link CasUnresolved}.)
     */
    record CasConflict(long token, ArbiterRecord arbiter, String version, String uid) implements Event {}

    /** Answers {@link Effect.CasArbiter}: timeout, connection lost, 5xx: it may have been applied, or be applied later. */
    record CasUnresolved(long token, String why) implements Event {}

    /** Answers a read or a compare-and-swap: the object does not exist. */
    record ArbiterMissing(long token) implements Event {}

    /** Answers a read: the object exists but holds no record. */
    record ArbiterMalformed(long token, String why) implements Event {}

    /** Answers a read, or a compare-and-swap that certainly never left this host: no answer within the limit (1 s). */
    record ArbiterUnreachable(long token, String why) implements Event {}

    // --------------------------------------------------------------------------------------------------- link and
    // beacons

    /**
     * A link to a mirror with a valid certificate of this machine is up (TLS done, no frame sent).
     *
     * @param answersReads whether the peer's release knows {@link Message.Read}
     * @param verifies whether it knows {@link Message.Verify}
     * @param grows whether it knows {@link Message.Grow}
     * @param comparesPieces whether it knows {@link Message.PieceRequest}
     */
    record LinkUp(CopyId peer, boolean answersReads, boolean verifies, boolean grows, boolean comparesPieces)
            implements Event {
        /** To a peer that knows every frame, as those of this release do. */
        public LinkUp(CopyId peer) {
            this(peer, true, true, true, true);
        }
    }

    /** The link is gone; frames not yet received are lost. A new one is announced by {@link LinkUp}. */
    record LinkDown(CopyId peer, Cause cause) implements Event {
        /** How the link ended. */
        public enum Cause {
            /** FIN or RST from the peer's kernel: its process ended, its host lives. */
            CLOSED_BY_PEER,
            /** Silence, a time-out or an unreachable network. */
            LOST,
            /** This side closed it, by {@link Effect.DropLink}. */
            CLOSED_HERE
        }
    }

    /**
     * A frame arrived. Payload bytes stay with the engine; if the step does not emit an effect that names the frame's {@code seq},
     * they are to be thrown away.
     */
    record MessageReceived(CopyId peer, Message message) implements Event {}

    /**
     * A beacon of the session arrived at the beacon thread.
     *
     * @param session the session it was sent in
     * @param receivedAt when it arrived, nanoseconds of CLOCK_BOOTTIME
     * @param grantedSentAt send time (this host's clock) of this side's beacon that the peer granted a lease for; 0 = no grant
     */
    record BeaconHeard(long session, long receivedAt, long grantedSentAt) implements Event {}

    /**
     * Answers {@link Effect.StopGranting}: from now no beacon grants.
     *
     * @param lastHeardAt receive time of the last beacon that was granted, 0 if none was in this life
     */
    record GrantingStopped(long token, long lastHeardAt) implements Event {}

    // ---------------------------------------------------------------------------------------------------- guest
    // requests

    /**
     * The guest writes; trim and write-zeroes come as {@code zero}. The engine keeps the payload until {@link
     * Effect.ReplyToGuest} or {@link Effect.ForgetRequest}.
     *
     * @param request rising within the life of the process
     */
    record WriteReceived(long request, int disk, long offset, int length, boolean zero, boolean fua) implements Event {}

    /** The guest flushes a disk: everything replied to before must be durable on every copy in sync. */
    record FlushReceived(long request, int disk) implements Event {}

    /** The guest reads. */
    record ReadReceived(long request, int disk, long offset, int length) implements Event {}

    /** QEMU's connection is gone; its requests will be sent again, under new numbers. Unanswered ones need no reply. */
    record GuestDisconnected() implements Event {}

    // ------------------------------------------------------------------------------------------------------- local
    // store

    /** Answers {@link Effect.WriteLocal}, {@link Effect.WriteFromPeer}: written; durable if it was fua. */
    record LocalWriteDone(long io) implements Event {}

    /** Answers {@link Effect.ReadLocal}: the bytes are in the engine's buffer of that request. */
    record LocalReadDone(long io) implements Event {}

    /** Answers {@link Effect.FlushLocal}. */
    record LocalFlushDone(long io) implements Event {}

    /** Answers {@link Effect.HashLocal}: one per chunk, in order. */
    record LocalHashed(long io, List<ChunkHash> hashes) implements Event {
        /** Copies the list. */
        public LocalHashed {
            hashes = List.copyOf(hashes);
        }
    }

    /** Answers {@link Effect.HashPieces}: one per piece, in order. */
    record PiecesHashed(long io, List<PieceHash> hashes) implements Event {
        /** Copies the list. */
        public PiecesHashed {
            hashes = List.copyOf(hashes);
        }
    }

    /**
     * Any local effect with an {@code io} or persistence {@code token} failed. Never retried.
     *
     * @param disk index of the disk, or {@link #NO_DISK} if it was metadata of the whole copy
     */
    record LocalFailed(long io, int errno, Kind kind, int disk) implements Event {
        /** Not one disk. */
        public static final int NO_DISK = -1;

        /** A failure that is not of one disk. */
        public LocalFailed(long io, int errno, Kind kind) {
            this(io, errno, kind, NO_DISK);
        }

        /** What failed. */
        public enum Kind {
            READ,
            WRITE,
            FLUSH,
            METADATA
        }
    }

    /** Answers {@link Effect.SendChunk} only if the local read failed. */
    record ChunkUnreadable(long seq, int errno) implements Event {}

    /** Answers {@link Effect.PersistSuperblock}. */
    record SuperblockPersisted(long token) implements Event {}

    /** Answers {@link Effect.MakeRoom}: durable. */
    record RoomMade(long token) implements Event {}

    /** Answers {@link Effect.MakeRoom}: the volume can not hold it, and nothing has changed. The copy is as good as before. */
    record NoRoom(long token, String why) implements Event {}

    /** Answers {@link Effect.PersistActivityLog} and {@link Effect.ClearBookkeeping}. */
    record BookkeepingPersisted(long token) implements Event {}

    // ------------------------------------------------------------------------------------------------ guest and orders

    /** Answers {@link Effect.KillGuest}: no QEMU of this machine runs here (also when there was none). */
    record GuestKilled() implements Event {}

    /** Order: hand the guest over to the in-sync peer. Guest and migration are the engine's; see {@link GuestDrained}. */
    record HandOverRequested(CopyId to) implements Event {}

    /** In a hand-over: the guest is paused for the switch and has no I/O outstanding. */
    record GuestDrained() implements Event {}

    /** In a hand-over, before the compare-and-swap was sent: the migration failed or was cancelled; serve on. */
    record HandOverAbandoned() implements Event {}

    /** Order: let this copy leave politely. */
    record LeaveRequested(CopyId copy) implements Event {}

    /** Order: compare the copies while the guest works; changes nothing while that is under way already. */
    record VerifyRequested() implements Event {}

    /**
     * Order: let a disk grow while it runs, on every copy that follows and then here. A smaller size than it has changes nothing.
     *
     * @param bytes the size wished for, a positive multiple of 512
     */
    record GrowRequested(int disk, long bytes) implements Event {}
    /** The wish that the guest have a twin on the in-sync peer (level 3), or no more. */
    record TwinWished(boolean on) implements Event {}

    /** At the standby: a QEMU waits for the active's guest as its twin, or runs as one. */
    record TwinArrived() implements Event {}

    /**
     * Answers {@link Effect.BeginTwin}: the two QEMUs run as twins, their first checkpoint is made, and from before it on the guest's
     * packets leave only when the twin can say the same.
     */
    record TwinRuns() implements Event {}

    /** The twin ended by itself, or could not be begun. The guest's packets stay held back until {@link Effect.EndTwin}. */
    record TwinEnded(String why) implements Event {}

    /** QEMU ended by itself, or stands still: the guest is not here any more. No other QEMU is started as the guest while a twin may be taken over. */
    record GuestDied() implements Event {}

    /** At the standby: no QEMU is a twin here any more, or about to be one. */
    record TwinGone() implements Event {}

    /**
     * This copy's image lacks acknowledged writes, which lie in the overlays of a twin that took over in an earlier life of this mirror.
     * Right after {@link Started}.
     */
    record OverlaysFound() implements Event {}

    /** It has them all, or there was nothing to commit: after a start by {@link Effect.StartCause#TAKEN_OVER}, or {@link OverlaysFound}. */
    record OverlaysCommitted() implements Event {}
}
