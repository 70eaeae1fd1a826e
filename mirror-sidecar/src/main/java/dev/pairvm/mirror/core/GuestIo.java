package dev.pairvm.mirror.core;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The guest's requests at the lead. A write goes: range lock, extents hot, then to the peer and to the local store beside each
 * other; it is replied to when every copy that counts has it. While the lead has no leave to serve, new requests are held and
 * finished ones are not replied to.
 */
final class GuestIo {
    private static final int EINVAL = 22;
    private static final int EIO = 5;
    /** Longest request; the server splits longer trims. */
    private static final int LONGEST = 32 << 20;
    /** More than any server may let in: 16 connections of 64 requests, twice over for those sent again. */
    private static final int MOST_REQUESTS = 2048;

    private final CoreConfig config;
    private final DiskSizes sizes;
    private final Outbox out;
    private final Lead lead;
    private final DirtyMap dirty;
    private final ActivityLog log;
    private final Flushes flushes;
    private final LocalWrites localWrites;
    private final List<RangeLocks> locks = new ArrayList<>();
    private final LongTable<GuestRequest> byIo = new LongTable<>();
    private final LongTable<GuestRequest> bySeq = new LongTable<>();
    private final HeldRequests held;
    private final PeerReads peerReads;
    private final BadPlaces badPlaces = new BadPlaces();
    private final LateReads late = new LateReads();
    /** Flushes that the guest has not been answered, in the order in which it asked. */
    private final Set<Long> flushing = new LinkedHashSet<>();

    private final List<Long> flushed = new ArrayList<>();
    private final Foreground foreground;

    GuestIo(
            CoreConfig config,
            DiskSizes sizes,
            Outbox out,
            Rules rules,
            Lead lead,
            DirtyMap dirty,
            LocalWrites localWrites,
            HeldRequests held) {
        this.config = config;
        this.sizes = sizes;
        this.out = out;
        this.lead = lead;
        this.dirty = dirty;
        this.localWrites = localWrites;
        this.held = held;
        this.peerReads = new PeerReads(out, lead);
        this.foreground = new Foreground(out, config.resync().foregroundPercent());
        this.log = new ActivityLog(config.hotExtents(), out, rules, dirty, this::flushFor);
        this.flushes = new Flushes(sizes.count(), out, rules, this, log);
        for (int disk = 0; disk < sizes.count(); disk++) {
            locks.add(new RangeLocks(rules));
        }
    }

    ActivityLog log() {
        return log;
    }

    Flushes flushes() {
        return flushes;
    }

    /** How long the guest waits. */
    Foreground foreground() {
        return foreground;
    }

    long now() {
        return out.now();
    }

    RangeLocks locks(int disk) {
        return locks.get(disk);
    }

    private void flushFor(int disk) {
        flushes.flushSoon(disk);
    }

    // ------------------------------------------------------------------------------------------------------ from the
    // guest

    void write(Event.WriteReceived write) {
        if (outside(write.disk(), write.offset(), write.length())) {
            out.emit(new Effect.ReplyToGuest(write.request(), EINVAL));
        } else if (lead.serving()) {
            locks.get(write.disk()).acquire(new GuestRequest(this, write));
        } else {
            held.add(write);
        }
    }

    void read(Event.ReadReceived read) {
        if (outside(read.disk(), read.offset(), read.length())) {
            out.emit(new Effect.ReplyToGuest(read.request(), EINVAL));
        } else if (lead.serving()) {
            locks.get(read.disk()).acquire(new GuestRequest(this, read));
        } else {
            held.add(read);
        }
    }

    void flush(Event.FlushReceived flush) {
        if (flush.disk() < 0 || flush.disk() >= locks.size()) {
            out.emit(new Effect.ReplyToGuest(flush.request(), EINVAL));
        } else if (lead.serving()) {
            flushing.add(flush.request());
            long since = out.now();
            flushes.flush(flush.disk(), () -> {
                foreground.answered(Foreground.Kind.FLUSH, out.now() - since);
                flushed(flush.request());
            });
        } else {
            held.add(flush);
        }
    }

    private boolean outside(int disk, long offset, int length) {
        ProtocolBugException.check(
                inFlight() + held.size() < MOST_REQUESTS, "requests are bounded by the server", inFlight());
        return length > Math.min(LONGEST, (config.hotExtents() - 1) * (long) Extent.BYTES)
                || sizes.outside(disk, offset, length);
    }

