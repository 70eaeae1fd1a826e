package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.core.Event.LocalFailed;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The active's own disk fails: while a peer in sync is there, the guest sees nothing. */
class DiskFailureTest {
    private static final int EIO = 5;

    /** An active in sync with b, whose store answers only when told. */
    private static Bench paired() {
        Bench active = Bench.paired();
        active.passWithPeer(50).writes(1, 0, 4096).says(ack(active)).clear();
        active.storeKeepsStill = true;
        return active;
    }

    private static Message ack(Bench active) {
        return new Message.WriteAck(
                active.core.leadEpoch(),
                active.session,
                active.sent(Message.Write.class).getLast().seq());
    }

    private static Bench failWrite(Bench active, long request) {
        active.writes(request, 0, 4096);
        return active.on(new LocalFailed(active.last(Effect.WriteLocal.class).io(), EIO, LocalFailed.Kind.WRITE, 0));
    }

    /** An active at epoch 10 whose copy is out, served by b. */
    private static Bench withoutDisk() {
        Bench active = failWrite(paired(), 2);
        active.says(ack(active)).applies("v10");
        return active.clear();
    }

    private static Message.Read asked(Bench active) {
        return active.sent(Message.Read.class).getLast();
    }

    private static Bench readAlone(Bench active, long request, long offset) {
        active.on(new Event.ReadReceived(request, 0, offset, 4096));
        return active.on(new LocalFailed(active.last(Effect.ReadLocal.class).io(), EIO, LocalFailed.Kind.READ, 0));
    }

    @Test
    void theRecordSaysThatThisCopyIsOutBeforeAnythingIsAnswered() {
        Bench active = failWrite(paired(), 2);
        active.says(ack(active)).on(new Event.ReadReceived(3, 0, 8192, 4096)).writes(4, 65536, 4096);
        assertThat(active.wished().active()).isEqualTo(Bench.A);
        assertThat(active.wished().inSync()).containsExactly(Bench.B);
        assertThat(active.has(Effect.ReplyToGuest.class)).isFalse();
        assertThat(active.sent(Message.Read.class)).isEmpty();
        assertThat(active.has(Effect.FreezeGuest.class) || active.has(Effect.CloseGate.class))
                .as("the guest goes on, but for its I/O")
                .isFalse();

        active.applies("v10");

        assertThat(active.replied(2)).isTrue();
        assertThat(active.sent(Message.EpochChanged.class).getLast().epoch()).isEqualTo(10);
        assertThat(asked(active).offset()).isEqualTo(8192);
        assertThat(active.sent(Message.Write.class).getLast().offset()).isEqualTo(65536);
        assertThat(active.has(Effect.KillGuest.class)).isFalse();
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
        assertThat(active.core.view().copyState()).isEqualTo(CopyState.FAILED);
    }

    @Test
    void anUnansweredChangeKeepsHoldingEverything() {
        Bench active = failWrite(paired(), 2);
        active.says(ack(active))
                .on(new Event.CasUnresolved(active.last(Effect.CasArbiter.class).token(), "timeout"));
        active.passWithPeer(300);
        assertThat(active.has(Effect.ReplyToGuest.class)).isFalse();
        assertThat(active.all(Effect.CasArbiter.class)).as("asked again").hasSizeGreaterThan(1);
    }

    @Test
    void aFailedFlushIsNeverRetriedAndThePeersCounts() {
        Bench active = paired();
        active.on(new Event.FlushReceived(2, 0));
        active.on(new LocalFailed(active.last(Effect.FlushLocal.class).io(), EIO, LocalFailed.Kind.FLUSH, 0));
        active.says(new Message.FlushAck(
                9, active.session, active.sent(Message.Flush.class).getLast().seq()));
        assertThat(active.replied(2)).isFalse();
        active.applies("v10").on(new Event.FlushReceived(3, 0));
        assertThat(active.replied(2)).isTrue();
        assertThat(active.replied(3)).isFalse();
        assertThat(active.all(Effect.FlushLocal.class)).hasSize(1);
        active.says(new Message.FlushAck(
                10, active.session, active.sent(Message.Flush.class).getLast().seq()));
        assertThat(active.replied(3)).isTrue();
    }

