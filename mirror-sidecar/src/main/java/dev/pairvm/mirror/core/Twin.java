package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Level 3 at the active: a twin of its guest runs on the in-sync peer (QEMU's COLO), which may take the guest over as it is instead of
 * booting it. Whether it may is the record's word, {@link ArbiterRecord.Mode#FT}.
 *
 * <pre>
 *          wished, in sync            TwinRuns             FT recorded           GuestDied, hand-over
 *   NONE ────────────────► STARTING ──────────► RECORDING ────────────► RUNNING ─────────────────────► HANDING_OVER
 *    ▲                        │                     │                      │                               │      │
 *    │   EndTwin              │ TwinEnded,          │ not wished, TwinEnded, peer lost                     │      ▼
 *    ├────────────────────────┘ peer lost           ▼                      ▼                               │   the peer
 *    └──────────────────────────────────────── WITHDRAWING ◄───────────────┴───────────────────────────────┘     leads
 *              EndTwin: HA recorded, by WITHDRAW_TWIN or by any other change
 * </pre>
 *
 * <p>Safety (I6, output commit: Remus, NSDI 2008, section 2.4): what the guest says is held back until its twin can say the same, from
 * before FT is recorded until HA is <em>known</em> to be. {@link Effect.EndTwin} lets it speak freely, so it is emitted only when the record
 * is known to say HA with nothing in doubt that says FT: then nobody takes over from a state that is behind what was heard. A peer that boots
 * from its disk instead is always right: it has every acknowledged write.
 *
 * <p>HANDING_OVER makes a record that names the peer, alone, and says FT: it may go on from its twin although it never led. This side's
 * guest is dead by then, or stands still.
 *
 * <p>Every other change of the record but {@link CasDesk.Kind#RECORD_TWIN} says HA. So an active that starts again, shrinks or is
 * replaced withdraws the twin by the same compare-and-swap.
 */
final class Twin {
    /** A start that failed is tried again after this, doubling up to {@link #LONGEST_WAIT_MILLIS}. */
    private static final int FIRST_WAIT_MILLIS = 5_000;

    private static final int LONGEST_WAIT_MILLIS = 300_000;
    /** A twin that ran this long has shown that it can: the next failure begins with the shortest wait. */
    private static final long PROVEN_MILLIS = 60_000;

    private final Side side;
    private final Lead lead;
    private TwinStage stage = TwinStage.NONE;
    private boolean wished;
    /** The session that it began in; its channels end with the link. */
    private @Nullable Link with;

    private int waitMillis = FIRST_WAIT_MILLIS;
    private long notBefore;
    private long recordedAt;
    /** The peer takes over by order; the guest stands still meanwhile. */
    private boolean ordered;
    /** The record may name the peer: nobody is served here until it is known not to. */
    private boolean handedOver;

    Twin(Side side, Lead lead, boolean wished) {
        this.side = side;
        this.lead = lead;
        this.wished = wished;
    }

    TwinStage stage() {
        return stage;
    }

    void wish(boolean on) {
        wished = on;
        if (on) {
            notBefore = 0;
            waitMillis = FIRST_WAIT_MILLIS;
        } else {
            side.problems.clear(Problem.Kind.TWIN_FAILED);
        }
        tick();
    }

    /** Goes on with what can go on now. */
    void tick() {
        switch (stage) {
            case NONE -> begin();
            case STARTING -> {
                if (!wished || !stillThere()) {
                    over(); // nothing was recorded
                }
            }
            case RECORDING -> {
                if (!wished || !stillThere()) {
                    withdraw();
                } else {
                    ask(CasDesk.Kind.RECORD_TWIN);
                }
            }
            case RUNNING -> {
                if (!wished || !stillThere() || lead.growth().underWay()) {
                    withdraw();
                }
            }
            case HANDING_OVER -> {
                if (!stillThere()) {
                    withdraw();
                } else {
                    ask(CasDesk.Kind.HAND_TO_TWIN);
                }
            }
            case WITHDRAWING -> ask(CasDesk.Kind.WITHDRAW_TWIN);
        }
    }

    private void begin() {
        Link link = lead.inSyncLink();
        if (wished
                && link != null
                && lead.serving()
                && lead.settled()
                && !lead.diskFailed()
                && !lead.handOver().underWay()
                && !lead.growth().underWay()
                && !side.guest.uncommitted()
                && side.desk.wished() == null
                && !side.desk.inDoubt()
                && side.out.now() >= notBefore) {
            stage = TwinStage.STARTING;
            with = link;
            side.out.emit(new Effect.BeginTwin(link.peer));
            side.publish();
        }
    }

    private boolean stillThere() {
        return with != null && with == lead.inSyncLink();
    }

    /** The two run as twins, and nothing is heard of the guest that the twin can not say. */
    void runs() {
        if (stage == TwinStage.STARTING) {
            stage = TwinStage.RECORDING;
            tick();
        }
    }

    /** The engine's part ended by itself: the peer's QEMU died, a channel broke, a checkpoint failed. */
    void ended(String why) {
        if (stage == TwinStage.NONE || stage == TwinStage.WITHDRAWING || stage == TwinStage.HANDING_OVER) {
            return;
        }
        backOff();
        side.problems.raise(
                Problem.Kind.TWIN_FAILED,
                "The guest's twin ended: " + why + ". The machine is protected at level 2; it is tried again in "
                        + waitMillis / 2_000 + " s.",
                Map.of("why", why));
        if (stage == TwinStage.STARTING) {
            over();
        } else {
            withdraw();
        }
    }

    /**
     * The guest's QEMU ended by itself. Its twin goes on in its place, if the record lets it. Until {@link Effect.EndTwin} no other QEMU is
     * started here: what that one said and wrote would be taken back by a twin that goes on from before.
     */
    void guestDied() {
        if (stage == TwinStage.RUNNING) {
            hand();
        } else {
            ended("the guest's QEMU ended");
        }
    }

    /** By order: the guest stands still from here, and its twin goes on. Only while {@link TwinStage#RUNNING}. */
    void handOver() {
        ordered = true;
        // Safety: before the record can name the peer. From here nothing of the guest gets out.
        side.guest.freeze();
        hand();
    }

    /** Whether the peer takes over by order. */
    boolean ordered() {
        return ordered;
    }

    /** Whether the record may name the peer, whose twin then is the guest. */
    boolean deciding() {
        return handedOver;
    }

    private void hand() {
        stage = TwinStage.HANDING_OVER;
        // Safety: the peer may read the record before this side hears of it, so this side's gate closes first.
        handedOver = true;
        lead.stopServing();
        ask(CasDesk.Kind.HAND_TO_TWIN);
        side.publish();
    }

    /** The change was certainly not made. */
    void notHandedOver(String why) {
        if (stage == TwinStage.HANDING_OVER && ordered) {
            stage = TwinStage.RUNNING;
            goOnHere(why);
        }
    }

    /** A guest that stands still for a hand-over goes on. */
    private void goOnHere(String why) {
        if (handedOver) {
            handedOver = false;
            lead.serveIfAllowed();
        }
        if (ordered) {
            ordered = false;
            side.out.emit(new Effect.OrderEnded(Effect.Order.HAND_OVER, why));
        }
    }

    private void backOff() {
        if (recordedAt != 0 && side.out.now() - recordedAt >= PROVEN_MILLIS * 1_000_000) {
            waitMillis = FIRST_WAIT_MILLIS;
        }
        notBefore = side.out.after(waitMillis);
        waitMillis = Math.min(2 * waitMillis, LONGEST_WAIT_MILLIS);
    }

    private void withdraw() {
        stage = TwinStage.WITHDRAWING;
        if (side.rules.withdrawsTwinFirst()) {
            ask(CasDesk.Kind.WITHDRAW_TWIN);
        } else {
            over();
        }
        side.publish();
    }

    private void ask(CasDesk.Kind kind) {
        CasDesk.Kind before = side.desk.wished();
        boolean overtakes = kind == CasDesk.Kind.WITHDRAW_TWIN
                && (before == CasDesk.Kind.RECORD_TWIN || before == CasDesk.Kind.HAND_TO_TWIN);
        if (lead.settled()
                && (before == null && side.desk.mayAsk() || overtakes)
                && !lead.handOver().deciding()) {
            Link to = lead.inSyncLink();
            if (kind != CasDesk.Kind.HAND_TO_TWIN) {
                side.desk.wish(kind, side.self(), lead.known().inSync());
            } else if (to != null) {
                // This side's copy is left behind by what is under way here; it catches up by the logs of both.
                side.desk.wish(kind, to.peer, new TreeSet<>(List.of(to.peer)));
            }
        }
    }

    /** What the record says now is known, and nothing is in doubt. */
    void recorded(ArbiterRecord arbiter) {
        if (arbiter.mode() == ArbiterRecord.Mode.FT) {
            if (stage == TwinStage.RECORDING) {
                stage = TwinStage.RUNNING;
                recordedAt = side.out.now();
                side.problems.clear(Problem.Kind.TWIN_FAILED);
            }
        } else if (stage != TwinStage.NONE && stage != TwinStage.STARTING) {
            over();
            goOnHere("the peer was lost");
        }
    }

    private void over() {
        stage = TwinStage.NONE;
        with = null;
        side.out.emit(new Effect.EndTwin());
        side.publish();
    }
}