    private void flushed(long request) {
        if (lead.serving()) {
            flushing.remove(request);
            out.emit(new Effect.ReplyToGuest(request, 0));
        } else {
            flushed.add(request);
        }
    }

    // ------------------------------------------------------------------------------------------------------- on its
    // way

    void granted(GuestRequest op) {
        if (op.isWrite() && lead.withoutDisk()) {
            hot(op);
        } else if (op.isWrite()) {
            log.enter(op);
        } else if (lead.withoutDisk() || late.owesTooMuch(op.disk) && peerMayRead()) {
            op.begun = true;
            peerReads.ask(op);
        } else {
            op.begun = true;
            readHere(op);
        }
    }

    private void readHere(GuestRequest op) {
        op.localSince = out.wakingNanos();
        op.io = out.token();
        byIo.put(op.io, op);
        out.emit(new Effect.ReadLocal(op.io, op.request, op.disk, op.offset, (int) op.length));
    }

    /** The write's extents are durably hot: it may begin on both sides, to the peer first. Without a local disk only there. */
    void hot(GuestRequest op) {
        op.begun = true;
        if (lead.withoutDisk()) {
            op.localDone = true;
            sendToPeer(op);
            return;
        }
        if (lead.marksDirty()) {
            dirty.addRange(op.disk, op.offset, op.length);
        }
        sendToPeer(op);
        op.io = out.token();
        byIo.put(op.io, op);
        op.localSince = out.wakingNanos();
        localWrites.begun();
        out.emit(new Effect.WriteLocal(op.io, op.request, op.disk, op.offset, (int) op.length, op.zero, op.fua));
    }

    private void sendToPeer(GuestRequest op) {
        Link link = lead.attachedLink();
        if (link != null) {
            op.seq = link.nextSeq();
            op.sentAt = out.now();
            bySeq.put(op.seq, op);
            var frame = new Message.Write(
                    lead.epoch(), link.session(), op.seq, op.disk, op.offset, (int) op.length, op.zero, op.fua);
            if (op.zero) {
                out.emit(new Effect.Send(link.peer, frame));
            } else {
                out.emit(new Effect.SendWrite(link.peer, frame, op.request));
            }
        }
    }

    /** Sends a flush to the follower; its seq, or 0 without one. */
    long sendFlush(int disk) {
        Link link = lead.attachedLink();
        if (link == null) {
            return 0;
        }
        long seq = link.nextSeq();
        out.emit(new Effect.Send(link.peer, new Message.Flush(lead.epoch(), link.session(), seq, disk)));
        return seq;
    }

    boolean localDone(long io) {
        GuestRequest op = byIo.remove(io);
        if (op == null) {
            return late.returned(io);
        }
        if (op.repairing) {
            badPlaces.repaired(op);
            repairEnded(op);
        } else if (!op.isWrite() && lead.diskFailed()) {
            // Read before the failure was known, perhaps out of a cache that the device has since dropped.
            askPeer(op);
        } else {
            op.localDone = true;
            finish(op);
        }
        return true;
    }

    /**
     * The local store could not read. The in-sync peer has the same bytes; they are written here anew, for that is what makes a drive
     * replace a bad sector. A second error at a place, or too many of them, and the copy is out. Alone the guest gets an error, as from
     * any disk.
     */
    boolean readFailed(long io, Runnable hopeless) {
        GuestRequest op = byIo.remove(io);
        if (op == null) {
            return late.returned(io);
        }
        if (lead.alone() && !lead.diskFailed()) {
            fail(op);
            return true;
        }
        if (!lead.diskFailed() && (badPlaces.hopeless(op) || !lead.disk().peerAnswersReads())) {
            hopeless.run();
        }
        op.repair = !lead.diskFailed();
        if (op.refused) {
            fail(op);
        } else {
            askPeer(op);
        }
        return true;
    }

    /** The local store has no part in it any more; it may have been asked of the peer before. */
    private void askPeer(GuestRequest op) {
        if (!op.hedged) {
            peerReads.ask(op);
        }
        op.hedged = false;
    }

    private boolean peerMayRead() {
        Link link = lead.inSyncLink();
        return link != null && link.answersReads;
    }

    private boolean waitsForDevice(GuestRequest op) {
        return !op.isWrite() && op.localSince != 0 && !op.repairing && byIo.get(op.io) == op;
    }

