package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.List;

/**
 * What to do. Begun in the order emitted; those that take time run beside each other and answer with the {@link Event} named.
 * A failure of local I/O is answered by {@link Event.LocalFailed} and never retried.
 */
public sealed interface Effect {

    // ------------------------------------------------------------------------------------------------------- the
    // arbiter

    /** Quorum GET (no resourceVersion, no cache). Answer: ArbiterRead, ArbiterMissing, ArbiterMalformed, ArbiterUnreachable. */
    record ReadArbiter(long token) implements Effect {}

    /**
     * PUT {@code next} on condition that the version still is {@code expectedVersion}. The engine must not retry by itself and
     * must not change {@code next}. Answer: CasApplied, CasConflict, CasUnresolved, ArbiterMissing, ArbiterUnreachable (only if the
     * request certainly was never sent).
     */
    record CasArbiter(long token, String expectedVersion, ArbiterRecord next) implements Effect {}

    // --------------------------------------------------------------------------------------------------- link and
    // beacons

    /** Send a frame without payload. */
    record Send(CopyId peer, Message message) implements Effect {}

    /** Send a guest write with the payload of {@code request}; must be begun before the {@link WriteLocal} that follows. */
    record SendWrite(CopyId peer, Message.Write message, long request) implements Effect {}

    /** Read the message's range from the local store now and send it. The range is locked until the peer acknowledges. */
    record SendChunk(CopyId peer, Message.ResyncData message) implements Effect {}

    /** Close the link to this peer; reports LinkDown(CLOSED_HERE); dial again after a short pause. */
    record DropLink(CopyId peer, String why) implements Effect {}

    /**
     * From now beacons of this session flow: the beacon thread sends one per interval, with the send time of the last beacon heard
     * from the peer and whether it is granted, and reports {@link Event.BeaconHeard} for each that arrives with this session.
     *
     * @param session the session
     * @param granting whether this side grants: it promises not to ask for promotion before a grace after each beacon it answers
     *     so. Takes effect at once
     */
    record SetBeacons(CopyId peer, long session, boolean granting) implements Effect {}

    /** Stop granting, atomically against the beacon thread, and answer GrantingStopped. Beacons themselves go on. */
    record StopGranting(long token) implements Effect {}

    /** The session is over: no beacons. */
    record StopBeacons() implements Effect {}

    // ---------------------------------------------------------------------------------------------- local store, guest
    // data

    /** Write the payload of guest request {@code request} (or zeroes) to the local store. Answer: LocalWriteDone. */
    record WriteLocal(long io, long request, int disk, long offset, int length, boolean zero, boolean fua)
            implements Effect {}

    /** Write the payload of the peer's frame {@code seq} (or zeroes) to the local store. Answer: LocalWriteDone. */
    record WriteFromPeer(long io, long seq, int disk, long offset, int length, boolean zero, boolean fua)
            implements Effect {}

    /** Read for guest request {@code request}. Answer: LocalReadDone; then {@link ReplyToGuest} sends the bytes. */
    record ReadLocal(long io, long request, int disk, long offset, int length) implements Effect {}

    /**
     * Read the range from the local store and send it as the payload of {@code message}. Answer: LocalReadDone when it is handed to the
     * link.
     */
    record SendRange(long io, CopyId peer, Message.ReadData message, int disk, long offset) implements Effect {}

    /**
     * Put the payload of the peer's frame {@code seq} where the bytes for guest request {@code request} belong; {@link ReplyToGuest}
     * sends them.
     */
    record TakeFromPeer(long request, long seq) implements Effect {}

    /**
     * The same for a request whose {@link ReadLocal} has not been answered and counts no more: it may still write into the buffer that it
     * was given. From here that buffer is not the request's any more; it gets a new one, and the old one is kept until the device is done
     * with it.
     */
    record TakeFromPeerInstead(long request, long seq) implements Effect {}

    /** fdatasync one disk: everything answered by LocalWriteDone before is durable. Answer: LocalFlushDone. */
    record FlushLocal(long io, int disk) implements Effect {}

    /**
     * Hash each chunk of a chunk-aligned range of at most 1 MiB; holes answer {@link ChunkHash#ZERO}. Answer: LocalHashed.
     *
     * @param onDevice what the device holds, past the page cache, as far as the file system lets that be read
     */
    record HashLocal(long io, int disk, long offset, int length, boolean onDevice) implements Effect {}

    /**
     * Hash each 4 KiB piece of these chunks of an extent, up to {@code diskBytes}, behind the word {@code salt}; see {@link PieceHash}. Pieces of zeroes answer
     * {@link PieceHash#ZERO}. Answer: PiecesHashed.
     */
    record HashPieces(long io, int disk, int extent, long chunks, long diskBytes, long salt) implements Effect {}

    /** Answer the guest's request: 0 or an errno. Read bytes are in the request's buffer. The request is finished. */
    record ReplyToGuest(long request, int errno) implements Effect {}

    /** Throw away a request without an answer: its guest is dead or its connection gone. */
    record ForgetRequest(long request) implements Effect {}

    /** A verification found a chunk that differs on the copies, twice in a row; a repair follows. Told of the first ones of a run. */
    record TellMismatch(VerifyRun.Mismatch mismatch) implements Effect {}

    // ------------------------------------------------------------------------------------------- local store,
    // bookkeeping