    @Test
    void withoutADiskEveryRequestIsThePeers() {
        Bench active = withoutDisk();
        active.writes(5, 20 * Bench.MB, 4096).on(new Event.ReadReceived(6, 0, 0, 4096));
        assertThat(active.has(Effect.WriteLocal.class)
                        || active.has(Effect.ReadLocal.class)
                        || active.has(Effect.PersistActivityLog.class))
                .isFalse();
        active.says(ack(active))
                .says(new Message.ReadData(10, active.session, asked(active).seq(), 4096));
        assertThat(active.replied(5) && active.replied(6)).isTrue();
        assertThat(active.effects)
                .containsSubsequence(new Effect.TakeFromPeer(6, asked(active).seq()), new Effect.ReplyToGuest(6, 0));
    }

    @Test
    void whatThePeerHadNotAnsweredIsAskedAgainOverANewLink() {
        Bench active = withoutDisk();
        active.on(new Event.ReadReceived(6, 0, 0, 4096)).writes(7, 65536, 4096);
        active.on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.LOST)).clear();
        active.linked(Role.IDLE, CopyState.IN_SYNC, 10, active.sealedAs, Bench.PEER_LIFE);
        assertThat(active.sent(Message.Attach.class).getLast().kind()).isEqualTo(Message.AttachKind.CONTINUE);
        active.says(new Message.Attached(10, active.session)).granted();
        active.says(new Message.ReadData(10, active.session, asked(active).seq(), 4096))
                .says(ack(active));
        assertThat(active.replied(6) && active.replied(7)).isTrue();
    }

    @Test
    void withoutDiskAndPeerTheGuestIsSuspendedAndNeverGoesOnAlone() {
        Bench active = withoutDisk();
        active.writes(5, 0, 4096)
                .on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.LOST))
                .pass(2_000);
        assertThat(active.core.role()).isEqualTo(Role.SUSPENDED);
        assertThat(active.has(Effect.CasArbiter.class))
                .as("no set without b can be asked for")
                .isFalse();
        assertThat(active.has(Effect.ReplyToGuest.class)).isFalse();
    }

    @Test
    void anOlderPeerThatCanNotBeAskedTakesTheGuestOver() {
        Bench active = Bench.paired(false);
        active.passWithPeer(50).clear().storeKeepsStill = true;
        active.on(new Event.ReadReceived(3, 0, 0, 4096));
        active.on(new LocalFailed(active.last(Effect.ReadLocal.class).io(), EIO, LocalFailed.Kind.READ, 0));
        assertThat(active.sent(Message.Read.class)).isEmpty();
        assertThat(active.wished().active()).isEqualTo(Bench.B);
        active.applies("v10");
        assertThat(active.sent(Message.HandedOver.class).getLast().clean()).isFalse();
        assertThat(active.has(Effect.KillGuest.class)).isTrue();
    }

    @Test
    void aDeviceThatDoesNotAnswerForFiveSecondsIsOut() {
        Bench active = paired();
        active.writes(2, 0, 4096).says(ack(active)).on(new Event.FlushReceived(3, 0));
        active.says(new Message.FlushAck(
                9, active.session, active.sent(Message.Flush.class).getLast().seq()));
        active.passWithPeer(4_900);
        assertThat(active.has(Effect.CasArbiter.class)).isFalse();
        active.passWithPeer(200);
        assertThat(active.wished().inSync()).containsExactly(Bench.B);
        active.applies("v10");
        assertThat(active.replied(2) && active.replied(3)).isTrue();
        active.on(new Event.LocalWriteDone(active.last(Effect.WriteLocal.class).io()));
        assertThat(active.all(Effect.ReplyToGuest.class)).as("answered once").hasSize(2);
    }

    @Test
    void aPauseOfThisProcessIsNotTheDevicesFault() {
        Bench active = paired();
        active.writes(2, 0, 4096).says(ack(active));
        for (int pauses = 0; pauses < 5; pauses++) {
            active.jump(3_000).granted().passWithPeer(25);
        }
        assertThat(active.core.view().problems()).extracting(Problem::kind).doesNotContain(Problem.Kind.DISK_FAILED);
    }

    @Test
    void alonePatienceWithTheDeviceHasNoEnd() {
        Bench active = Bench.alone().clear();
        active.storeKeepsStill = true;
        active.on(new Event.FlushReceived(3, 0)).pass(20_000);
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
        assertThat(active.has(Effect.CasArbiter.class)).isFalse();
    }

    @Test
    void aStrictPairWaitsForASlowPeer() {
        Bench active = Bench.strict();
        active.passWithPeer(100).writes(1, 0, 4096).passWithPeer(20_000);
        assertThat(active.has(Effect.CasArbiter.class)).as("nobody is dropped").isFalse();
        assertThat(active.replied(1)).isFalse();
        active.says(ack(active));
        assertThat(active.replied(1)).isTrue();
    }

    @Test
    void theLastCopyMayNotLeave() {
        Bench active = withoutDisk();
        active.on(new Event.LeaveRequested(Bench.B));
        assertThat(active.last(Effect.OrderEnded.class).refusal()).contains("the last");
        assertThat(active.sent(Message.Outdate.class)).isEmpty();
    }

    @Test
    void aPeerThatRestartedTakesTheGuestOver() {
        Bench active = withoutDisk();
        active.on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.LOST))
                .pass(1_000)
                .clear();
        active.linked(Role.IDLE, CopyState.IN_SYNC, 10, active.sealedAs, Bench.PEER_LIFE + 1);
        assertThat(active.wished().active()).isEqualTo(Bench.B);
        assertThat(active.wished().inSync()).containsExactly(Bench.B);
    }

    @Test
    void aPromotedPeerEndsIt() {
        Bench active = withoutDisk();
        active.on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.LOST)).pass(1_000);
        active.reads(Bench.arbiter(11, Bench.B, Bench.B), "v11");
        assertThat(active.has(Effect.KillGuest.class)).isTrue();
        assertThat(active.core.role()).isEqualTo(Role.IDLE);
    }

    @Test
    void theGuestIsHandedOverToTheGoodSide() {
        Bench active = withoutDisk();
        active.on(new Event.HandOverRequested(Bench.B)).on(new Event.GuestDrained());
        active.says(new Message.FlushAck(
                10, active.session, active.sent(Message.Flush.class).getLast().seq()));
        assertThat(active.wished().active()).isEqualTo(Bench.B);
        assertThat(active.wished().inSync()).containsExactly(Bench.B);
        active.applies("v11");
        assertThat(active.sent(Message.HandedOver.class).getLast().clean()).isTrue();
        assertThat(active.last(Effect.OrderEnded.class).refusal()).isEmpty();
        assertThat(active.has(Effect.DropLink.class))
                .as("the guest's last state is still on its way over it")
                .isFalse();
        active.on(new Event.GuestKilled());
        active.says(
                new Message.Attach(12, active.session, Message.AttachKind.RESYNC, Bench.arbiter(12, Bench.B, Bench.B)));
        assertThat(active.sent(Message.Refused.class).getLast().reason()).contains("failed");
    }

    @Test
    void aLocalReadThatWasUnderWayIsNeitherTrustedNorWaitedFor() {
        Bench active = paired();
        active.on(new Event.ReadReceived(3, 0, 65536, 4096));
        failWrite(active, 2).says(ack(active)).applies("v10");
        long io = active.last(Effect.ReadLocal.class).io();
        assertThat(asked(active).offset()).isEqualTo(65536);
        active.says(new Message.ReadData(10, active.session, asked(active).seq(), 4096));
        assertThat(active.last(Effect.TakeFromPeerInstead.class).request())
                .as("its buffer may still be written")
                .isEqualTo(3);
        assertThat(active.replied(3)).isTrue();
        active.clear().on(new Event.LocalReadDone(io));
        assertThat(active.effects).isEmpty();
    }

    @Test
    void aReadErrorIsAnsweredByThePeerAndRepairedHere() {
        Bench active = readAlone(paired(), 3, 65536);
        assertThat(active.has(Effect.CasArbiter.class)).isFalse();
        active.says(new Message.ReadData(9, active.session, asked(active).seq(), 4096));
        assertThat(active.replied(3)).isTrue();
        Effect.WriteFromPeer repair = active.last(Effect.WriteFromPeer.class);
        assertThat(repair.offset()).isEqualTo(65536);

        active.writes(4, 65536, 4096);
        assertThat(active.has(Effect.WriteLocal.class))
                .as("a repair must not land on a later write")
                .isFalse();
        active.on(new Event.LocalWriteDone(repair.io()));
        active.on(new Event.BookkeepingPersisted(1));
        assertThat(active.has(Effect.WriteLocal.class)).isTrue();
        assertThat(active.core.view().copyState()).isEqualTo(CopyState.IN_SYNC);
    }

    @Test
    void aPlaceThatFailsAgainPutsTheCopyOut() {
        Bench active = readAlone(paired(), 3, 65536);
        active.says(new Message.ReadData(9, active.session, asked(active).seq(), 4096));
        active.on(
                new Event.LocalWriteDone(active.last(Effect.WriteFromPeer.class).io()));
        readAlone(active, 4, 65536);
        assertThat(active.wished().inSync()).containsExactly(Bench.B);
        assertThat(active.replied(4)).isFalse();
        active.applies("v10")
                .says(new Message.ReadData(10, active.session, asked(active).seq(), 4096));
        assertThat(active.replied(4)).isTrue();
        assertThat(active.all(Effect.WriteFromPeer.class))
                .as("nothing more is written here")
                .hasSize(1);
    }

    @Test
    void aRepairThatFailsPutsTheCopyOutAndTheAnswerStands() {
        Bench active = readAlone(paired(), 3, 65536);
        active.says(new Message.ReadData(9, active.session, asked(active).seq(), 4096));
        active.on(new LocalFailed(active.last(Effect.WriteFromPeer.class).io(), EIO, LocalFailed.Kind.WRITE, 0));
        assertThat(active.all(Effect.ReplyToGuest.class)).containsExactly(new Effect.ReplyToGuest(3, 0));
        assertThat(active.wished().inSync()).containsExactly(Bench.B);
        active.applies("v10").writes(4, 65536, 4096);
        assertThat(active.sent(Message.Write.class).getLast().offset()).isEqualTo(65536);
    }

    @Test
    void whatBothCanNotReadIsAnErrorAndCostsNoCopy() {
        Bench active = readAlone(paired(), 3, 65536);
        active.says(new Message.ReadFailed(9, active.session, asked(active).seq(), EIO));
        assertThat(active.effects).contains(new Effect.ReplyToGuest(3, EIO));
        assertThat(active.has(Effect.CasArbiter.class)).isFalse();
    }

    @Test
    void aReadErrorAloneIsAnErrorAsFromAnyDisk() {
        Bench active = Bench.alone().clear();
        active.storeKeepsStill = true;
        readAlone(active, 3, 65536);
        assertThat(active.effects).contains(new Effect.ReplyToGuest(3, EIO));
    }

    @Test
    void readsOfThePeerAreBounded() {
        Bench active = withoutDisk();
        for (int i = 0; i < 100; i++) {
            active.on(new Event.ReadReceived(100 + i, 0, i * 4096L, 4096));
        }
        assertThat(active.sent(Message.Read.class)).hasSize(Message.MOST_READS);
        active.says(new Message.ReadData(
                10, active.session, active.sent(Message.Read.class).getFirst().seq(), 4096));
        assertThat(active.sent(Message.Read.class)).hasSize(Message.MOST_READS + 1);
    }

    @Test
    void aStandbyAnswersReadsAndEndsALinkThatAsksTooMuch() {
        Bench standby = Bench.standby();
        standby.storeKeepsStill = true;
        standby.says(new Message.Read(9, standby.session, 1, 0, 4096, 8192));
        assertThat(standby.last(Effect.SendRange.class).message())
                .isEqualTo(new Message.ReadData(9, standby.session, 1, 8192));
        standby.on(new LocalFailed(standby.last(Effect.SendRange.class).io(), EIO, LocalFailed.Kind.READ, 0));
        assertThat(standby.sent(Message.ReadFailed.class)).hasSize(1);
        assertThat(standby.sent(Message.Nack.class)).as("its copy is not out").isEmpty();
        for (int i = 0; i <= Message.MOST_READS; i++) {
            standby.says(new Message.Read(9, standby.session, 2 + i, 0, 4096, 8192));
        }
        assertThat(standby.has(Effect.DropLink.class)).isTrue();
    }

    /** Simulation seed 36, three copies: a bad place kept a copy from ever being filled, and it looked as if it were on its way. */
    @Test
    void aPlaceThatTheFollowerCanNotReadIsWrittenAnewWhenItIsFilled() {
        Bench standby = Bench.standby();
        standby.storeKeepsStill = true;
        standby.says(new Message.HashRequest(9, standby.session, 1, 0, 0, 3 * Extent.CHUNK_BYTES - 512));
        standby.on(new LocalFailed(standby.last(Effect.HashLocal.class).io(), EIO, LocalFailed.Kind.READ, 0));
        assertThat(standby.sent(Message.Nack.class)).as("its copy is not out").isEmpty();
        assertThat(standby.sent(Message.HashReply.class).getLast().hashes())
                .containsExactly(ChunkHash.UNREADABLE, ChunkHash.UNREADABLE, ChunkHash.UNREADABLE);
    }

    @Test
    void aCopyThatMissedWhatNoBitmapNamesIsFilledWhole() {
        // The standby served an active without a disk; a hand-over made it the active. The old copy says it has the
        // same data.
        Bench last = new Bench(Bench.B).started(Bench.superblock(Bench.B, CopyState.IN_SYNC, 9, 5), false);
        last.reads(Bench.arbiter(11, Bench.B, Bench.B), "v11").applies("v12");
        last.clear().linked(Role.IDLE, CopyState.IN_SYNC, 9, 5, Bench.PEER_LIFE);
        last.says(new Message.Attached(12, last.session));
        List<Message.HashRequest> compared = last.sent(Message.HashRequest.class);
        assertThat(compared).as("everything, not only what its log names").hasSize(16);
    }

    @Test
    void aStartWhoseCopyIsOutLeavesTheGuestToThePeer() {
        Bench restarted = new Bench(Bench.A)
                .on(new Event.Started(
                        Optional.of(Bench.superblock(Bench.A, CopyState.IN_SYNC, 9, 5)), List.of(), List.of(), true));
        restarted.reads(Bench.arbiter(10, Bench.A, Bench.B), "v10");
        assertThat(restarted.has(Effect.CasArbiter.class)).isFalse();
        assertThat(restarted.last(Effect.PersistSuperblock.class).superblock().state())
                .isEqualTo(CopyState.STALE);
        assertThat(restarted.core.view().problems()).isEmpty();
    }

    @Test
    void anOrderToStopEndsAlsoWithADeviceThatTakesNothing() {
        Bench active = withoutDisk();
        active.on(new Event.StopRequested());
        assertThat(active.has(Effect.ReadyToExit.class)).isTrue();
    }
}
