package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.core.Event.LocalFailed;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The active compares both copies while the guest works, tells what differs, and repairs the standby. */
class VerifyTest {
    private static final ChunkHash MINE = new ChunkHash(1, 2, 3, 4);
    private static final ChunkHash ROTTEN = new ChunkHash(5, 6, 7, 8);

    private Bench active = Bench.paired();
    private int answered;
    /** What the active, and the standby, hold in the chunk of this number of disk 0; all else is zeroes. */
    private Map<Integer, ChunkHash> onActive = Map.of();

    private Map<Integer, ChunkHash> onStandby = Map.of();

    @BeforeEach
    void served() {
        quiet(Bench.paired());
    }

    private void quiet(Bench bench) {
        active = bench;
        active.passWithPeer(50).clear();
        active.storeKeepsStill = true;
        answered = 0;
    }

    private VerifyRun run() {
        return active.core.view().verify().orElseThrow();
    }

    private static List<ChunkHash> hashes(int disk, long offset, int length, Map<Integer, ChunkHash> held) {
        List<ChunkHash> hashes = new ArrayList<>(Collections.nCopies(length / Extent.CHUNK_BYTES, ChunkHash.ZERO));
        if (disk == 0) {
            held.forEach((chunk, hash) -> {
                long at = chunk - offset / Extent.CHUNK_BYTES;
                if (at >= 0 && at < hashes.size()) {
                    hashes.set((int) at, hash);
                }
            });
        }
        return hashes;
    }

    /** Both sides answer what they were asked since the last call: hashes as held, and flushes. Nothing else. */
    private void answerHashes() {
        for (; answered < active.effects.size(); answered++) {
            switch (active.effects.get(answered)) {
                case Effect.HashLocal e ->
                    active.on(new Event.LocalHashed(e.io(), hashes(e.disk(), e.offset(), e.length(), onActive)));
                case Effect.Send(var to, Message.Verify m) ->
                    active.says(new Message.HashReply(
                            m.epoch(), active.session, m.seq(), hashes(m.disk(), m.offset(), m.length(), onStandby)));
                case Effect.Send(var to, Message.Flush m) ->
                    active.says(new Message.FlushAck(m.epoch(), active.session, m.seq()));
                case Effect.FlushLocal e -> active.on(new Event.LocalFlushDone(e.io()));
                case Effect.PersistActivityLog e -> active.on(new Event.BookkeepingPersisted(e.token()));
                case Effect.PersistSuperblock e -> active.on(new Event.SuperblockPersisted(e.token()));
                default -> {}
            }
        }
    }

    private void order() {
        active.on(new Event.VerifyRequested());
        active.passWithPeer(25);
    }

    private Message.ResyncData repair() {
        return active.sent(Message.ResyncData.class).getLast();
    }

    private void untilRepairIsSent() {
        order();
        answerHashes();
        assertThat(active.has(Effect.TellMismatch.class)).isTrue();
        assertThat(active.sent(Message.ResyncData.class)).hasSize(1);
    }

    /** A chunk of the first range rotted on the standby. */
    private void rot() {
        onActive = Map.of(3, MINE);
        onStandby = Map.of(3, ROTTEN);
    }

    private void acknowledgeRepair() {
        active.says(new Message.WriteAck(9, active.session, repair().seq()));
    }

    @Test
    void equalCopiesAreFoundEqualAndNothingIsWritten() {
        order();
        answerHashes();
        active.passWithPeer(100);
        answerHashes();
        assertThat(run().state()).isEqualTo(VerifyRun.State.COMPLETE);
        assertThat(run().proves()).isTrue();
        assertThat(run().bytesCompared()).isEqualTo(run().bytesTotal());
        assertThat(active.sent(Message.ResyncData.class)).isEmpty();
        assertThat(active.has(Effect.SendChunk.class)
                        || active.has(Effect.WriteLocal.class)
                        || active.has(Effect.WriteFromPeer.class))
                .isFalse();
        assertThat(active.effects).contains(new Effect.OrderEnded(Effect.Order.VERIFY, ""));
    }

