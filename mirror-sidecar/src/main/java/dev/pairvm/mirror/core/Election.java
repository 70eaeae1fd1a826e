package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What a quorum read of the record, or the outcome of an own compare-and-swap, makes of this side: start, promotion, stepping down.
 */
final class Election {
    private final Side side;
    private final Standing at;
    /** The record that a promotion was last asked from listed nobody but this side. */
    private boolean soleBefore;
    /** What it said of the twin. */
    private ArbiterRecord.Mode modeBefore = ArbiterRecord.Mode.HA;

    Election(Side side, Standing at) {
        this.side = side;
        this.at = at;
    }

    private boolean sole(ArbiterRecord arbiter) {
        return arbiter.inSync().equals(Set.of(side.self()));
    }

    boolean mayStand() {
        ArbiterRecord arbiter = side.desk.known();
        return !at.copyFailed
                && side.state() == CopyState.IN_SYNC
                && arbiter != null
                && !arbiter.active().equals(side.self())
                && side.guest.dead();
    }

    void won(CasDesk.Kind kind, ArbiterRecord arbiter) {
        side.problems.clear(Problem.Kind.ARBITER_ROLLBACK);
        Lead leading = at.lead;
        switch (kind) {
            case PROMOTE -> {
                ProtocolBugException.check(leading == null, "a lead is not promoted", arbiter.epoch());
                at.candidacy.asked();
                at.lead = new Lead(side, promotedFrom(modeBefore), soleBefore, at.twinWished);
                at.lead.won(kind, arbiter);
            }
            case START, SHRINK, GROW, KEEP, WITHOUT_DISK, RECORD_TWIN, WITHDRAW_TWIN -> {
                if (leading == null) {
                    throw new ProtocolBugException("only a lead starts, shrinks or grows [" + arbiter.epoch() + "]");
                }
                leading.won(kind, arbiter);
                leading.followed().leaving().endIfUnlisted();
            }
            case HAND_OVER, FAIL_OVER, HAND_TO_TWIN -> {
                if (leading == null) {
                    throw new ProtocolBugException("only a lead hands over [" + arbiter.epoch() + "]");
                }
                Link link = side.links.get(arbiter.active());
                if (link != null && link.session() != 0) {
                    side.send(
                            link,
                            new Message.HandedOver(
                                    arbiter.epoch().value(), link.session(), kind == CasDesk.Kind.HAND_OVER));
                }
                if (kind == CasDesk.Kind.HAND_OVER || leading.twin().ordered()) {
                    side.out.emit(new Effect.OrderEnded(Effect.Order.HAND_OVER, ""));
                }
                at.copyFailed |= leading.diskFailed();
                stepDown(leading, kind == CasDesk.Kind.FAIL_OVER);
                if (link != null) {
                    at.greetings.again(link);
                }
            }
        }
        side.publish();
    }

    /** Only the record says whether the twin may be taken over; what this side knows of its own twin does not. */
    private Effect.StartCause promotedFrom(ArbiterRecord.Mode mode) {
        return mode == ArbiterRecord.Mode.FT || !side.rules.takesOverOnlyWhenRecorded()
                ? Effect.StartCause.TAKEN_OVER
                : Effect.StartCause.PROMOTED;
    }

    void observed(ArbiterRecord arbiter, boolean moved, long readToken) {
        Lead leading = at.lead;
        if (leading != null) {
            side.problems.clear(Problem.Kind.ARBITER_ROLLBACK);
            if (moved && !arbiter.active().equals(side.self())) {
                stepDown(leading, true);
            } else if (moved) {
                restart(leading);
            }
        } else if (!side.desk.inDoubt()) {
            decideIdle(arbiter, readToken);
        }
    }

    /** The record moved but still names this side. Before the start was won that is an earlier life's change landing late. */
    private void restart(Lead leading) {
        leading.end(false);
        at.lead = null;
        if (leading.epoch() == 0) {
            startIfPossible();
        } else {
            at.halted = true;
            side.out.emit(new Effect.ExitNow("the arbiter record was changed by another while this side led"));
        }
    }

    /** Another is active: the guest dies before anything else, and this copy waits to be followed or filled. */
    private void stepDown(Lead leading, boolean dropLinks) {
        side.guest.kill();
        leading.end(true);
        at.lead = null;
        if (dropLinks) {
            dropLinks("fenced");
        }
        side.problems.clear(Problem.Kind.SUSPENDED);
        at.candidacy.ledUntilNow();
        outdateIfUnlisted();
        side.publish();
    }

    private void dropLinks(String why) {
        for (Link link : List.copyOf(side.links.values())) {
            side.drop(link, why);
        }
    }

    private void outdateIfUnlisted() {
        ArbiterRecord arbiter = side.desk.known();
        if (arbiter != null
                && side.state() == CopyState.IN_SYNC
                && !arbiter.inSync().contains(side.self())) {
            side.outdate(() -> {});
        }
    }

