package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.core.Event.LinkDown.Cause;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The peer's host dies, its link is cut, it is slow, or its disk fails: the active goes on alone by leave of the arbiter. */
class PeerLossTest {
    @Test
    void aWriteIsHeldUntilTheShrinkIsAppliedAndDurable() {
        Bench active = Bench.paired();
        active.passWithPeer(200).writes(1, 0, 4096);
        active.on(new Event.LinkDown(Bench.B, Cause.LOST));
        assertThat(active.replied(1)).isFalse();

        active.pass(150);
        assertThat(active.wished().inSync()).isEqualTo(new TreeSet<>(java.util.Set.of(Bench.A)));
        assertThat(active.replied(1)).isFalse();

        active.storeKeepsStill = true;
        active.applies("v10");
        assertThat(active.replied(1)).as("the superblock is not durable yet").isFalse();
        active.on(new Event.SuperblockPersisted(
                active.last(Effect.PersistSuperblock.class).token()));
        assertThat(active.replied(1)).isTrue();
        assertThat(active.core.leadEpoch()).isEqualTo(10);
    }

    @Test
    void silenceOfFiveBeaconsIsSuspected() {
        Bench active = Bench.paired();
        active.passWithPeer(100).pass(225);
        assertThat(active.has(Effect.DropLink.class)).isFalse();
        active.pass(50);
        assertThat(active.has(Effect.DropLink.class)).isTrue();
    }

    @Test
    void aWriteInDoubtIsStillHeldWhenTheShrinkGetsNoAnswer() {
        Bench active = Bench.paired();
        active.passWithPeer(100).writes(1, 0, 4096);
        active.on(new Event.LinkDown(Bench.B, Cause.LOST)).pass(150);
        active.on(new Event.CasUnresolved(active.last(Effect.CasArbiter.class).token(), "timeout"));
        active.pass(100).on(new Event.Tick());
        assertThat(active.replied(1)).isFalse();
    }

    @Test
    void aLinkBackWithinTheReconnectWindowGoesOnWithWhatWasNotAcknowledged() {
        Bench active = Bench.paired();
        active.passWithPeer(100).writes(1, 0, 4096);
        long word = active.core.view().epoch();
        assertThat(word).isEqualTo(9);
        long lineage = lineageOf(active);
        active.on(new Event.LinkDown(Bench.B, Cause.LOST)).pass(50).clear();
        active.linked(Role.STANDBY, CopyState.IN_SYNC, 9, lineage, Bench.PEER_LIFE);
        assertThat(active.sent(Message.Attach.class).getLast().kind()).isEqualTo(Message.AttachKind.CONTINUE);
        active.says(new Message.Attached(9, active.session));
        Message.Write again = active.sent(Message.Write.class).getLast();
        active.says(new Message.WriteAck(9, active.session, again.seq()));
        assertThat(active.replied(1)).isTrue();
        assertThat(active.has(Effect.CasArbiter.class)).isFalse();
    }

    /** Seed 104: the guest's write hung although both copies had it. */
    @Test
    void aWriteThatThisSideFinishesWhileTheLinkIsBrokenIsRepliedToWhenItIsBack() {
        Bench active = Bench.paired();
        active.storeKeepsStill = true;
        active.writes(1, 0, 4096);
        active.on(new Event.BookkeepingPersisted(
                active.last(Effect.PersistActivityLog.class).token()));
        active.says(new Message.WriteAck(
                9, active.session, active.sent(Message.Write.class).getLast().seq()));
        active.on(new Event.FlushReceived(2, 0));
        active.says(new Message.FlushAck(
                9, active.session, active.sent(Message.Flush.class).getLast().seq()));
        long write = active.last(Effect.WriteLocal.class).io();
        long flush = active.last(Effect.FlushLocal.class).io();
        long lineage = lineageOf(active);
        active.on(new Event.LinkDown(Bench.B, Cause.LOST));
        active.on(new Event.LocalWriteDone(write)).on(new Event.LocalFlushDone(flush));
        assertThat(active.replied(1) || active.replied(2)).isFalse();
        active.linked(Role.STANDBY, CopyState.IN_SYNC, 9, lineage, Bench.PEER_LIFE);
        active.says(new Message.Attached(9, active.session));
        assertThat(active.replied(1)).isTrue();
        assertThat(active.replied(2)).isTrue();
    }

    @Test
    void aPeerThatRestartedGoesOutBeforeItComesIn() {
        Bench active = Bench.paired();
        active.passWithPeer(100);
        long lineage = lineageOf(active);
        active.on(new Event.LinkDown(Bench.B, Cause.CLOSED_BY_PEER)).pass(25).clear();
        active.linked(Role.IDLE, CopyState.IN_SYNC, 9, lineage, Bench.PEER_LIFE + 1);
        assertThat(active.sent(Message.Attach.class)).isEmpty();
        assertThat(active.wished().inSync()).hasSize(1);
        active.applies("v10");
        assertThat(active.sent(Message.Attach.class).getLast().kind()).isEqualTo(Message.AttachKind.RESYNC);
    }

