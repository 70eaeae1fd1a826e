package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import org.jspecify.annotations.Nullable;

/**
 * The lead's view of its one follower: attaching it, the lease it grants, suspecting and losing it, filling and sealing it.
 *
 * <p>The lease: a beacon sent at {@code t} (own clock) that the follower answered with a grant lets this side serve until {@code t +
 * lease}; the follower promised to wait a grace from a later moment.
 */
final class Followed {
    private static final long NANOS_PER_MILLI = 1_000_000;
    /** Beacons missed before the follower is suspected. */
    private static final int SUSPECT_BEACONS = 5;
    /** A gap between own ticks above this says that this side was the slow one (Lifeguard). */
    private static final long LATE_TICK_NANOS = 100 * NANOS_PER_MILLI;
    /** How long an attach may take: an in-sync peer has little to do first, another must kill a guest or wait for a disk. */
    private static final long CONTINUE_MILLIS = 500;

    private static final long ATTACH_MILLIS = 5_000;
    /** Pause after a refusal. */
    private static final long REFUSED_MILLIS = 100;

    private final Side side;
    private final Lead lead;
    private final Map<CopyId, Long> rejoinAt = new HashMap<>();
    private final Map<CopyId, Long> left = new HashMap<>();
    private @Nullable Link link;
    private Message.AttachKind kind = Message.AttachKind.RESYNC;
    private boolean attached;
    private long attachUntil;
    private long lastHeard;
    private long lostAt;
    private long lastTick;
    private long trustUntil;
    private long leaseUntil;
    private @Nullable CopyId leaseFrom;
    private @Nullable Resync resync;
    private long sealWord;
    private boolean sealed;
    private long completeLife;
    private long rejoinMillis;
    private @Nullable CopyId leaving;
    private long knownClean = -1;

    Followed(Side side, Lead lead) {
        this.side = side;
        this.lead = lead;
    }

    /** The guest was handed over in this epoch with nothing outstanding: the old active's log names nothing that differs. */
    void handedOverClean(long epoch) {
        knownClean = epoch;
    }

    @Nullable
    Link attachedLink() {
        return attached ? link : null;
    }

    long leaseUntil() {
        return leaseUntil;
    }

    long sealedAs() {
        return sealWord;
    }

    @Nullable
    Resync resync() {
        return resync;
    }

    // -------------------------------------------------------------------------------------------------------------
    // attach

    void attachIfPossible() {
        if (link != null
                || !lead.settled()
                || lead.diskFailed()
                || lead.handOver().deciding()) {
            return;
        }
        SortedSet<CopyId> others = lead.others();
        for (Link candidate : List.copyOf(side.links.values())) {
            if (candidate.outdated()) {
                side.drop(candidate, "it led since its hello");
                continue;
            }
            Message.Hello hello = candidate.hello();
            if (hello != null && willing(candidate, hello)) {
                if (others.contains(candidate.peer)) {
                    attachInSync(candidate, hello);
                } else if (others.isEmpty() && lead.ready() && hello.state() != CopyState.FAILED) {
                    attach(candidate, Message.AttachKind.RESYNC);
                }
            }
            if (link != null) {
                return;
            }
        }
    }

    private boolean willing(Link candidate, Message.Hello hello) {
        return side.out.now() >= candidate.notBefore
                && side.out.now() >= rejoinAt.getOrDefault(candidate.peer, 0L)
                && left.getOrDefault(candidate.peer, 0L) != hello.life();
    }

    private void attachInSync(Link candidate, Message.Hello hello) {
        long word = hello.lineage().current();
        boolean sameData = hello.state() == CopyState.IN_SYNC
                && (word == lead.lineage().current() || sealWord != 0 && word == sealWord);
        boolean sameLife = isComplete(candidate);
        if (sameData && lead.ready() && sameLife) {
            attach(candidate, Message.AttachKind.CONTINUE);
        } else if (sameData && !lead.ready()) {
            attach(candidate, Message.AttachKind.RECONCILE);
        } else {
            // Its cache may be lost, or its volume was replaced: it is listed but not equal, so it goes out before it
            // comes in.
            if (!sameData) {
                side.problems.raise(
                        Problem.Kind.PEER_NOT_USABLE,
                        "The peer is listed in sync but holds other data (" + hello.state()
                                + "); it is dropped and filled again.",
                        Map.of("peer", candidate.peer.value()));
            }
            lead.wishShrink();
        }
    }

