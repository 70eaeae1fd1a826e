package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.core.Event.LinkDown.Cause;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The active is lost: only a copy in sync takes over, after its promise has run out, by compare-and-swap on a fresh read. */
class PromotionTest {
    @Test
    void aStandbyPromotesItselfAfterTheGraceAndBootsWhenItIsDurable() {
        Bench standby = Bench.standby();
        standby.passWithPeer(200).on(new Event.LinkDown(Bench.A, Cause.LOST)).pass(475);
        assertThat(standby.has(Effect.CasArbiter.class)).isFalse();
        standby.pass(100).reads(Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9");
        assertThat(standby.wished().active()).isEqualTo(Bench.B);
        assertThat(standby.wished().inSync()).containsExactly(Bench.B);
        assertThat(standby.has(Effect.StartGuest.class)).isFalse();
        standby.applies("v10");
        assertThat(standby.last(Effect.StartGuest.class))
                .isEqualTo(new Effect.StartGuest(10, Effect.StartCause.PROMOTED));
        assertThat(standby.last(Effect.RenewGate.class).untilNanos()).isEqualTo(Effect.RenewGate.ALONE);
    }

    /** Its change to STALE is still on its way to a slow device when a late change of the record lists it: it would lead, and then be worth nothing. */
    @Test
    void aCopyThatIsBecomingStaleIsNotPromoted() {
        Bench standby = Bench.standby();
        standby.passWithPeer(200).on(new Event.LinkDown(Bench.A, Cause.LOST)).pass(575);
        standby.storeKeepsStill = true;
        standby.reads(Bench.arbiter(10, Bench.A, Bench.A), "v10");
        assertThat(standby.last(Effect.PersistSuperblock.class).superblock().state())
                .isEqualTo(CopyState.STALE);
        standby.pass(100).reads(Bench.arbiter(11, Bench.A, Bench.A, Bench.B), "v11");
        assertThat(standby.has(Effect.CasArbiter.class)).isFalse();
    }

    @Test
    void silenceAloneEndsTheSessionToo() {
        Bench standby = Bench.standby();
        standby.passWithPeer(200).clear().pass(600);
        assertThat(standby.has(Effect.DropLink.class)).isTrue();
        assertThat(standby.has(Effect.StopGranting.class)).isTrue();
    }

    @Test
    void aProcessThatEndedOnALivingHostGetsTimeToRestart() {
        Bench standby = Bench.standby();
        standby.passWithPeer(200)
                .on(new Event.LinkDown(Bench.A, Cause.CLOSED_BY_PEER))
                .pass(4_900);
        answerReads(standby);
        assertThat(standby.has(Effect.CasArbiter.class)).isFalse();
        standby.pass(200).reads(Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9");
        assertThat(standby.has(Effect.CasArbiter.class)).isTrue();
    }

    @Test
    void anActiveThatGreetsAgainIsWaitedForAlthoughItsLinkMovedToAnotherPath() {
        Bench standby = Bench.standby();
        standby.passWithPeer(200)
                .on(new Event.LinkDown(Bench.A, Cause.CLOSED_BY_PEER))
                .pass(2_000)
                .linked(Role.SUSPENDED, CopyState.IN_SYNC, 9, 5, Bench.PEER_LIFE + 1);
        standby.says(new Message.Attach(
                9, standby.session, Message.AttachKind.RECONCILE, Bench.arbiter(9, Bench.A, Bench.A, Bench.B)));
        standby.on(new Event.LinkDown(Bench.A, Cause.LOST))
                .linked(Role.SUSPENDED, CopyState.IN_SYNC, 9, 5, Bench.PEER_LIFE + 1)
                .pass(4_900);
        answerReads(standby);
        assertThat(standby.has(Effect.CasArbiter.class)).isFalse();
        // It never leads: the wait is bounded.
        standby.pass(200).reads(Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9");
        assertThat(standby.has(Effect.CasArbiter.class)).isTrue();
    }

    /** A dying host's paths fall silent one after the other: the link moves, and that is no sign of life. */
    @Test
    void aLinkThatMovesWithoutAGreetingDelaysNothing() {
        Bench standby = Bench.standby();
        standby.passWithPeer(200)
                .on(new Event.LinkDown(Bench.A, Cause.LOST))
                .on(new Event.LinkUp(Bench.A))
                .pass(600)
                .reads(Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9");
        assertThat(standby.has(Effect.CasArbiter.class)).isTrue();
    }

    @Test
    void aHostThatDiesWhileItsActiveIsReturningIsWaitedForNoLongerThanAGrace() {
        Bench standby = Bench.standby();
        standby.passWithPeer(200)
                .on(new Event.LinkDown(Bench.A, Cause.CLOSED_BY_PEER))
                .pass(1_000)
                .linked(Role.SUSPENDED, CopyState.IN_SYNC, 9, 5, Bench.PEER_LIFE + 1)
                .on(new Event.LinkDown(Bench.A, Cause.LOST))
                .pass(700)
                .reads(Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9");
        assertThat(standby.has(Effect.CasArbiter.class)).isTrue();
    }

    @Test
    void anActiveThatComesAndGoesIsNotWaitedForForEver() {
        Bench standby = Bench.standby();
        standby.passWithPeer(200).on(new Event.LinkDown(Bench.A, Cause.CLOSED_BY_PEER));
        for (int i = 0; i < 4; i++) {
            standby.pass(3_000).linked(Role.SUSPENDED, CopyState.IN_SYNC, 9, 5, Bench.PEER_LIFE + 1 + i);
            answerReads(standby);
            assertThat(standby.has(Effect.CasArbiter.class)).as("after %d", i).isFalse();
            standby.on(new Event.LinkDown(Bench.A, Cause.CLOSED_BY_PEER));
        }
        standby.pass(3_100).reads(Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9");
        assertThat(standby.has(Effect.CasArbiter.class)).isTrue();
    }

    @Test
    void aCopyThatTheRecordDoesNotListIsNeverPromoted() {
        Bench standby = Bench.standby();
        standby.passWithPeer(200).on(new Event.LinkDown(Bench.A, Cause.LOST)).pass(700);
        standby.reads(Bench.arbiter(10, Bench.A, Bench.A), "v10").pass(60_000);
        assertThat(standby.has(Effect.CasArbiter.class)).isFalse();
        assertThat(standby.core.view().copyState()).isEqualTo(CopyState.STALE);
    }

    @Test
    void aRestartedStandbyWaitsForTheActiveToReturn() {
        Bench standby = new Bench(Bench.B).started(Bench.superblock(Bench.B, CopyState.IN_SYNC, 9, 5), false);
        for (int i = 0; i < 14; i++) {
            standby.reads(Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9").pass(1_000);
        }
        assertThat(standby.has(Effect.CasArbiter.class)).isFalse();
        standby.pass(1_500).reads(Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9");
        assertThat(standby.has(Effect.CasArbiter.class)).isTrue();
    }

    @Test
    void whileItsPromotionIsInDoubtItFollowsNobody() {
        Bench standby = Bench.standby();
        standby.passWithPeer(200).on(new Event.LinkDown(Bench.A, Cause.LOST)).pass(600);
        standby.reads(Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9");
        standby.on(new Event.CasUnresolved(standby.last(Effect.CasArbiter.class).token(), "timeout"));
        standby.clear().linked(Role.SUSPENDED, CopyState.IN_SYNC, 9, 5, Bench.PEER_LIFE);
        standby.says(new Message.Attach(
                9, standby.session, Message.AttachKind.CONTINUE, Bench.arbiter(9, Bench.A, Bench.A, Bench.B)));
        assertThat(standby.sent(Message.Refused.class)).hasSize(1);
        assertThat(standby.sent(Message.Attached.class)).isEmpty();
    }

    @Test
    void aWriteOfTheOldSessionThatIsStillOnItsWayDelaysTheBoot() {
        Bench standby = Bench.standby();
        standby.storeKeepsStill = true;
        standby.says(new Message.Write(9, standby.session, 1, 0, 0, 4096, false, false));
        long io = standby.last(Effect.WriteFromPeer.class).io();
        standby.storeKeepsStill = false;
        standby.passWithPeer(100).on(new Event.LinkDown(Bench.A, Cause.LOST)).pass(600);
        standby.reads(Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9")
                .applies("v10")
                .pass(200);
        assertThat(standby.has(Effect.StartGuest.class))
                .as("the late write could land under the guest")
                .isFalse();
        standby.on(new Event.LocalWriteDone(io)).pass(25);
        assertThat(standby.has(Effect.StartGuest.class)).isTrue();
    }

    @Test
    void aRecordRestoredFromABackupIsRefused() {
        Bench standby = new Bench(Bench.B).started(Bench.superblock(Bench.B, CopyState.IN_SYNC, 9, 5), false);
        standby.reads(Bench.arbiter(4, Bench.A, Bench.A, Bench.B), "v4").pass(30_000);
        assertThat(standby.has(Effect.CasArbiter.class)).isFalse();
        assertThat(standby.core.view().problems()).extracting(Problem::kind).contains(Problem.Kind.ARBITER_ROLLBACK);
    }

    @Test
    void anotherLeaseObjectOfTheSameNameIsNoArbiter() {
        Bench standby = new Bench(Bench.B).started(Bench.superblock(Bench.B, CopyState.IN_SYNC, 9, 5), false);
        long token = standby.last(Effect.ReadArbiter.class).token();
        standby.on(new Event.ArbiterRead(token, Bench.arbiter(9, Bench.B, Bench.B), "v1", "uid-other"));
        assertThat(standby.core.role()).isEqualTo(Role.IDLE);
        assertThat(standby.core.view().problems()).extracting(Problem::kind).contains(Problem.Kind.ARBITER_LOST);
    }

    @Test
    void aGuestThatOutlivedItsLeadershipIsKilledAndItsRequestsAreNeverCarriedOut() {
        Bench old = new Bench(Bench.A);
        old.on(new Event.Started(
                Optional.of(Bench.superblock(Bench.A, CopyState.IN_SYNC, 9, 5)), List.of(), List.of(), true));
        old.writes(1, 0, 4096);
        old.reads(Bench.arbiter(10, Bench.B, Bench.B), "v10");
        assertThat(old.has(Effect.KillGuest.class)).isTrue();
        assertThat(old.effects).contains(new Effect.ForgetRequest(1));
        assertThat(old.has(Effect.WriteLocal.class)).isFalse();
    }

    private static void answerReads(Bench standby) {
        standby.reads(Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9");
    }
}