    /** Asks the peer as well for what the local store has been asked for and has not answered for this long, in nanoseconds awake. */
    void hedge(long nanos) {
        if (!lead.serving() && !lead.diskFailed() || !peerMayRead()) {
            return;
        }
        long before = out.wakingNanos() - nanos;
        for (RangeLocks disk : locks) {
            disk.forEach(holder -> {
                if (holder instanceof GuestRequest op
                        && !op.hedged
                        && !op.refused
                        && waitsForDevice(op)
                        && op.localSince <= before) {
                    op.hedged = true;
                    peerReads.ask(op);
                }
            });
        }
    }

    /** A repair did not reach the device; what the peer answered is right all the same. */
    void repairFailed(long io) {
        GuestRequest op = byIo.get(io);
        if (op != null && op.repairing) {
            byIo.remove(io);
            repairEnded(op);
        }
    }

    private void repairEnded(GuestRequest op) {
        op.repairing = false;
        finish(op);
    }

    /** The peer sent what a read asked for; the frame's payload is at hand in this step. False if it is not what was asked for. */
    boolean readAnswered(long seq, int length) {
        GuestRequest op = peerReads.answered(seq);
        if (op == null || op.localDone) {
            peerReads.pump();
            return true;
        }
        if (length != op.length) {
            peerReads.ask(op);
            return false;
        }
        if (waitsForDevice(op)) {
            // Safety: the device may write into the buffer that it was given long after the guest was answered from
            // there.
            byIo.remove(op.io);
            late.add(op);
            out.emit(new Effect.TakeFromPeerInstead(op.request, seq));
        } else {
            out.emit(new Effect.TakeFromPeer(op.request, seq));
        }
        if (op.repair && !lead.diskFailed()) {
            // The range stays locked until the repair has landed, so that it can not overwrite a later write. It needs
            // no hot extent:
            // the bytes are those that both copies hold, and torn they are as unreadable, or as right, as before.
            op.io = out.token();
            op.repairing = true;
            byIo.put(op.io, op);
            localWrites.begun();
            out.emit(new Effect.WriteFromPeer(op.io, seq, op.disk, op.offset, (int) op.length, false, false));
        }
        op.localDone = true;
        finish(op);
        peerReads.pump();
        return true;
    }

    /** The peer can not read it either. */
    void readRefused(long seq) {
        GuestRequest op = peerReads.answered(seq);
        if (op != null && !op.localDone) {
            giveUpOnPeer(op);
        }
        peerReads.pump();
    }

    /** Nobody beside the local store can read it; if that has been asked, its answer counts. */
    private void giveUpOnPeer(GuestRequest op) {
        if (op.localDone) {
            return;
        }
        if (waitsForDevice(op)) {
            op.hedged = false;
            op.refused = true;
        } else if (op.localSince == 0 && !lead.diskFailed()) {
            // It was spared the device, which is late.
            op.refused = true;
            readHere(op);
        } else {
            fail(op);
        }
    }

    private void fail(GuestRequest op) {
        op.errno = EIO;
        op.localDone = true;
        finish(op);
    }

    /**
     * The record says that this side's copy is out: what waited for it is the peer's matter now. Local writes still on their way are
     * only counted; so are local reads, whose buffers are kept for them.
     */
    void localDiskGone() {
        flushes.localDiskGone();
        log.abandon().forEach(LoggedWrite::hot);
        forEachBegunWrite(op -> {
            byIo.remove(Math.max(1, op.io));
            op.localDone = true;
        });
        hedge(0);
        peerReads.pump();
    }

    /** What the local store has been asked for longest and has not answered for this long, in nanoseconds awake; null if nothing. */
    @Nullable
    DiskFault stuck(long nanos) {
        long before = out.wakingNanos() - nanos;
        if (log.writingSince() != 0 && log.writingSince() < before) {
            return DiskFault.stuck(Event.LocalFailed.Kind.METADATA, Event.LocalFailed.NO_DISK);
        }
        DiskFault owed = late.stuck(before);
        if (owed != null) {
            return owed;
        }
        int flushing = flushes.stuckDisk(before);
        if (flushing >= 0) {
            return DiskFault.stuck(Event.LocalFailed.Kind.FLUSH, flushing);
        }
        for (RangeLocks disk : locks) {
            for (RangeLocks.Holder holder : disk.all()) {
                if (holder instanceof GuestRequest op
                        && op.localSince != 0
                        && op.localSince < before
                        && byIo.get(op.io) == op) {
                    return DiskFault.stuck(
                            op.isWrite() ? Event.LocalFailed.Kind.WRITE : Event.LocalFailed.Kind.READ, op.disk);
                }
            }
        }
        return null;
    }