    @Test
    void aPeerWhoseVolumeWasReplacedIsNotTrustedBecauseItIsListed() {
        Bench active = Bench.paired();
        active.passWithPeer(100)
                .on(new Event.LinkDown(Bench.B, Cause.LOST))
                .pass(25)
                .clear();
        active.linked(Role.IDLE, CopyState.BLANK, 0, 0, Bench.PEER_LIFE + 1);
        assertThat(active.sent(Message.Attach.class)).isEmpty();
        assertThat(active.wished().inSync()).hasSize(1);
        assertThat(active.last(Effect.RaiseProblem.class).problem().kind()).isEqualTo(Problem.Kind.PEER_NOT_USABLE);
    }

    @Test
    void aSlowPeerIsDroppedAndMayRejoinLater() {
        Bench active = Bench.paired();
        active.passWithPeer(100).writes(1, 0, 4096).passWithPeer(2_100);
        assertThat(active.core.view().problems()).extracting(Problem::kind).contains(Problem.Kind.PEER_SLOW);
        active.applies("v10");
        assertThat(active.replied(1)).isTrue();
        active.clear().linked(Role.IDLE, CopyState.IN_SYNC, 9, 1, Bench.PEER_LIFE);
        assertThat(active.sent(Message.Attach.class)).isEmpty();
        active.pass(10_100);
        assertThat(active.sent(Message.Attach.class)).hasSize(1);
    }

    @Test
    void aDiskErrorAtThePeerIsNotAcknowledged() {
        Bench active = Bench.paired();
        active.passWithPeer(100).writes(1, 0, 4096);
        Message.Write write = active.sent(Message.Write.class).getLast();
        active.says(new Message.Nack(9, active.session, write.seq(), 5));
        assertThat(active.replied(1)).isFalse();
        active.applies("v10");
        assertThat(active.replied(1)).isTrue();
    }

    @Test
    void anAcknowledgementOfAnotherSessionCountsForNothing() {
        Bench active = Bench.paired();
        active.passWithPeer(100).writes(1, 0, 4096);
        Message.Write write = active.sent(Message.Write.class).getLast();
        active.says(new Message.WriteAck(9, active.session + 1, write.seq()));
        assertThat(active.replied(1)).isFalse();
    }

    @Test
    void aPoliteLeaveOutdatesTheCopyFirst() {
        Bench active = Bench.paired();
        active.passWithPeer(50).on(new Event.LeaveRequested(Bench.B));
        assertThat(active.sent(Message.Outdate.class)).hasSize(1);
        assertThat(active.has(Effect.CasArbiter.class)).isFalse();
        active.says(new Message.Outdated(9, active.session)).applies("v10");
        assertThat(active.last(Effect.OrderEnded.class)).isEqualTo(new Effect.OrderEnded(Effect.Order.LEAVE, ""));
    }

    private static long lineageOf(Bench active) {
        active.clear().on(new Event.LinkUp(new dev.pairvm.api.mirror.CopyId("c")));
        return active.sent(Message.Hello.class).getLast().lineage().current();
    }

    @Test
    void aCopyThatIsBeingOutdatedDoesNotContinue() {
        // Seed 13: sealed, its grow in doubt, it lost the link and read a record that did not list it yet; then the
        // lead went on with it.
        Bench joiner = new Bench(Bench.B).started(Bench.superblock(Bench.B, CopyState.IN_SYNC, 8, 5), false);
        joiner.linked(Role.ACTIVE, CopyState.IN_SYNC, 8, 5, Bench.PEER_LIFE);
        joiner.storeKeepsStill = true;
        joiner.reads(Bench.arbiter(8, Bench.A, Bench.A), "v8");
        Effect.PersistSuperblock outdated = joiner.last(Effect.PersistSuperblock.class);
        assertThat(outdated.superblock().state()).isEqualTo(CopyState.STALE);
        joiner.says(
                new Message.Attach(8, joiner.session, Message.AttachKind.CONTINUE, Bench.arbiter(8, Bench.A, Bench.A)));
        joiner.on(new Event.SuperblockPersisted(outdated.token()));
        joiner.on(new Event.SuperblockPersisted(
                joiner.last(Effect.PersistSuperblock.class).token()));
        assertThat(joiner.sent(Message.Attached.class)).isEmpty();
        assertThat(joiner.sent(Message.Refused.class).getLast().reason()).contains("STALE");
    }
}
