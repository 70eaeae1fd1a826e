package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.Epoch;
import org.jspecify.annotations.Nullable;

/** How this side comes to follow a lead, and how that ends. */
final class Following {
    private final Side side;
    private final Standing at;
    private @Nullable Link attachFrom;
    private Message.@Nullable Attach attach;
    private boolean persisting;

    Following(Side side, Standing at) {
        this.side = side;
        this.at = at;
    }

    /** Whether a lead has asked this side to follow, and it has not answered yet. */
    boolean attaching() {
        return attach != null;
    }

    /** The link is gone: what was asked over it needs no answer. */
    void forget(Link link) {
        if (link == attachFrom) {
            attach = null;
            attachFrom = null;
        }
    }

    void loseLead(Link link, boolean processEnded) {
        Follower following = at.follower;
        if (following != null && following.link == link) {
            leave(following);
            // A twin goes on at once, as it is: waiting for the lead's process to return would be the longer
            // interruption.
            at.candidacy.lost(processEnded && !following.twinRecorded());
            side.publish();
        }
    }

    /** Safety: nothing that the lead sent may be waited for, nor reach the disk, once another decides what the disk holds. */
    private void leave(Follower following) {
        following.end();
        at.follower = null;
        if (side.guest.twin()) {
            side.out.emit(new Effect.CutTwin());
        }
    }

    void handedOver(Link link, Message.HandedOver m) {
        Follower following = at.follower;
        if (following != null && following.link == link && m.session() == link.session()) {
            leave(following);
            at.candidacy.lost(true);
            at.handedOverEpoch = m.clean() ? m.epoch() : -1;
            side.desk.readAfresh();
        }
    }

    void attach(Link link, Message.Attach m) {
        if (m.session() != link.session()) {
            return;
        }
        String refusal = refusal(link, m);
        if (!refusal.isEmpty()) {
            long highest = Math.max(side.superblock.durable().maxEpochSeen().value(), knownEpoch());
            side.send(link, new Message.Refused(highest, link.session(), refusal));
            return;
        }
        Follower before = at.follower;
        if (before != null) {
            leave(before);
            at.candidacy.lost(false);
        }
        attach = m;
        attachFrom = link;
        persisting = false;
        attachIfReady();
    }

    private String refusal(Link link, Message.Attach m) {
        if (at.copyFailed || side.state() == CopyState.FAILED) {
            return "this copy failed";
        }
        if (at.stopping) {
            return "this mirror is stopping";
        }
        if (side.desk.inDoubt()) {
            return "a promotion is in doubt";
        }
        if (m.epoch() < knownEpoch()
                || m.epoch() < side.superblock.durable().maxEpochSeen().value()) {
            return "a higher epoch is known";
        }
        if (link.larger(side.sizes)) {
            return "a disk is smaller here";
        }
        boolean asInSync = m.kind() != Message.AttachKind.RESYNC;
        return asInSync && side.state() != CopyState.IN_SYNC ? "this copy is " + side.state() : "";
    }

    private long knownEpoch() {
        ArbiterRecord arbiter = side.desk.known();
        return arbiter == null ? 0 : arbiter.epoch().value();
    }

    /** Follows when no guest can run here, no older write can land late, and what must be durable first is. */
    void attachIfReady() {
        Message.Attach wanted = attach;
        Link from = attachFrom;
        if (wanted == null || from == null || persisting || !side.localWrites.none()) {
            return;
        }
        if (!side.guest.clear()) {
            side.guest.kill();
            return;
        }
        persisting = true;
        boolean fill = wanted.kind() == Message.AttachKind.RESYNC;
        // A replaced object is believed by nobody who knows the old one; a blank copy knows none, so the lead's word
        // decides.
        ArbiterRecord known = side.desk.known();
        boolean same = known != null
                && known.epoch().equals(wanted.arbiter().epoch())
                && known.nonce().equals(wanted.arbiter().nonce());
        String uid = same ? side.desk.uid() : "";
        // A copy that is filled is as large as its lead, whatever it was: what it had beyond is nobody's data and not
        // zeros.
        side.superblock.change(
                durable -> {
                    Superblock next = durable.seen(new Epoch(wanted.epoch())).pinned(uid);
                    return fill ? next.withState(CopyState.SYNCING) : next;
                },
                () -> fill && side.rules.fillsToOwnSize() ? from.sizesWithin(side.sizes) : side.sizes.all(),
                () -> follow(wanted, from));
    }

    private void follow(Message.Attach wanted, Link from) {
        if (attach != wanted || at.lead != null) {
            return;
        }
        attach = null;
        attachFrom = null;
        persisting = false;
        if (wanted.kind() != Message.AttachKind.RESYNC && side.state() != CopyState.IN_SYNC) {
            // Outdated or failed since it was asked, for a record that did not list it: who listed it then would list a
            // copy that
            // can not be promoted.
            side.send(
                    from,
                    new Message.Refused(
                            side.superblock.durable().maxEpochSeen().value(),
                            from.session(),
                            "this copy is " + side.state()));
            return;
        }
        from.outdate();
        at.follower = new Follower(side, from, wanted.epoch());
        at.candidacy.granting();
        side.out.emit(new Effect.SetBeacons(from.peer, from.session(), true));
        side.send(from, new Message.Attached(wanted.epoch(), from.session()));
        if (wanted.kind() != Message.AttachKind.RESYNC) {
            side.out.emit(new Effect.PrepareStandbyGuest());
        }
        side.publish();
    }

    void beacon(Event.BeaconHeard beacon) {
        Follower following = at.follower;
        if (following != null && beacon.session() == following.link.session()) {
            at.candidacy.heard(beacon.receivedAt());
        }
        at.ifLeading(l -> l.followed().beacon(beacon));
    }
}
