package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import org.jspecify.annotations.Nullable;

/**
 * The lead's one follower: attaching it, hearing it, losing it. Its lease is {@link FollowerLease}'s matter, filling it {@link
 * Joining}'s, sending it away {@link Leaving}'s, and who may come {@link Admission}'s.
 */
final class Followed {
    private static final long NANOS_PER_MILLI = 1_000_000;
    /** How long an attach may take: an in-sync peer has little to do first, another must kill a guest or wait for a disk. */
    private static final long CONTINUE_MILLIS = 500;

    private static final long ATTACH_MILLIS = 5_000;

    private final Side side;
    private final Lead lead;
    private final FollowerLease lease;
    private final Admission admission;
    private final Leaving leaving;
    private final Joining joining;
    private @Nullable Link link;
    private Message.AttachKind kind = Message.AttachKind.RESYNC;
    private boolean attached;
    private long attachUntil;
    private long lostAt;

    Followed(Side side, Lead lead) {
        this.side = side;
        this.lead = lead;
        this.lease = new FollowerLease(side);
        this.admission = new Admission(side);
        this.leaving = new Leaving(side, lead, this);
        this.joining = new Joining(side, lead, this);
    }

    FollowerLease lease() {
        return lease;
    }

    Joining joining() {
        return joining;
    }

    Leaving leaving() {
        return leaving;
    }

    @Nullable
    Link attachedLink() {
        return attached ? link : null;
    }

    @Nullable
    Link link() {
        return link;
    }

    /** Somebody was asked to follow and has not answered yet. */
    boolean attaching() {
        return link != null && !attached;
    }

    boolean isLinkedTo(CopyId peer) {
        return link != null && link.peer.equals(peer);
    }

    // -------------------------------------------------------------------------------------------------------------
    // attach

    void attachIfPossible() {
        if (link != null
                || !lead.settled()
                || lead.diskFailed() && !lead.withoutDisk()
                || lead.handOver().deciding()
                || lead.growth().committing()) {
            return;
        }
        SortedSet<CopyId> others = lead.others();
        for (Link candidate : List.copyOf(side.links.values())) {
            if (candidate.outdated()) {
                side.drop(candidate, "it led since its hello");
                continue;
            }
            Message.Hello hello = candidate.hello();
            if (hello != null && admission.admits(candidate, hello)) {
                if (others.contains(candidate.peer)) {
                    attachInSync(candidate, hello);
                } else if (others.isEmpty()
                        && lead.ready()
                        && hello.state() != CopyState.FAILED
                        && lead.growth().fits(candidate)) {
                    attach(candidate, Message.AttachKind.RESYNC);
                }
            }
            if (link != null) {
                return;
            }
        }
    }

    private void attachInSync(Link candidate, Message.Hello hello) {
        // Safety: one in sync that is smaller than this side can not have confirmed what lies beyond its end.
        boolean sameData = joining.sameData(hello) && candidate.smaller(side.sizes) < 0;
        boolean sameLife = joining.isComplete(candidate);
        if (sameData && lead.ready() && sameLife) {
            attach(candidate, Message.AttachKind.CONTINUE);
        } else if (sameData && !lead.ready()) {
            attach(candidate, Message.AttachKind.RECONCILE);
        } else if (lead.withoutDisk()) {
            // This side has nothing to compare it with and nothing to go on with: the last copy runs its guest itself.
            lead.disk().failOver();
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
        lease.attaching(candidate.peer);
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
        if (kind == Message.AttachKind.CONTINUE && !joining.isComplete(from)) {
            lose("a change that would have listed it failed meanwhile, and requests were finished without it");
            return;
        }
        if (kind == Message.AttachKind.RESYNC) {
            from.tookSizes(side.sizes);
        }
        attached = true;
        lease.attached();
        if (kind == Message.AttachKind.RECONCILE) {
            lead.io().log().flushLost();
        }
        lead.io().attached(kind != Message.AttachKind.RESYNC);
        joining.attached(from, kind);
        lead.serveIfAllowed();
        side.publish();
    }

    void sealed(Link from, Message.Sealed message) {
        if (from == link && attached && message.session() == from.session()) {
            joining.sealed(message);
        }
    }

    void grown(ArbiterRecord arbiter) {
        joining.grown();
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
            Resync running = joining.resync();
            if (running != null) {
                running.acknowledged(message.seq());
            }
            lead.verify().acknowledged(message.seq());
        }
    }

    void flushAcknowledged(Link from, Message.FlushAck message) {
        if (from == link && attached && message.session() == from.session()) {
            lead.io().flushes().peerDone(message.seq());
        }
    }