    boolean withoutDisk() {
        return lead.withoutDisk();
    }

    boolean owns(long io) {
        return byIo.get(io) != null;
    }

    /** The peer has the write. */
    void acknowledged(long seq) {
        GuestRequest op = bySeq.remove(seq);
        if (op != null) {
            op.peerDone = true;
            finish(op);
        }
    }

    private void finish(GuestRequest op) {
        if (!op.localDone || !lead.serving() || op.isWrite() && !peerSatisfied(op.peerDone)) {
            return;
        }
        if (op.isWrite()) {
            bySeq.remove(Math.max(1, op.seq));
        }
        if (!op.answered) {
            op.answered = true;
            foreground.answered(op.isWrite() ? Foreground.Kind.WRITE : Foreground.Kind.READ, out.now() - op.since);
            out.emit(new Effect.ReplyToGuest(op.request, op.errno));
        }
        if (op.repairing) {
            return;
        }
        if (op.logged) {
            log.leave(op);
        }
        locks.get(op.disk).release(op);
    }

    /**
     * The safety rule. A follower's acknowledgement always counts, also while it is only being filled; without a follower a request
     * is done only when no other copy may be listed in sync and that is durable here.
     */
    boolean peerSatisfied(boolean peerDone) {
        return lead.attachedLink() != null ? peerDone : lead.acknowledgesAlone();
    }

    // -------------------------------------------------------------------------------------------------- what counts
    // changes

    /** A follower has come; it gets everything that it has not acknowledged. */
    void attached(boolean inSync) {
        bySeq.clear();
        if (!inSync) {
            flushes.forgetPeer();
        }
        forEachBegunWrite(op -> {
            op.peerDone &= inSync;
            if (!op.peerDone) {
                sendToPeer(op);
            }
        });
        flushes.attached();
        // What it had acknowledged before its link broke, and this side finished meanwhile, waits for nothing more.
        reconsider();
    }

    void detached() {
        bySeq.clear();
        peerReads.detached();
    }

    /** Replies to what now may be replied to. */
    void reconsider() {
        for (RangeLocks disk : locks) {
            disk.forEach(holder -> {
                if (holder instanceof GuestRequest op && op.begun) {
                    finish(op);
                }
            });
        }
        flushes.reconsider();
        if (lead.alone() && !lead.diskFailed()) {
            peerReads.giveUp().forEach(op -> {
                giveUpOnPeer(op);
                op.refused = false;
            });
        }
        peerReads.pump();
    }

    /** The lead serves (again): replies and held requests flow. */
    void open() {
        List<Long> ready = List.copyOf(flushed);
        flushed.clear();
        ready.forEach(this::flushed);
        reconsider();
        held.drain(this);
    }

    /** Writes on their way are not on a lost peer either. */
    void inFlightInto(DirtyMap to) {
        forEachBegunWrite(op -> to.addRange(op.disk, op.offset, op.length));
    }

    /** Age in nanoseconds of the oldest write or flush that the follower has not acknowledged, 0 if none. */
    long oldestUnacknowledged() {
        long[] age = {Math.max(flushes.oldestUnconfirmed(), peerReads.oldestUnanswered())};
        forEachBegunWrite(op -> {
            if (op.seq != 0 && !op.peerDone) {
                age[0] = Math.max(age[0], out.now() - op.sentAt);
            }
        });
        return age[0];
    }

    int inFlight() {
        int count = 0;
        for (RangeLocks disk : locks) {
            count += disk.size();
        }
        return count;
    }

    /** The guest is dead: nothing is answered any more. Local writes already begun come back later and are only counted. */
    void drop() {
        for (RangeLocks disk : locks) {
            disk.forEach(holder -> {
                if (holder instanceof GuestRequest op) {
                    out.emit(new Effect.ForgetRequest(op.request));
                }
            });
            disk.clear();
        }
        flushing.forEach(request -> out.emit(new Effect.ForgetRequest(request)));
        flushing.clear();
        flushed.clear();
        log.dropWaiting();
        peerReads.clear();
        held.drop(out);
    }

    private void forEachBegunWrite(Consumer<GuestRequest> action) {
        for (RangeLocks disk : locks) {
            disk.forEach(holder -> {
                if (holder instanceof GuestRequest op && op.begun && op.isWrite()) {
                    action.accept(op);
                }
            });
        }
    }
}