    @Test
    void whatDiffersTwiceIsToldWithBothHashesThenRepairedFlushedAndComparedOnceMore() {
        rot();
        untilRepairIsSent();
        var told = active.last(Effect.TellMismatch.class).mismatch();
        assertThat(told).isEqualTo(new VerifyRun.Mismatch(0, 3L << 16, 1 << 16, MINE, ROTTEN));
        assertThat(repair().offset()).isEqualTo(3L << 16);
        assertThat(repair().length()).isEqualTo(1 << 16);
        assertThat(active.all(Effect.HashLocal.class)).as("compared twice").hasSize(2);
        assertThat(active.all(Effect.HashLocal.class)).allMatch(Effect.HashLocal::onDevice);
        assertThat(active.has(Effect.FlushLocal.class)).isFalse();

        onStandby = onActive;
        acknowledgeRepair();
        answerHashes();
        active.passWithPeer(200);
        answerHashes();

        assertThat(active.sent(Message.Flush.class)).as("a repair is durable").isNotEmpty();
        assertThat(run().state()).isEqualTo(VerifyRun.State.COMPLETE);
        assertThat(run().mismatches()).isEqualTo(1);
        assertThat(run().repaired()).isEqualTo(1);
        assertThat(run().kept()).containsExactly(told);
        assertThat(run().proves()).isTrue();
    }

    @Test
    void theRepairsExtentIsHotDurablyBeforeItIsSent() {
        rot();
        order();
        for (int round = 0; round < 2; round++) {
            Effect.HashLocal mine = active.last(Effect.HashLocal.class);
            active.on(new Event.LocalHashed(mine.io(), hashes(mine.disk(), mine.offset(), mine.length(), onActive)));
            Message.Verify asked = active.sent(Message.Verify.class).getLast();
            active.says(new Message.HashReply(
                    9, active.session, asked.seq(), hashes(asked.disk(), asked.offset(), asked.length(), onStandby)));
        }
        assertThat(active.last(Effect.PersistActivityLog.class).heat()).containsExactly(new Extent(0, 0));
        assertThat(active.sent(Message.ResyncData.class)).isEmpty();
        active.on(new Event.BookkeepingPersisted(
                active.last(Effect.PersistActivityLog.class).token()));
        assertThat(active.sent(Message.ResyncData.class)).hasSize(1);
    }

    @Test
    void whatIsEqualTheSecondTimeIsNoMismatch() {
        rot();
        order();
        int asked = active.effects.size();
        Effect.HashLocal mine = active.last(Effect.HashLocal.class);
        active.on(new Event.LocalHashed(mine.io(), hashes(0, 0, mine.length(), onActive)));
        Message.Verify first = active.sent(Message.Verify.class).getLast();
        active.says(new Message.HashReply(9, active.session, first.seq(), hashes(0, 0, mine.length(), onStandby)));
        answered = asked;
        onStandby = onActive;
        answerHashes();
        active.passWithPeer(200);
        answerHashes();
        assertThat(run().state()).isEqualTo(VerifyRun.State.COMPLETE);
        assertThat(run().mismatches()).isZero();
        assertThat(active.sent(Message.ResyncData.class)).isEmpty();
    }

    @Test
    void aWriteWaitsForTheRangeThatIsComparedAndAReadDoesNot() {
        order();
        active.clear().on(new Event.ReadReceived(1, 0, 0, 4096)).writes(2, 0, 4096);
        assertThat(active.has(Effect.ReadLocal.class)).isTrue();
        assertThat(active.sent(Message.Write.class)).isEmpty();
    }