    private void decideIdle(ArbiterRecord arbiter, long readToken) {
        Superblock durable = side.superblock.durable();
        if (at.copyFailed || at.follower != null || at.following.attaching()) {
            return;
        }
        if (durable.maxEpochSeen().fences(arbiter.epoch())) {
            trouble(
                    Problem.Kind.ARBITER_ROLLBACK,
                    "this copy has seen epoch " + durable.maxEpochSeen() + ", the record says " + arbiter.epoch());
            return;
        }
        side.problems.clear(Problem.Kind.ARBITER_ROLLBACK);
        if (arbiter.active().equals(side.self())) {
            startIfPossible();
            return;
        }
        boolean twinCounts =
                arbiter.mode() == ArbiterRecord.Mode.FT && arbiter.inSync().contains(side.self());
        if (!side.guest.dead() || side.guest.twin() && !twinCounts && side.rules.takesOverOnlyWhenRecorded()) {
            side.guest.kill();
        }
        outdateIfUnlisted();
        boolean listed = arbiter.inSync().contains(side.self()) || !side.rules.promotesOnlyInSync();
        if (mayStand() && listed && at.candidacy.mayDecideOn(readToken)) {
            soleBefore = sole(arbiter);
            modeBefore = arbiter.mode();
            side.desk.wish(CasDesk.Kind.PROMOTE, side.self(), new TreeSet<>(List.of(side.self())));
        } else if (at.candidacy.due()) {
            at.candidacy.asked();
        }
    }

    private void startIfPossible() {
        ArbiterRecord arbiter = side.desk.known();
        if (arbiter == null) {
            return;
        }
        boolean listed = arbiter.inSync().contains(side.self());
        boolean fresh = arbiter.epoch().equals(ArbiterRecord.PROVISIONED)
                && arbiter.inSync().size() == 1;
        if (side.state() == CopyState.BLANK && fresh && listed) {
            format();
        } else if (side.state() == CopyState.IN_SYNC && listed) {
            boolean clean = at.handedOverEpoch == arbiter.epoch().value();
            // Only HAND_TO_TWIN makes such a record: this side's copy has had every write until then, so its own log
            // and the
            // other's name all that differs.
            boolean twin = arbiter.mode() == ArbiterRecord.Mode.FT && sole(arbiter);
            Lead starting = new Lead(
                    side,
                    clean
                            ? Effect.StartCause.HANDED_OVER
                            : twin ? Effect.StartCause.TAKEN_OVER : Effect.StartCause.STARTED,
                    sole(arbiter) && !twin,
                    at.twinWished);
            if (clean) {
                starting.followed()
                        .joining()
                        .handedOverClean(arbiter.epoch().next().value());
            }
            at.lead = starting;
            starting.start();
            side.publish();
        } else if (!listed && side.state() != CopyState.BLANK) {
            // It served from its peer when its life ended. The peer, which has every write, promotes itself.
            outdateIfUnlisted();
        } else {
            side.problems.raise(
                    Problem.Kind.DISK_LOST,
                    "The record of epoch " + arbiter.epoch() + " names this copy active, but its disks are "
                            + side.state()
                            + ": nothing is formatted or started. Bring the volume back, or force a start from another copy.",
                    Map.of(
                            "epoch",
                            arbiter.epoch().toString(),
                            "state",
                            side.state().name()));
        }
    }

    /** Nothing was ever acknowledged under the provisioned epoch: a blank disk is right. Durable before the epoch rises. */
    private void format() {
        long word = side.words.next();
        String uid = side.desk.uid();
        side.superblock.change(
                durable -> new Superblock(
                        durable.machineUid(),
                        uid,
                        durable.copy(),
                        CopyState.IN_SYNC,
                        ArbiterRecord.PROVISIONED,
                        ArbiterRecord.PROVISIONED,
                        new Lineage(word, 0, List.of()),
                        false),
                this::startIfPossible);
    }

    void trouble(Problem.@Nullable Kind kind, String why) {
        if (kind == null) {
            side.problems.clear(Problem.Kind.ARBITER_UNREACHABLE);
            side.problems.clear(Problem.Kind.ARBITER_LOST);
            side.problems.clear(Problem.Kind.ARBITER_MALFORMED);
            return;
        }
        side.problems.raise(kind, ArbiterTrouble.sentence(kind, why), Map.of());
        side.publish();
    }

    void expired(CasDesk.Kind kind) {
        switch (kind) {
            case START -> at.ifLeading(Lead::start);
            case HAND_OVER -> at.ifLeading(l -> l.handOver().again());
            case WITHOUT_DISK, FAIL_OVER -> at.ifLeading(l -> l.disk().goOnWithout());
            // These are wished again by the tick, or by the read, if what they need is still so.
            // A shrink may have been wished to settle a hand-over whose peer was lost; that is dead with it.
            case SHRINK -> at.ifLeading(l -> l.handOver().again());
            case GROW, KEEP, PROMOTE, RECORD_TWIN, WITHDRAW_TWIN, HAND_TO_TWIN -> {}
        }
    }

    void notSent(CasDesk.Kind kind) {
        switch (kind) {
            case PROMOTE -> {
                side.desk.withdraw();
                at.candidacy.asked();
            }
            case GROW, KEEP -> side.desk.withdraw();
            case HAND_OVER -> {
                side.desk.withdraw();
                at.ifLeading(l -> l.handOver().lost("the arbiter can not be reached"));
            }
            case SHRINK -> at.ifLeading(Lead::forgetNeedlessShrink);
            case HAND_TO_TWIN -> {
                side.desk.withdraw();
                at.ifLeading(l -> l.twin().notHandedOver("the arbiter can not be reached"));
            }
            case START, WITHOUT_DISK, FAIL_OVER, RECORD_TWIN, WITHDRAW_TWIN -> {}
        }
        at.ifLeading(Lead::serveIfAllowed);
    }
}
