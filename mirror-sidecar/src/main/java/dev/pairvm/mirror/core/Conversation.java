package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;

/** Links and frames: who of this side hears what the peer says. */
final class Conversation {
    private final Side side;
    private final Standing at;

    Conversation(Side side, Standing at) {
        this.side = side;
        this.at = at;
    }

    void linkDown(Event.LinkDown down) {
        Link link = side.links.get(down.peer());
        if (link == null || down.cause() == Event.LinkDown.Cause.CLOSED_HERE) {
            return;
        }
        side.links.remove(down.peer());
        forgetLink(link, down.cause() == Event.LinkDown.Cause.CLOSED_BY_PEER);
    }

    void forgetLink(Link link, boolean processEnded) {
        at.following.forget(link);
        at.ifLeading(l -> l.followed().linkDown(link));
        Follower following = at.follower;
        if (following != null && following.link == link) {
            at.following.loseLead(link, processEnded);
        } else if (isRecordedActive(link.peer)) {
            at.candidacy.activeGone(processEnded);
        }
    }

    private boolean isRecordedActive(CopyId peer) {
        ArbiterRecord known = side.desk.known();
        return at.lead == null && known != null && known.active().equals(peer);
    }

    void received(Event.MessageReceived received) {
        Link link = side.links.get(received.peer());
        if (link == null) {
            return;
        }
        Message message = received.message();
        if (message instanceof Message.Hello hello) {
            if (at.greetings.hello(link, hello)) {
                at.ifLeading(l -> l.followed().attachIfPossible());
                if (at.follower == null && isRecordedActive(link.peer)) {
                    at.candidacy.activeGreeted();
                }
            }
            return;
        }
        if (link.session() == 0) {
            side.drop(link, "a frame before hello");
            forgetLink(link, false);
            return;
        }
        Lead leading = at.lead;
        if (leading != null) {
            toLead(leading, link, message);
        } else {
            toFollower(link, message);
        }
    }

    private void toLead(Lead leading, Link link, Message message) {
        Followed followed = leading.followed();
        switch (message) {
            case Message.Attached m -> followed.attached(link, m);
            case Message.Refused m -> followed.refused(link, m);
            case Message.WriteAck m -> followed.writeAcknowledged(link, m);
            case Message.FlushAck m -> followed.flushAcknowledged(link, m);
            case Message.HashReply m -> followed.hashed(link, m);
            case Message.PieceReply m -> followed.hashed(link, m);
            case Message.Nack m -> followed.failed(link, m);
            case Message.ReadData m -> followed.readAnswered(link, m);
            case Message.ReadFailed m -> followed.readRefused(link, m);
            case Message.Sealed m -> followed.sealed(link, m);
            case Message.Outdated m -> followed.outdated(link, m);
            case Message.Goodbye m -> followed.goodbye(link);
            case Message.Grown m -> leading.growth().grown(link, m);
            case Message.NotGrown m -> leading.growth().notGrown(link, m);
            case Message.Attach m -> {
                side.send(link, new Message.Refused(leading.epoch(), link.session(), "I lead"));
                if (m.epoch() > leading.epoch()) {
                    side.desk.readAfresh();
                }
            }
            case Message.Hello m -> {}
            case Message.Write m -> {}
            case Message.Read m -> {}
            case Message.Flush m -> {}
            case Message.HashRequest m -> {}
            case Message.Verify m -> {}
            case Message.PieceRequest m -> {}
            case Message.ResyncData m -> {}
            case Message.Seal m -> {}
            case Message.Outdate m -> {}
            case Message.EpochChanged m -> {}
            case Message.HandedOver m -> {}
            case Message.Grow m -> {}
        }
    }

    private void toFollower(Link link, Message message) {
        Follower following = at.follower;
        switch (message) {
            case Message.Attach m -> at.following.attach(link, m);
            case Message.HandedOver m -> at.following.handedOver(link, m);
            case Message.Goodbye m -> at.following.loseLead(link, true);
            case Message.Grow m -> at.growth.asked(link, m);
            default -> {
                if (following != null) {
                    toFollower(following, link, message);
                }
            }
        }
    }

    private static void toFollower(Follower following, Link link, Message message) {
        switch (message) {
            case Message.Write m -> following.write(link, m);
            case Message.Read m -> following.read(link, m);
            case Message.Flush m -> following.flush(link, m);
            case Message.HashRequest m -> following.hash(link, m);
            case Message.Verify m -> following.verify(link, m);
            case Message.PieceRequest m -> following.hash(link, m);
            case Message.ResyncData m -> following.resyncData(link, m);
            case Message.Seal m -> following.seal(link, m);
            case Message.Outdate m -> following.outdate(link, m);
            case Message.EpochChanged m -> following.epochChanged(link, m);
            default -> {}
        }
    }
}