    @Test
    void aBusyGuestIsGivenWayAndStillVerified() {
        active.writes(1, 8 << 20, 4096).clear();
        answered = 0;
        order();
        answerHashes();
        int first = active.sent(Message.Verify.class).size();
        assertThat(first).as("the first range begins at once").isEqualTo(1);
        active.passWithPeer(200);
        answerHashes();
        assertThat(active.sent(Message.Verify.class))
                .as("the guest's write is under way")
                .hasSize(1);
        active.passWithPeer(75);
        assertThat(active.sent(Message.Verify.class)).as("but not for ever").hasSize(2);
    }

    @Test
    void anotherOrderBeginsNothingAndOneWithoutAPeerInSyncIsRefused() {
        order();
        long began = run().beganAt();
        active.passWithPeer(50).on(new Event.VerifyRequested());
        assertThat(run().beganAt()).isEqualTo(began);

        Bench alone = Bench.alone();
        alone.on(new Event.VerifyRequested());
        assertThat(alone.last(Effect.OrderEnded.class).refusal()).contains("no other copy is in sync");
        Bench standby = Bench.standby();
        standby.on(new Event.VerifyRequested());
        assertThat(standby.last(Effect.OrderEnded.class).refusal()).contains("does not lead");
        assertThat(alone.core.view().verify()).isEmpty();
    }

