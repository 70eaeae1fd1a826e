package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** An active starts: raise the epoch, then reconcile with or drop the in-sync peer, then serve. */
class StartTest {
    /** An active that starts again at epoch 8 with one hot extent to compare, and has met its in-sync peer. */
    private static Bench restarted() {
        Bench active = new Bench(Bench.A);
        active.on(new Event.Started(
                Optional.of(Bench.superblock(Bench.A, CopyState.IN_SYNC, 7, 5)),
                List.of(new Extent(0, 2)),
                List.of(),
                true));
        active.reads(Bench.arbiter(7, Bench.A, Bench.A, Bench.B), "v7").applies("v8");
        active.linked(Role.IDLE, CopyState.IN_SYNC, 7, 5, Bench.PEER_LIFE);
        return active;
    }

    @Test
    void theFirstStartFormatsABlankDiskBeforeTheEpochRises() {
        Bench first = new Bench(Bench.A).startedBlank();
        first.storeKeepsStill = true;
        first.reads(Bench.arbiter(1, Bench.A, Bench.A), "v1");
        assertThat(first.has(Effect.CasArbiter.class)).isFalse();
        first.on(new Event.SuperblockPersisted(
                first.last(Effect.PersistSuperblock.class).token()));
        assertThat(first.wished().epoch().value()).isEqualTo(2);
        first.storeKeepsStill = false;
        first.applies("v2").on(new Event.Tick());
        first.on(new Event.SuperblockPersisted(
                first.last(Effect.PersistSuperblock.class).token()));
        assertThat(first.last(Effect.StartGuest.class).epoch()).isEqualTo(2);
    }

    @Test
    void aBlankDiskIsNeverFormattedLater() {
        Bench lost = new Bench(Bench.A).startedBlank();
        lost.reads(Bench.arbiter(5, Bench.A, Bench.A), "v5").pass(10_000);
        assertThat(lost.has(Effect.CasArbiter.class)).isFalse();
        assertThat(lost.has(Effect.PersistSuperblock.class)).isFalse();
        assertThat(lost.core.view().problems()).extracting(Problem::kind).contains(Problem.Kind.DISK_LOST);
    }

    @Test
    void aMissingLeaseIsNoFreshStart() {
        Bench mirror = new Bench(Bench.A).startedBlank();
        mirror.on(new Event.ArbiterMissing(mirror.last(Effect.ReadArbiter.class).token()))
                .pass(5_000);
        assertThat(mirror.has(Effect.CasArbiter.class)).isFalse();
        assertThat(mirror.core.view().problems()).extracting(Problem::kind).contains(Problem.Kind.ARBITER_LOST);
    }

    @Test
    void aRestartedActiveComparesItsHotExtentsBeforeItServes() {
        Bench active = new Bench(Bench.A);
        active.on(new Event.Started(
                Optional.of(Bench.superblock(Bench.A, CopyState.IN_SYNC, 7, 5)),
                List.of(new Extent(0, 2)),
                List.of(),
                true));
        active.reads(Bench.arbiter(7, Bench.A, Bench.A, Bench.B), "v7");
        assertThat(active.wished().inSync()).containsExactly(Bench.A, Bench.B);
        active.applies("v8").linked(Role.IDLE, CopyState.IN_SYNC, 7, 5, Bench.PEER_LIFE);
        assertThat(active.sent(Message.Attach.class).getLast().kind()).isEqualTo(Message.AttachKind.RECONCILE);
        active.says(new Message.Attached(8, active.session)).granted();
        List<Message.HashRequest> asked = active.sent(Message.HashRequest.class);
        assertThat(asked.stream().mapToLong(Message.HashRequest::length).sum()).isEqualTo(Extent.BYTES);
        assertThat(active.has(Effect.StartGuest.class)).isFalse();

        for (Message.HashRequest ask : asked) {
            active.says(new Message.HashReply(
                    8, active.session, ask.seq(), java.util.Collections.nCopies(16, ChunkHash.ZERO)));
        }
        assertThat(active.has(Effect.StartGuest.class)).as("both flush first").isFalse();
        active.says(new Message.FlushAck(
                8, active.session, active.sent(Message.Flush.class).getLast().seq()));
        assertThat(active.has(Effect.StartGuest.class)).isTrue();
        assertThat(active.has(Effect.ThawGuest.class))
                .as("an earlier life may have frozen it")
                .isTrue();
    }

