package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** A planned hand-over: the in-sync set stays, and if the compare-and-swap is lost the guest goes on here. */
class HandOverTest {
    private static Bench decided() {
        Bench active = Bench.paired();
        active.passWithPeer(50).clear();
        active.on(new Event.HandOverRequested(Bench.B));
        assertThat(active.has(Effect.BeginHandOver.class)).isTrue();
        active.on(new Event.GuestDrained());
        assertThat(active.has(Effect.CasArbiter.class)).as("both flush first").isFalse();
        active.says(new Message.FlushAck(
                9, active.session, active.sent(Message.Flush.class).getLast().seq()));
        return active;
    }

    @Test
    void thePeerBecomesActiveWithNothingToResync() {
        Bench active = decided();
        assertThat(active.wished().active()).isEqualTo(Bench.B);
        assertThat(active.wished().inSync()).containsExactly(Bench.A, Bench.B);
        assertThat(active.has(Effect.CloseGate.class)).isTrue();
        active.applies("v10");
        assertThat(active.sent(Message.HandedOver.class).getLast().clean()).isTrue();
        assertThat(active.last(Effect.OrderEnded.class).refusal()).isEmpty();
        active.says(new Message.Attach(
                11, active.session, Message.AttachKind.RECONCILE, Bench.arbiter(11, Bench.B, Bench.A, Bench.B)));
        assertThat(active.core.role()).isEqualTo(Role.STANDBY);
    }

    @Test
    void anArbiterThatCanNotBeReachedLetsTheGuestGoOn() {
        Bench active = decided();
        active.on(new Event.ArbiterUnreachable(
                active.last(Effect.CasArbiter.class).token(), "cut"));
        assertThat(active.has(Effect.ResumeGuest.class)).isTrue();
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
        assertThat(active.last(Effect.OrderEnded.class).refusal()).isNotEmpty();
    }

    @Test
    void whileItIsInDoubtNobodyServes() {
        Bench active = decided();
        active.on(new Event.CasUnresolved(active.last(Effect.CasArbiter.class).token(), "timeout"));
        active.passWithPeer(100).writes(1, 0, 4096);
        assertThat(active.replied(1)).isFalse();
        assertThat(active.core.role()).isNotEqualTo(Role.ACTIVE);
        assertThat(active.has(Effect.ResumeGuest.class)).isFalse();
    }

