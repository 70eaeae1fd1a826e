package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A planned hand-over at the active: the guest moves and is paused, both sides flush, then one compare-and-swap makes the peer the
 * active with the in-sync set unchanged. While that is in doubt nobody serves; if it is lost, the guest goes on here.
 */
final class HandOver {
    private enum Stage {
        NONE,
        MOVING,
        FLUSHING,
        DECIDING
    }

    private final Side side;
    private final Lead lead;
    private Stage stage = Stage.NONE;
    private @Nullable CopyId to;

    HandOver(Side side, Lead lead) {
        this.side = side;
        this.lead = lead;
    }

    boolean underWay() {
        return stage != Stage.NONE;
    }

    boolean deciding() {
        return stage == Stage.DECIDING;
    }

    /** Whether the guest has stopped for it, or is about to be another's. */
    boolean switching() {
        return stage == Stage.FLUSHING || stage == Stage.DECIDING;
    }

    void request(CopyId target) {
        String refusal = refusal(target);
        if (refusal.isEmpty() && lead.twin().stage() == TwinStage.RUNNING) {
            lead.twin().handOver();
        } else if (!refusal.isEmpty()) {
            side.out.emit(new Effect.OrderEnded(Effect.Order.HAND_OVER, refusal));
        } else if (stage == Stage.NONE) {
            stage = Stage.MOVING;
            to = target;
            side.out.emit(new Effect.BeginHandOver(target));
        }
    }

    private String refusal(CopyId target) {
        Link link = lead.attachedLink();
        ArbiterRecord arbiter = side.desk.known();
        if (!lead.serving()) {
            return "this side does not serve now";
        }
        if (link == null
                || !link.peer.equals(target)
                || arbiter == null
                || !arbiter.inSync().contains(target)) {
            return "copy " + target + " is not in sync with this side now";
        }
        if (lead.growth().underWay() || link.larger(side.sizes)) {
            // Who led with a larger disk than the other has could not keep it in sync.
            return "a disk is growing: it is larger on one side than on the other";
        }
        if (lead.twin().stage() != TwinStage.NONE && lead.twin().stage() != TwinStage.RUNNING) {
            return "the guest's twin is just beginning or ending; ask again";
        }
        return side.desk.inDoubt() ? "a change of the arbiter record is in doubt" : "";
    }

    void drained() {
        if (stage == Stage.MOVING) {
            stage = Stage.FLUSHING;
            lead.verify().stop("the guest is handed over", () -> flush(0));
        }
    }

    private void flush(int disk) {
        if (stage != Stage.FLUSHING) {
            return;
        }
        if (disk < side.sizes.count()) {
            lead.io().flushes().flush(disk, () -> flush(disk + 1));
        } else {
            decide();
        }
    }

    private void decide() {
        Link link = lead.attachedLink();
        CopyId target = to;
        if (target == null
                || link == null
                || !link.peer.equals(target)
                || lead.io().inFlight() > 0
                || link.larger(side.sizes)
                || side.desk.inDoubt()) {
            lost("the peer or the guest's I/O changed meanwhile");
            return;
        }
        stage = Stage.DECIDING;
        lead.stopServing();
        // Both have flushed and nothing is in flight: the new active need not compare what was hot here.
        lead.io().log().forgetAll();
        if (!lead.diskFailed()) {
            side.out.emit(new Effect.ClearBookkeeping(side.out.token(), List.of()));
        }
        side.desk.wish(CasDesk.Kind.HAND_OVER, target, lead.known().inSync());
    }

    /** The record's version moved under the request: ask again, if the peer is still there. */
    void again() {
        CopyId target = to;
        Link link = lead.attachedLink();
        if (stage == Stage.DECIDING && target != null && link != null && link.peer.equals(target)) {
            side.desk.wish(CasDesk.Kind.HAND_OVER, target, lead.known().inSync());
        } else if (stage == Stage.DECIDING) {
            lost("the peer was lost");
        }
    }

    void abandoned() {
        if (stage == Stage.MOVING || stage == Stage.FLUSHING) {
            stage = Stage.NONE;
            side.out.emit(new Effect.OrderEnded(Effect.Order.HAND_OVER, "the guest could not be moved"));
        }
    }

    /** The peer is gone. If the record may already name it, only another change can settle that. */
    void peerLost() {
        if (stage == Stage.DECIDING) {
            lead.wishShrink();
        } else {
            lost("the peer was lost");
        }
    }

    /** It did not, and will not, take place. */
    void lost(String why) {
        if (stage != Stage.NONE) {
            stage = Stage.NONE;
            side.out.emit(new Effect.ResumeGuest());
            side.out.emit(new Effect.OrderEnded(Effect.Order.HAND_OVER, why));
            lead.serveIfAllowed();
        }
    }
}