    void readAnswered(Link from, Message.ReadData message) {
        if (from == link && attached && message.session() == from.session()) {
            if (!lead.io().readAnswered(message.seq(), message.length())) {
                lose("it answered a read with another length");
            }
        }
    }

    void readRefused(Link from, Message.ReadFailed message) {
        if (from == link && attached && message.session() == from.session()) {
            lead.io().readRefused(message.seq());
        }
    }

    void hashed(Link from, Message.HashReply message) {
        if (from == link && attached && message.session() == from.session()) {
            Resync running = joining.resync();
            if (running != null) {
                hashed(running.peerHashed(message));
            }
            lead.verify().peerHashed(message);
        }
    }

    void hashed(Link from, Message.PieceReply message) {
        Resync running = joining.resync();
        if (from == link && attached && message.session() == from.session() && running != null) {
            hashed(running.peerHashed(message));
        }
    }

    private void hashed(boolean asAsked) {
        if (!asAsked) {
            lose("it answered with another number of hashes");
        }
    }

    /** It was repaired and differs still: it is not in sync, whatever the record says; what differs is dirty. */
    void keepsNoRepair(Link from) {
        if (from == link) {
            side.problems.raise(
                    Problem.Kind.PEER_NOT_USABLE,
                    "The peer's copy differs from this one and does not keep what repairs it; it is dropped and filled"
                            + " again. If that comes back, replace its volume.",
                    Map.of("peer", from.peer.value()));
            loseForGood("it does not keep what repairs it");
        }
    }

    void failed(Link from, Message.Nack message) {
        if (from == link && message.session() == from.session()) {
            side.problems.raise(
                    Problem.Kind.PEER_NOT_USABLE,
                    "The peer's device failed; its copy is out. Replace its volume.",
                    Map.of("peer", from.peer.value(), "errno", Integer.toString(message.errno())));
            admission.broken(from.peer);
            loseForGood("its device failed");
        }
    }

    void refused(Link from, Message.Refused message) {
        if (from == link && !attached && message.session() == from.session()) {
            admission.refused(from);
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
        if (lease.heard(beacon)) {
            joining.growIfPossible();
            lead.serveIfAllowed();
        }
    }

    // ---------------------------------------------------------------------------------------------------------- leave,
    // lose

    void outdated(Link from, Message.Outdated message) {
        if (from == link && message.session() == from.session()) {
            admission.left(from);
            loseForGood("it left");
            if (!lead.others().contains(from.peer)) {
                leaving.endIfUnlisted();
            }
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
        waitNoMore();
        if (from != null && lead.others().contains(from.peer)) {
            lead.wishShrink();
        }
    }

    /** It is not expected back within the time that a broken link is waited for. */
    void waitNoMore() {
        lostAt = Long.MIN_VALUE / 2;
    }

    /** Whether waiting for the in-sync peer is over. */
    boolean mayBeDropped() {
        return link == null && side.out.now() - lostAt >= side.config.waits().reconnectMillis() * NANOS_PER_MILLI;
    }

    void tick() {
        lease.tick();
        if (link != null && !attached && side.out.now() >= attachUntil) {
            lose("did not answer the attach");
        } else if (attached && lease.mayJudge()) {
            if (lease.silent()) {
                // longer than a broken connection is waited for: more would only cost the lease, and the guest a stop
                lose("no beacon");
                waitNoMore();
            } else if (!side.config.suspendOnSlowPeer()
                    && !lead.diskFailed()
                    && lead.io().oldestUnacknowledged() > side.config.waits().slowPeerMillis() * NANOS_PER_MILLI) {
                dropSlow();
            }
        }
        leaving.goOn();
        joining.growIfPossible();
        joining.settleDoubt();
        attachIfPossible();
    }

    private void dropSlow() {
        Link from = link;
        if (from == null) {
            return;
        }
        long wait = admission.slow(from.peer);
        side.problems.raise(
                Problem.Kind.PEER_SLOW,
                "The peer took longer than " + side.config.waits().slowPeerMillis()
                        + " ms to acknowledge and was dropped; it may rejoin in " + wait + " ms.",
                Map.of("peer", from.peer.value()));
        loseForGood("slow");
    }

    /** The session is over, and the next one is not begun at once. */
    void postpone(String why) {
        Link from = link;
        if (from != null) {
            admission.slow(from.peer);
            lose(why);
        }
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
        Link gone = link;
        link = null;
        attached = false;
        lostAt = side.out.now();
        joining.lost();
        lead.verify().peerLost();
        lead.io().detached();
        side.out.emit(new Effect.StopBeacons());
        if (gone != null) {
            lead.growth().peerLost(gone);
        }
    }
}