    /** Seed 3251: the guest stayed suspended for good. */
    @Test
    void aHandOverInDoubtWithoutItsPeerEndsWhenTheVersionMoves() {
        Bench active = decided();
        active.on(new Event.CasUnresolved(active.last(Effect.CasArbiter.class).token(), "timeout"));
        active.on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.LOST)).pass(250);
        assertThat(active.wished().inSync()).as("a shrink settles it").containsExactly(Bench.A);
        active.on(new Event.CasConflict(
                active.last(Effect.CasArbiter.class).token(),
                Bench.arbiter(9, Bench.A, Bench.A, Bench.B),
                "v9-address",
                "uid-l"));
        assertThat(active.has(Effect.ResumeGuest.class)).isTrue();
        active.clear().pass(250);
        assertThat(active.wished().inSync()).containsExactly(Bench.A);
        active.applies("v10");
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
    }

    @Test
    void aPeerThatIsNotInSyncIsRefused() {
        Bench active = Bench.alone();
        active.on(new Event.HandOverRequested(Bench.B));
        assertThat(active.last(Effect.OrderEnded.class).refusal()).contains("not in sync");
        assertThat(active.has(Effect.BeginHandOver.class)).isFalse();
    }

    /** The standby was filled on this link: the active's hello named the data it had before the seal. */
    private static Bench handedOverAfterAFill() {
        Bench standby = new Bench(Bench.B).started(Bench.superblock(Bench.B, CopyState.STALE, 8, 3), false);
        standby.reads(Bench.arbiter(8, Bench.A, Bench.A), "v8");
        standby.linked(Role.ACTIVE, CopyState.IN_SYNC, 8, 4, Bench.PEER_LIFE);
        standby.says(
                new Message.Attach(8, standby.session, Message.AttachKind.RESYNC, Bench.arbiter(8, Bench.A, Bench.A)));
        standby.says(new Message.Seal(8, standby.session, 5));
        standby.says(new Message.EpochChanged(9, standby.session, Bench.arbiter(9, Bench.A, Bench.A, Bench.B)));
        return standby.passWithPeer(100).clear().says(new Message.HandedOver(10, standby.session, true));
    }

    @Test
    void theOldActiveSaysHelloAgainOnceItSteppedDown() {
        Bench active = decided();
        active.applies("v10");
        Message.Hello again = active.sent(Message.Hello.class).getLast();
        assertThat(again.state()).isEqualTo(CopyState.IN_SYNC);
        assertThat(again.role()).isEqualTo(Role.IDLE);
        assertThat(again.hot()).isEmpty();
        assertThat(active.has(Effect.DropLink.class)).isFalse();
    }

    @Test
    void bothStayInSyncAlthoughTheFirstHelloIsOld() {
        Bench standby = handedOverAfterAFill();
        standby.greets(Role.IDLE, CopyState.IN_SYNC, 10, 5, Bench.PEER_LIFE);
        standby.reads(Bench.arbiter(10, Bench.B, Bench.A, Bench.B), "v10").applies("v11");
        assertThat(standby.sent(Message.Attach.class).getLast().kind()).isEqualTo(Message.AttachKind.RECONCILE);
        standby.says(new Message.Attached(11, standby.session)).granted();
        standby.says(new Message.FlushAck(
                11, standby.session, standby.sent(Message.Flush.class).getLast().seq()));
        assertThat(standby.core.role()).isEqualTo(Role.ACTIVE);
        assertThat(standby.wished().inSync()).as("nobody was dropped").hasSize(2);
        assertThat(standby.core.view().problems()).isEmpty();
    }

    @Test
    void aHelloFromBeforeThePeerLedIsNotDecidedOn() {
        Bench standby = handedOverAfterAFill();
        standby.reads(Bench.arbiter(10, Bench.B, Bench.A, Bench.B), "v10").applies("v11");
        assertThat(standby.sent(Message.Attach.class)).isEmpty();
        assertThat(standby.wished().inSync()).as("nobody is dropped").hasSize(2);
        assertThat(standby.has(Effect.DropLink.class))
                .as("a new link brings a new hello")
                .isTrue();
        standby.linked(Role.IDLE, CopyState.IN_SYNC, 10, 5, Bench.PEER_LIFE);
        assertThat(standby.sent(Message.Attach.class).getLast().kind()).isEqualTo(Message.AttachKind.RECONCILE);
    }

    @Test
    void aSecondHelloThatNobodyWaitsForEndsTheLink() {
        Bench active = Bench.paired();
        active.greets(Role.STANDBY, CopyState.IN_SYNC, 9, 5, Bench.PEER_LIFE);
        assertThat(active.has(Effect.DropLink.class)).isTrue();
    }

    @Test
    void theNewActiveContinuesTheGuestInsteadOfBooting() {
        Bench standby = Bench.standby();
        standby.passWithPeer(100).says(new Message.HandedOver(10, standby.session, true));
        standby.greets(Role.IDLE, CopyState.IN_SYNC, 10, 5, Bench.PEER_LIFE);
        standby.reads(Bench.arbiter(10, Bench.B, Bench.A, Bench.B), "v10").applies("v11");
        standby.says(new Message.Attached(11, standby.session)).granted();
        standby.says(new Message.FlushAck(
                11, standby.session, standby.sent(Message.Flush.class).getLast().seq()));
        assertThat(standby.last(Effect.StartGuest.class))
                .isEqualTo(new Effect.StartGuest(11, Effect.StartCause.HANDED_OVER));
        assertThat(standby.sent(Message.HashRequest.class)).isEmpty();
    }
}