    /**
     * Write and flush the superblock of every disk, and beside it how large the disk is. Answer: SuperblockPersisted. At most one is
     * outstanding.
     *
     * @param diskBytes one size for each disk; what lies above it on the device is nobody's
     */
    record PersistSuperblock(long token, Superblock superblock, List<Long> diskBytes) implements Effect {
        /** Copies the list. */
        public PersistSuperblock {
            diskBytes = List.copyOf(diskBytes);
        }
    }

    /**
     * Make the disk's volume ready to hold {@code toBytes}: there is room, what lies from {@code fromBytes} on reads as zeros, and both
     * is durable. Nothing that counts lies there; the disk is not larger before a {@link PersistSuperblock} says so. May take minutes on
     * a device. Answer: {@link Event.RoomMade} or {@link Event.NoRoom}. At most one is outstanding.
     */
    record MakeRoom(long token, int disk, long fromBytes, long toBytes) implements Effect {}

    /** The disk is as large as this from now: the guest, if there is one, is to see it. */
    record DiskResized(int disk, long bytes) implements Effect {}

    /**
     * First make {@code dirty} durable in the bitmap, then one activity-log record that heats and cools extents. At most one is
     * outstanding (a {@link ClearBookkeeping} may be, too: they take effect in the order emitted). Answer: BookkeepingPersisted.
     */
    record PersistActivityLog(long token, List<Extent> heat, List<Extent> cool, List<DirtyMask> dirty)
            implements Effect {}

    /**
     * Bookkeeping effects take effect in the order emitted. Empty bitmap and activity log but for {@code keepHot}.
     * Answer: BookkeepingPersisted.
     */
    record ClearBookkeeping(long token, List<Extent> keepHot) implements Effect {}

    // ---------------------------------------------------------------------------------------------------- guest and
    // gate

    /** Keep the gate open until this time (nanoseconds of CLOCK_BOOTTIME), or without end if {@link #ALONE}. */
    record RenewGate(long untilNanos) implements Effect {
        /** No other copy can be promoted, so the gate needs no lease. */
        public static final long ALONE = Long.MAX_VALUE;
    }

    /** Close the gate now. */
    record CloseGate() implements Effect {}

    /** Stop the guest's process (SIGSTOP); it keeps its state. */
    record FreezeGuest() implements Effect {}

    /** Let a frozen guest go on (SIGCONT). */
    record ThawGuest() implements Effect {}

    /** Kill every QEMU of this machine on this side (SIGKILL). Answer: GuestKilled when the kernel confirms. */
    record KillGuest() implements Effect {}

    /**
     * This side serves at {@code epoch}: the guest may run. If one survived a restart of the mirror it goes on, also if it was paused
     * for a hand-over that was under way; if a prepared one waits, continue it; else start it, as far as the wished power state says
     * so.
     */
    record StartGuest(long epoch, StartCause cause) implements Effect {}

    /** Why this side serves now. */
    enum StartCause {
        /** The record named this side, and it started: a migrated guest that never ran here is not continued. */
        STARTED,
        /** The active was lost and this side won the promotion. */
        PROMOTED,
        /** The guest was handed over: continue the migrated guest, do not boot. */
        HANDED_OVER,
        /**
         * As PROMOTED, and the record says that this side's twin may go on in the active's place (level 3). Boot if there is no twin, or not
         * a whole one: that is as right.
         */
        TAKEN_OVER
    }

    /** In a hand-over that did not take place: let the guest go on here (migrate_cancel, cont). */
    record ResumeGuest() implements Effect {}

    /** This side is a standby in sync: get a paused guest ready, where the level wants one. Idempotent. */
    record PrepareStandbyGuest() implements Effect {}

    /** Begin the hand-over: move the guest to the peer, pause it, let I/O drain, report GuestDrained (or HandOverAbandoned). */
    record BeginHandOver(CopyId to) implements Effect {}

    /**
     * Level 3: bring this side's guest and a QEMU on the in-sync peer together as twins (QEMU's COLO), while the guest runs. From before
     * the first checkpoint no packet of the guest leaves that the twin can not say. Answer: TwinRuns, or TwinEnded with the reason.
     */
    record BeginTwin(CopyId to) implements Effect {}

    /**
     * The record says that nobody takes over from the twin: let the guest's packets go freely, end the twin, or the attempt to begin
     * one. Idempotent.
     */
    record EndTwin() implements Effect {}

    /**
     * At the standby: the lead is gone. What of its writes is on its way through the twin's QEMU counts for nothing, for none of it is
     * acknowledged; each is answered as if it had ended, and the way is cut, so that a QEMU that stands still holds up nobody.
     */
    record CutTwin() implements Effect {}

    // -----------------------------------------------------------------------------------------------------------
    // reports

    /** Something the report shows has changed; read {@link CoreView}. */
    record PublishView() implements Effect {}

    /** A problem arose or its message changed. */
    record RaiseProblem(Problem problem) implements Effect {}

    /** A problem is over. */
    record ClearProblem(Problem.Kind kind) implements Effect {}

    /** An order ended: {@code refusal} is empty, or says why nothing was done. */
    record OrderEnded(Order order, String refusal) implements Effect {}

    /** Orders the core carries out. */
    enum Order {
        HAND_OVER,
        LEAVE,
        VERIFY,
        GROW
    }

    /**
     * Exit the process now, without ceremony: the record was changed behind this side's back. The gate closes by itself, and the next
     * life starts with a higher epoch and compares before it serves.
     */
    record ExitNow(String why) implements Effect {}

    /** Answers StopRequested: nothing is outstanding, exit. */
    record ReadyToExit() implements Effect {}
}