    private void attach(Link candidate, Message.AttachKind how) {
        if (!candidate.peer.equals(leaseFrom)) {
            leaseFrom = candidate.peer;
            leaseUntil = 0;
        }
        if (side.desk.wished() == CasDesk.Kind.SHRINK) {
            side.desk.withdraw();
        }
        link = candidate;
        kind = how;
        attached = false;
        attachUntil = side.out.after(how == Message.AttachKind.CONTINUE ? CONTINUE_MILLIS : ATTACH_MILLIS);
        side.out.emit(new Effect.SetBeacons(candidate.peer, candidate.session(), false));
        side.send(candidate, new Message.Attach(lead.epoch(), candidate.session(), how, lead.known()));
    }

    void attached(Link from, Message.Attached message) {
        if (from != link || attached || message.session() != from.session() || message.epoch() != lead.epoch()) {
            return;
        }
        if (kind == Message.AttachKind.CONTINUE && !isComplete(from)) {
            lose("a change that would have listed it failed meanwhile, and requests were finished without it");
            return;
        }
        attached = true;
        lastHeard = side.out.now();
        lead.io().attached(kind != Message.AttachKind.RESYNC);
        switch (kind) {
            case CONTINUE -> sealed = !lead.known().inSync().contains(from.peer);
            case RECONCILE -> {
                DirtyMap todo = new DirtyMap(side.config.diskBytes());
                if (knownClean != lead.epoch() && side.rules.reconcilesBeforeServing()) {
                    lead.io().log().hotExtents().forEach(todo::addExtent);
                    addReturningLog(from, todo);
                }
                begin(from, todo);
            }
            case RESYNC -> {
                sealed = false;
                begin(from, differences(from));
            }
        }
        lead.serveIfAllowed();
        side.publish();
    }

    private void begin(Link from, DirtyMap todo) {
        Resync started = new Resync(side.out, side.rules, lead, from, todo, side.config.diskBytes());
        resync = started;
        started.pump();
    }

    /** The active's bitmap and the returning copy's log if it still has the data the bitmap is relative to; else everything. */
    private DirtyMap differences(Link from) {
        DirtyMap todo = new DirtyMap(side.config.diskBytes());
        Message.Hello hello = from.hello();
        long word = hello == null ? 0 : hello.lineage().current();
        boolean partial =
                word != 0 && lead.marksDirty() && (word == lead.lineage().base() || word == sealWord);
        if (partial) {
            todo.addAll(lead.dirty());
            addReturningLog(from, todo);
        } else {
            todo.addAll();
        }
        return todo;
    }

    private void addReturningLog(Link from, DirtyMap todo) {
        Message.Hello hello = from.hello();
        if (hello != null && side.rules.comparesReturningLog()) {
            hello.hot().stream()
                    .filter(extent -> extent.disk() < todo.disks() && extent.index() < todo.extents(extent.disk()))
                    .forEach(todo::addExtent);
        }
    }

    // --------------------------------------------------------------------------------------------------------- seal
    // and grow

    /** Everything is copied; now the follower makes it durable and says so of itself. */
    void seal() {
        Link to = link;
        if (to == null || !attached) {
            return;
        }
        sealWord = side.words.next();
        if (side.rules.sealsBeforeGrow()) {
            side.send(to, new Message.Seal(lead.epoch(), to.session(), sealWord));
        } else {
            sealed = true;
        }
    }

    void sealed(Link from, Message.Sealed message) {
        if (from == link && attached && message.session() == from.session() && message.lineage() == sealWord) {
            sealed = true;
            growIfPossible();
        }
    }

    private void growIfPossible() {
        Link from = link;
        if (sealed
                && attached
                && from != null
                && lead.settled()
                && side.desk.wished() == null
                && side.desk.mayAsk()
                && !lead.known().inSync().contains(from.peer)
                && side.out.now() < leaseUntil) {
            completed();
            lead.wishGrow(from.peer);
        }
    }

