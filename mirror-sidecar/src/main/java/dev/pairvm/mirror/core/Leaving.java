package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.CopyId;
import org.jspecify.annotations.Nullable;

/** An order that a copy leaves: it is told to outdate itself if it can be, and ends when the record does not list it. */
final class Leaving {
    private final Side side;
    private final Lead lead;
    private final Followed followed;
    private @Nullable CopyId copy;

    Leaving(Side side, Lead lead, Followed followed) {
        this.side = side;
        this.lead = lead;
        this.followed = followed;
    }

    void begin(CopyId leaver) {
        Link to = followed.attachedLink();
        copy = leaver;
        if (to != null && to.peer.equals(leaver)) {
            side.send(to, new Message.Outdate(lead.epoch(), to.session()));
        } else if (lead.others().contains(leaver)) {
            followed.waitNoMore();
            lead.wishShrink();
        } else {
            endIfUnlisted();
        }
    }

    /** A leave ends when the record does not list the copy, whether or not it could be told. */
    void goOn() {
        CopyId going = copy;
        if (going == null || followed.isLinkedTo(going)) {
            return;
        }
        if (lead.others().contains(going)) {
            lead.wishShrink();
        } else {
            endIfUnlisted();
        }
    }

    /** If an order to leave is under way, it is done. */
    void endIfUnlisted() {
        if (copy != null && !lead.others().contains(copy)) {
            copy = null;
            side.out.emit(new Effect.OrderEnded(Effect.Order.LEAVE, ""));
        }
    }
}