    /**
     * Simulation seed 963. The peer's earlier life has lost what the comparison wrote; the flush that the comparison ended with is sent
     * to the next life too, and its answer says nothing about that.
     */
    @Test
    void aFlushThatThePeersNextLifeAnswersMakesNothingDurableThatTheEarlierOneLost() {
        Bench active = restarted();
        active.says(new Message.Attached(8, active.session)).granted();
        for (Message.HashRequest ask : active.sent(Message.HashRequest.class)) {
            active.says(new Message.HashReply(
                    8, active.session, ask.seq(), java.util.Collections.nCopies(16, ChunkHash.ZERO)));
        }
        assertThat(active.sent(Message.Flush.class)).hasSize(1);
        active.on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.LOST));

        active.linked(Role.IDLE, CopyState.IN_SYNC, 7, 5, Bench.PEER_LIFE + 1).clear();
        active.says(new Message.Attached(8, active.session)).granted();
        active.says(new Message.FlushAck(
                8, active.session, active.sent(Message.Flush.class).getLast().seq()));
        active.on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.LOST)).clear();
        active.pass(11_000).applies("v9");

        assertThat(active.wished().inSync()).containsExactly(Bench.A);
        assertThat(active.core.view().disks().getFirst().bytesToResync()).isEqualTo(Extent.BYTES);
    }

    @Test
    void aPeerThatStaysAwayIsShrunkAwayAfterTenSeconds() {
        Bench active = new Bench(Bench.A).started(Bench.superblock(Bench.A, CopyState.IN_SYNC, 7, 5), false);
        active.reads(Bench.arbiter(7, Bench.A, Bench.A, Bench.B), "v7")
                .applies("v8")
                .clear();
        active.pass(9_900);
        assertThat(active.has(Effect.CasArbiter.class)).isFalse();
        active.pass(200);
        assertThat(active.wished().inSync()).containsExactly(Bench.A);
        assertThat(active.has(Effect.StartGuest.class)).isFalse();
        active.applies("v9");
        assertThat(active.has(Effect.StartGuest.class)).isTrue();
    }

    @Test
    void aForeignDiskIsNotTouched() {
        Superblock foreign = new Superblock(
                "uid-other",
                "uid-l",
                Bench.A,
                CopyState.IN_SYNC,
                dev.pairvm.api.mirror.Epoch.NONE,
                dev.pairvm.api.mirror.Epoch.NONE,
                Lineage.BLANK,
                true);
        Bench mirror = new Bench(Bench.A).started(foreign, false).pass(5_000);
        assertThat(mirror.has(Effect.PersistSuperblock.class)).isFalse();
        assertThat(mirror.core.view().problems()).extracting(Problem::kind).contains(Problem.Kind.FOREIGN_DISK);
    }

    /** Seed 4415: a new volume believed in an object that somebody had made meanwhile, and could never lead again. */
    @Test
    void aBlankCopyDoesNotPinAnArbiterThatItsLeadDoesNotKnow() {
        Bench blank = new Bench(Bench.B).startedBlank();
        long token = blank.last(Effect.ReadArbiter.class).token();
        blank.on(new Event.ArbiterRead(token, Bench.arbiter(1, Bench.A, Bench.A), "1", "uid-other"));
        blank.linked(Role.ACTIVE, CopyState.IN_SYNC, 8, 5, Bench.PEER_LIFE);
        blank.says(new Message.Attach(8, blank.session, Message.AttachKind.RESYNC, Bench.arbiter(8, Bench.A, Bench.A)));
        assertThat(blank.last(Effect.PersistSuperblock.class).superblock().arbiterUid())
                .isEmpty();
    }

    @Test
    void aBlankCopyTakesTheArbiterThatItSeesLast() {
        Bench blank = new Bench(Bench.B).startedBlank();
        long token = blank.last(Effect.ReadArbiter.class).token();
        blank.on(new Event.ArbiterRead(token, Bench.arbiter(1, Bench.A, Bench.A), "1", "uid-other"));
        blank.pass(600).reads(Bench.arbiter(8, Bench.A, Bench.A), "v8");
        assertThat(blank.core.view().problems()).isEmpty();
        blank.linked(Role.ACTIVE, CopyState.IN_SYNC, 8, 5, Bench.PEER_LIFE);
        blank.says(new Message.Attach(8, blank.session, Message.AttachKind.RESYNC, Bench.arbiter(8, Bench.A, Bench.A)));
        assertThat(blank.last(Effect.PersistSuperblock.class).superblock().arbiterUid())
                .isEqualTo("uid-l");
    }

    /** It compared, failed and was attached again without end: nobody served. */
    @Test
    void anActiveThatCanNotReadWhatItComparesLetsThePeerStart() {
        Bench active = restarted();
        active.storeKeepsStill = true;
        active.says(new Message.Attached(8, active.session)).granted();
        active.on(new Event.LocalFailed(active.last(Effect.HashLocal.class).io(), 5, Event.LocalFailed.Kind.READ, 0));
        assertThat(active.wished().active()).isEqualTo(Bench.B);
        assertThat(active.wished().inSync()).containsExactly(Bench.B);
        assertThat(active.has(Effect.StartGuest.class)).isFalse();
    }

    @Test
    void aPlaceThatNobodyCanReadIsNotComparedAgainAtOnce() {
        Bench active = Bench.alone();
        active.linked(Role.IDLE, CopyState.BLANK, 0, 0, Bench.PEER_LIFE);
        active.storeKeepsStill = true;
        active.says(new Message.Attached(8, active.session));
        active.on(new Event.LocalFailed(active.last(Effect.HashLocal.class).io(), 5, Event.LocalFailed.Kind.READ, 0));
        assertThat(active.last(Effect.DropLink.class).why()).contains("can not be read here");
        active.linked(Role.IDLE, CopyState.SYNCING, 8, 0, Bench.PEER_LIFE)
                .clear()
                .pass(9_000);
        assertThat(active.sent(Message.Attach.class)).isEmpty();
        active.pass(2_000);
        assertThat(active.sent(Message.Attach.class)).hasSize(1);
    }
}