    /**
     * A shrink that got no answer while the peer was away can still be applied although the peer is back. Another change against the
     * same version, which keeps everything but the epoch, settles that.
     */
    private void settleDoubt() {
        Link from = link;
        if (attached
                && from != null
                && lead.settled()
                && side.desk.inDoubt()
                && side.desk.wished() == null
                && side.desk.mayAsk()
                && lead.known().inSync().contains(from.peer)
                && !lead.handOver().deciding()) {
            side.desk.wish(CasDesk.Kind.KEEP, side.self(), lead.known().inSync());
        }
    }

    /** The follower holds everything: as long as it lives, its link may break and come back. */
    void completed() {
        Link from = link;
        Message.Hello hello = from == null ? null : from.hello();
        completeLife = hello == null ? 0 : hello.life();
    }

    private boolean isComplete(Link from) {
        Message.Hello hello = from.hello();
        return hello != null && (hello.life() == completeLife || !side.rules.distrustsNewLife());
    }

    /** A request was finished that no follower confirmed: whoever comes back is not complete any more. */
    void wentOnWithout() {
        completeLife = 0;
    }

    void grown(ArbiterRecord arbiter) {
        resync = null;
        tell(arbiter);
    }

    void tell(ArbiterRecord arbiter) {
        Link to = link;
        if (to != null && attached) {
            side.send(to, new Message.EpochChanged(lead.epoch(), to.session(), arbiter));
            side.problems.clear(Problem.Kind.PEER_NOT_USABLE);
            side.problems.clear(Problem.Kind.PEER_SLOW);
        }
    }

    // ------------------------------------------------------------------------------------------------------------
    // messages

    void writeAcknowledged(Link from, Message.WriteAck message) {
        if (from == link && attached && message.session() == from.session()) {
            lead.io().acknowledged(message.seq());
            if (resync != null) {
                resync.acknowledged(message.seq());
            }
        }
    }

    void flushAcknowledged(Link from, Message.FlushAck message) {
        if (from == link && attached && message.session() == from.session()) {
            lead.io().flushes().peerDone(message.seq());
        }
    }

    void hashed(Link from, Message.HashReply message) {
        if (from == link && attached && message.session() == from.session() && resync != null) {
            resync.peerHashed(message);
        }
    }

    void failed(Link from, Message.Nack message) {
        if (from == link && message.session() == from.session()) {
            side.problems.raise(
                    Problem.Kind.PEER_NOT_USABLE,
                    "The peer's device failed; its copy is out. Replace its volume.",
                    Map.of("peer", from.peer.value(), "errno", Integer.toString(message.errno())));
            rejoinAt.put(from.peer, side.out.after(side.config.waits().rejoinMostMillis()));
            loseForGood("its device failed");
        }
    }

    void refused(Link from, Message.Refused message) {
        if (from == link && !attached && message.session() == from.session()) {
            from.notBefore = side.out.after(REFUSED_MILLIS);
            link = null;
            lostAt = side.out.now();
            side.out.emit(new Effect.StopBeacons());
            if (kind != Message.AttachKind.RESYNC) {
                // What it said of itself in its hello is no longer so; a new link brings a fresh one.
                side.drop(from, "it refused to follow: " + message.reason());
            }
        }
        if (message.epoch() > lead.epoch()) {
            side.desk.readAfresh();
        }
    }

    void beacon(Event.BeaconHeard beacon) {
        Link from = link;
        if (from == null || beacon.session() != from.session()) {
            return;
        }
        lastHeard = Math.max(lastHeard, beacon.receivedAt());
        if (beacon.grantedSentAt() != 0) {
            long until = beacon.grantedSentAt() + side.config.timing().leaseMillis() * NANOS_PER_MILLI;
            leaseUntil = Math.max(leaseUntil, until);
            growIfPossible();
            lead.serveIfAllowed();
        }
    }

    // ---------------------------------------------------------------------------------------------------------- leave,
    // lose

    /** Polite leave of a copy. */
    void leave(CopyId copy) {
        Link to = link;
        leaving = copy;
        if (to != null && attached && to.peer.equals(copy)) {
            side.send(to, new Message.Outdate(lead.epoch(), to.session()));
        } else if (lead.others().contains(copy)) {
            lostAt = Long.MIN_VALUE / 2;
            lead.wishShrink();
        } else {
            leaveEnded();
        }
    }