    @Test
    void aLostPeerEndsItAndAComparisonThatWasUnderWayHoldsNobodyUp() {
        order();
        active.writes(1, 0, 4096);
        active.on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.LOST));
        assertThat(run().state()).isEqualTo(VerifyRun.State.ABORTED);
        assertThat(run().reason()).contains("peer was lost");
        assertThat(run().proves()).isFalse();
        assertThat(active.has(Effect.PersistActivityLog.class))
                .as("the write goes on")
                .isTrue();
    }

    @Test
    void aPeerKnownToDifferIsNotSimplyContinuedAndTheRangeIsDirty() {
        rot();
        untilRepairIsSent();
        active.on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.LOST));
        assertThat(run().state()).isEqualTo(VerifyRun.State.ABORTED);
        active.clear().linked(Role.IDLE, CopyState.IN_SYNC, 9, active.sealedAs, Bench.PEER_LIFE);
        assertThat(active.sent(Message.Attach.class))
                .as("the same life comes back, but it is known to differ")
                .isEmpty();
        assertThat(active.wished().inSync()).containsExactly(Bench.A);
        active.applies("v10");
        answered = 0;
        answerHashes();
        Message.Attach again = active.sent(Message.Attach.class).getLast();
        assertThat(again.kind()).isEqualTo(Message.AttachKind.RESYNC);
        active.clear().says(new Message.Attached(again.epoch(), active.session));
        assertThat(active.sent(Message.PieceRequest.class).stream()
                        .anyMatch(ask -> ask.disk() == 0 && ask.extent() == 0 && (ask.chunks() >>> 3 & 1) != 0))
                .isTrue();
    }

    @Test
    void aPeerThatDoesNotKeepItsRepairGoesOut() {
        rot();
        untilRepairIsSent();
        acknowledgeRepair();
        answerHashes();
        assertThat(run().state()).isEqualTo(VerifyRun.State.ABORTED);
        assertThat(run().repaired()).isZero();
        assertThat(active.last(Effect.DropLink.class).why()).contains("does not keep");
        assertThat(active.last(Effect.RaiseProblem.class).problem().kind()).isEqualTo(Problem.Kind.PEER_NOT_USABLE);
        assertThat(active.wished().inSync()).containsExactly(Bench.A);
    }

    @Test
    void aHandOverCutsAComparisonShortAndLetsARepairEndFirst() {
        order();
        active.on(new Event.HandOverRequested(Bench.B));
        active.clear().on(new Event.GuestDrained());
        assertThat(run().reason()).contains("handed over");
        assertThat(active.sent(Message.Flush.class)).isNotEmpty();

        quiet(Bench.paired());
        rot();
        untilRepairIsSent();
        active.on(new Event.HandOverRequested(Bench.B));
        int before = active.sent(Message.Flush.class).size();
        active.on(new Event.GuestDrained());
        assertThat(active.sent(Message.Flush.class))
                .as("the repair is on its way")
                .hasSize(before);
        onStandby = onActive;
        acknowledgeRepair();
        answerHashes();
        assertThat(run().repaired()).isEqualTo(1);
        assertThat(run().state()).isEqualTo(VerifyRun.State.ABORTED);
        assertThat(active.wished().active()).as("then the guest is handed over").isEqualTo(Bench.B);
    }

    @Test
    void whatTheStandbyCanNotReadIsWrittenAnewAndItsCopyStaysIn() {
        order();
        Effect.HashLocal mine = active.last(Effect.HashLocal.class);
        active.on(new Event.LocalHashed(mine.io(), hashes(0, 0, mine.length(), Map.of(3, MINE))));
        for (int time = 0; time < 2; time++) {
            Message.Verify asked = active.sent(Message.Verify.class).getLast();
            active.says(new Message.HashReply(
                    9,
                    active.session,
                    asked.seq(),
                    Collections.nCopies(asked.length() / Extent.CHUNK_BYTES, ChunkHash.UNREADABLE)));
            if (time == 0) {
                Effect.HashLocal again = active.last(Effect.HashLocal.class);
                active.on(new Event.LocalHashed(again.io(), hashes(0, 0, again.length(), Map.of(3, MINE))));
            }
        }
        active.on(new Event.BookkeepingPersisted(
                active.last(Effect.PersistActivityLog.class).token()));
        assertThat(run().kept().getFirst().standby()).hasToString("unreadable");
        long sent = active.sent(Message.ResyncData.class).stream()
                .mapToLong(Message.ResyncData::length)
                .sum();
        assertThat(sent).as("all of it, zeroes as zeroes").isEqualTo(mine.length());
        assertThat(active.has(Effect.DropLink.class) || active.has(Effect.CasArbiter.class))
                .isFalse();
    }

    @Test
    void whatTheActiveCanNotReadProvesNothingAndCostsNobodyItsCopy() {
        order();
        active.on(new LocalFailed(active.last(Effect.HashLocal.class).io(), 5, LocalFailed.Kind.READ, 0));
        answered = active.effects.size();
        active.passWithPeer(200);
        answerHashes();
        assertThat(run().state()).isEqualTo(VerifyRun.State.COMPLETE);
        assertThat(run().unreadableBytes()).isEqualTo(1 << 20);
        assertThat(run().proves()).isFalse();
        assertThat(active.has(Effect.CasArbiter.class)).isFalse();
    }

    @Test
    void aPeerOfAnEarlierReleaseIsAskedForHashesAsInAResync() {
        Bench old = Bench.pairedWithOlder();
        old.passWithPeer(50).clear();
        old.storeKeepsStill = true;
        old.on(new Event.VerifyRequested());
        old.passWithPeer(25);
        assertThat(old.sent(Message.Verify.class)).isEmpty();
        assertThat(old.sent(Message.HashRequest.class)).hasSize(1);
    }

    @Test
    void aStandbyHashesWhatItsDeviceHoldsAndStaysWhatItIs() {
        Bench standby = Bench.standby();
        standby.storeKeepsStill = true;
        standby.says(new Message.Verify(9, standby.session, 77, 0, 1 << 20, 1 << 20));
        Effect.HashLocal hash = standby.last(Effect.HashLocal.class);
        assertThat(hash.onDevice()).isTrue();
        standby.on(new LocalFailed(hash.io(), 5, LocalFailed.Kind.READ, 0));
        assertThat(standby.sent(Message.HashReply.class).getLast().hashes())
                .hasSize(16)
                .containsOnly(ChunkHash.UNREADABLE);
        assertThat(standby.sent(Message.Nack.class)).isEmpty();
        assertThat(standby.core.view().copyState()).isEqualTo(CopyState.IN_SYNC);
    }
}
