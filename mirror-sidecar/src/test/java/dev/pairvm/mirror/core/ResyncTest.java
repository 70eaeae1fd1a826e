package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is compared and sent when a copy comes back, and what it costs the guest. */
class ResyncTest {
    private static final int CHUNK = Extent.CHUNK_BYTES;
    private static final int PIECE = PieceHash.PIECE_BYTES;

    /** The peer was in sync, was lost, and is back; meanwhile these chunks of the first extent were written. */
    private static Bench returned(boolean ofThisRelease, int... chunks) {
        Bench active = Bench.paired(ofThisRelease);
        active.on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.LOST));
        active.pass(150).applies("v10").clear();
        long request = 1;
        for (int chunk : chunks) {
            active.writes(request++, (long) chunk * CHUNK, PIECE);
        }
        active.linked(Role.IDLE, CopyState.STALE, 10, active.sealedAs, 555);
        active.clear().says(new Message.Attached(10, active.session));
        return active;
    }

    private static List<PieceHash> hashesBut(long chunks, int... differing) {
        List<PieceHash> hashes = new ArrayList<>(Bench.zeroes(chunks));
        for (int piece : differing) {
            hashes.set(piece, new PieceHash(7, 7));
        }
        return hashes;
    }

    private static Message.PieceReply reply(Bench active, List<PieceHash> hashes) {
        long seq = active.sent(Message.PieceRequest.class).getLast().seq();
        return new Message.PieceReply(10, active.session, seq, hashes);
    }

    @Test
    void chunksWrittenFarFromEachOtherAreComparedTogetherAndOnlyWhatDiffersIsSent() {
        Bench active = returned(true, 1, 3, 40);
        assertThat(active.has(Effect.HashLocal.class)).isFalse();
        Message.PieceRequest asked = active.sent(Message.PieceRequest.class).getFirst();
        assertThat(asked.chunks()).isEqualTo(1L << 1 | 1L << 3 | 1L << 40);
        assertThat(active.last(Effect.HashPieces.class).salt()).isEqualTo(active.session);

        // The third piece of chunk 3, and the last two of chunk 40.
        active.says(reply(active, hashesBut(asked.chunks(), 16 + 2, 32 + 14, 32 + 15)));

        assertThat(active.sent(Message.ResyncData.class))
                .extracting(Message.ResyncData::offset)
                .containsExactly(3L * CHUNK + 2 * PIECE, 41L * CHUNK - 2 * PIECE);
        assertThat(active.sent(Message.ResyncData.class))
                .extracting(Message.ResyncData::length)
                .containsExactly(PIECE, 2 * PIECE);
    }

    @Test
    void theCopyIsSealedWhenWhatDiffersIsAcknowledged() {
        Bench active = returned(true, 1);
        active.says(reply(active, hashesBut(2, 0)));
        assertThat(active.has(Effect.FlushLocal.class)).isFalse();

        active.says(new Message.WriteAck(
                10,
                active.session,
                active.sent(Message.ResyncData.class).getLast().seq()));

        assertThat(active.has(Effect.FlushLocal.class)).isTrue();
    }

    @Test
    void aPeerOfAnEarlierReleaseIsAskedForChunksAndGetsWholeOnes() {
        Bench active = returned(false, 1);
        assertThat(active.sent(Message.PieceRequest.class)).isEmpty();
        Message.HashRequest asked = active.sent(Message.HashRequest.class).getLast();
        assertThat(asked.offset()).isEqualTo(CHUNK);

        active.says(new Message.HashReply(10, active.session, asked.seq(), List.of(new ChunkHash(1, 2, 3, 4))));

        assertThat(active.sent(Message.ResyncData.class))
                .extracting(Message.ResyncData::length)
                .containsExactly(CHUNK);
    }

    @Test
    void anAnswerWithAnotherNumberOfHashesCostsThePeerNotTheActive() {
        Bench active = returned(true, 1);
        active.says(reply(active, Bench.zeroes(3)));

        assertThat(active.last(Effect.DropLink.class).why()).contains("another number of hashes");
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
    }

    @Test
    void aGuestThatWaitsForARangeGetsItWhenTheStepIsOver() {
        Bench active = returned(true, 1, 3);
        active.writes(50, 3L * CHUNK, PIECE).writes(51, 5L * CHUNK, PIECE);
        assertThat(active.sent(Message.Write.class)).hasSize(1);

        active.says(reply(active, Bench.zeroes(1L << 1 | 1L << 3)));

        assertThat(active.sent(Message.Write.class)).hasSize(2);
    }

    /** A guest that rewrites one range for ever, and everything is slow while it is filled. */
    @Test
    void aGuestThatRewritesOneRangeForEverDoesNotStarveIt() {
        Bench active = Bench.alone();
        active.linked(Role.IDLE, CopyState.BLANK, 0, 0, Bench.PEER_LIFE);
        active.says(new Message.Attached(8, active.session));
        long request = 1;
        int steps = 0;
        for (; active.sent(Message.Seal.class).isEmpty() && steps < 4_000; steps++) {
            active.writes(request++, 0, PIECE).writes(request++, 0, PIECE);
            active.passWithPeer(5);
            answerAll(active);
        }
        assertThat(active.sent(Message.Seal.class)).isNotEmpty();
        // 64 MiB of holes at 10 MB/s would be 6.4 s; what is zero on both sides costs less.
        assertThat(steps).isLessThan(2_000);
    }

    private static void answerAll(Bench active) {
        List<Effect> made = List.copyOf(active.effects);
        active.effects.removeIf(effect -> effect instanceof Effect.Send || effect instanceof Effect.SendWrite);
        for (Effect effect : made) {
            switch (effect) {
                case Effect.SendWrite(var peer, Message.Write write, long ignored) ->
                    active.says(new Message.WriteAck(8, active.session, write.seq()));
                case Effect.Send(var peer, Message.HashRequest ask) ->
                    active.says(new Message.HashReply(
                            8,
                            active.session,
                            ask.seq(),
                            java.util.Collections.nCopies(ask.length() / CHUNK, ChunkHash.ZERO)));
                case Effect.Send(var peer, Message.Flush flush) ->
                    active.says(new Message.FlushAck(8, active.session, flush.seq()));
                case Effect.Send(var peer, Message.Seal seal) -> active.effects.add(effect);
                default -> {}
            }
        }
    }

    @Test
    void whatIsLeftIsToldWhenItCanBeTold() {
        Bench active = Bench.alone();
        active.linked(Role.IDLE, CopyState.BLANK, 0, 0, Bench.PEER_LIFE);
        active.says(new Message.Attached(8, active.session));
        assertThat(active.core.view().resync().orElseThrow().secondsLeft()).isEmpty();
        List<Message.HashRequest> asked = active.sent(Message.HashRequest.class);
        for (int i = 0; i < 3; i++) {
            active.passWithPeer(1_000);
            Message.HashRequest ask = asked.get(i);
            active.says(new Message.HashReply(
                    8, active.session, ask.seq(), java.util.Collections.nCopies(ask.length() / CHUNK, ChunkHash.ZERO)));
        }
        // 1 MiB a second, of 64.
        active.passWithPeer(100);
        assertThat(active.core.view().resync().orElseThrow().secondsLeft().orElseThrow())
                .isBetween(50L, 100L);
        assertThat(active.core.view().disks().getFirst().resyncedBytes()).isEqualTo(3 * Bench.MB);
    }

    @Test
    void piecesThatTheFollowerCanNotReadAreWrittenAnew() {
        Bench standby = Bench.standby();
        standby.storeKeepsStill = true;
        standby.says(new Message.PieceRequest(9, standby.session, 5, 0, 15, 5, 64 * Bench.MB));
        standby.on(
                new Event.LocalFailed(standby.last(Effect.HashPieces.class).io(), 5, Event.LocalFailed.Kind.READ, 0));

        assertThat(standby.sent(Message.PieceReply.class).getLast().hashes())
                .hasSize(2 * PieceHash.IN_CHUNK)
                .containsOnly(PieceHash.UNREADABLE);
    }

    @Test
    void aStandbyHashesThePiecesItIsAskedForAndNoneOutsideOfItsDisk() {
        Bench standby = Bench.standby();
        standby.says(new Message.PieceRequest(9, standby.session, 5, 0, 15, 1L << 63, 64 * Bench.MB));
        assertThat(standby.sent(Message.PieceReply.class).getLast().hashes()).hasSize(PieceHash.IN_CHUNK);

        standby.clear().says(new Message.PieceRequest(9, standby.session, 6, 0, 16, 1, 80 * Bench.MB));
        assertThat(standby.sent(Message.PieceReply.class)).isEmpty();
        assertThat(standby.last(Effect.DropLink.class).why()).contains("outside of the disk");
    }
}