    void outdated(Link from, Message.Outdated message) {
        if (from == link && message.session() == from.session()) {
            Message.Hello hello = from.hello();
            left.put(from.peer, hello == null ? 0 : hello.life());
            loseForGood("it left");
            if (!lead.others().contains(from.peer)) {
                leaveEnded();
            }
        }
    }

    /** A leave ends when the record does not list the copy, whether or not it could be told. */
    private void goOnLeaving() {
        CopyId going = leaving;
        Link to = link;
        if (going == null || to != null && to.peer.equals(going)) {
            return;
        }
        if (lead.others().contains(going)) {
            lead.wishShrink();
        } else {
            leaveEnded();
        }
    }

    /** If an order to leave is under way, it is done. */
    void leaveEnded() {
        if (leaving != null && !lead.others().contains(leaving)) {
            leaving = null;
            side.out.emit(new Effect.OrderEnded(Effect.Order.LEAVE, ""));
        }
    }

    void goodbye(Link from) {
        if (from == link) {
            loseForGood("it said goodbye");
        }
    }

    private void loseForGood(String why) {
        Link from = link;
        lose(why);
        lostAt = Long.MIN_VALUE / 2;
        if (from != null && lead.others().contains(from.peer)) {
            lead.wishShrink();
        }
    }

    /** Whether waiting for the in-sync peer is over. */
    boolean mayBeDropped() {
        return link == null && side.out.now() - lostAt >= side.config.waits().reconnectMillis() * NANOS_PER_MILLI;
    }

    void tick() {
        long now = side.out.now();
        if (now - lastTick > LATE_TICK_NANOS) {
            trustUntil = now + side.config.timing().beaconMillis() * NANOS_PER_MILLI;
        }
        lastTick = now;
        if (link != null && !attached && now >= attachUntil) {
            lose("did not answer the attach");
        } else if (attached && now >= trustUntil) {
            if (now - lastHeard > SUSPECT_BEACONS * side.config.timing().beaconMillis() * NANOS_PER_MILLI) {
                lose("no beacon");
            } else if (!side.config.suspendOnSlowPeer()
                    && lead.io().oldestUnacknowledged() > side.config.waits().slowPeerMillis() * NANOS_PER_MILLI) {
                dropSlow();
            }
        }
        goOnLeaving();
        growIfPossible();
        settleDoubt();
        attachIfPossible();
    }

    private void dropSlow() {
        Link from = link;
        if (from == null) {
            return;
        }
        var waits = side.config.waits();
        rejoinMillis = rejoinMillis == 0 ? waits.rejoinMillis() : Math.min(rejoinMillis * 2, waits.rejoinMostMillis());
        rejoinAt.put(from.peer, side.out.after(rejoinMillis));
        side.problems.raise(
                Problem.Kind.PEER_SLOW,
                "The peer took longer than " + waits.slowPeerMillis()
                        + " ms to acknowledge and was dropped; it may rejoin in " + rejoinMillis + " ms.",
                Map.of("peer", from.peer.value()));
        loseForGood("slow");
    }

    /** The session is over, if there is one. The link is closed: the next one begins with a fresh hello. */
    void lose(String why) {
        Link from = link;
        if (from != null) {
            forget();
            side.drop(from, why);
            lead.handOver().peerLost();
            lead.io().reconsider();
            lead.serveIfAllowed();
            side.publish();
        }
    }

    /** The link went down by itself. */
    void linkDown(Link gone) {
        if (gone == link) {
            forget();
            lead.handOver().peerLost();
            lead.io().reconsider();
            lead.serveIfAllowed();
            side.publish();
        }
    }

    /** This side leads no more; the link may stay. */
    void release() {
        if (link != null) {
            forget();
        }
    }

    private void forget() {
        Resync running = resync;
        resync = null;
        link = null;
        attached = false;
        sealed = false;
        lostAt = side.out.now();
        if (running != null) {
            running.abandon();
        }
        lead.io().detached();
        side.out.emit(new Effect.StopBeacons());
    }
}
