package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorConfig.Timing;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * One core under test, whose store answers at once unless told to keep still. Everything else (arbiter, peer, guest, time) is the
 * test's.
 */
final class Bench {
    static final CopyId A = new CopyId("a");
    static final CopyId B = new CopyId("b");
    static final long MB = 1 << 20;
    static final List<Long> DISKS = List.of(64 * MB);
    private static final long PEER_SEED = 77;
    static final long PEER_LIFE = 4242;

    final PairCore core;
    final CopyId self;
    /** Effects since the last {@link #clear}. */
    final List<Effect> effects = new ArrayList<>();
    /** Local I/O and persistence is not answered while set. */
    boolean storeKeepsStill;

    private final ArrayDeque<Event> answers = new ArrayDeque<>();
    private long now = 1_000_000_000L;
    long session;
    /** Whether the peer is of a release that can be asked for reads. */
    boolean peerAnswersReads = true;

    boolean peerVerifies = true;
    /** Whether it can be asked to let a disk grow. */
    boolean peerGrows = true;
    /** What the peer says of its disks. */
    List<Long> peerDisks = DISKS;
    /** The volumes have no room for more. */
    boolean full;
    /** The lineage word that both copies of {@link #paired} have. */
    long sealedAs;

    Bench(CopyId self) {
        this(self, false);
    }

    Bench(CopyId self, boolean suspendOnSlowPeer) {
        this.self = self;
        core = new PairCore(new CoreConfig(
                "uid-m", self, DISKS, Timing.DEFAULT, suspendOnSlowPeer, 4, 99, CoreConfig.Waits.DEFAULT));
    }

    static ArbiterRecord arbiter(long epoch, CopyId active, CopyId... inSync) {
        return new ArbiterRecord(
                new Epoch(epoch),
                active,
                new TreeSet<>(Arrays.asList(inSync)),
                ArbiterRecord.Mode.HA,
                "n" + epoch,
                new TreeMap<>());
    }

    static Superblock superblock(CopyId copy, CopyState state, long epoch, long word) {
        return new Superblock(
                "uid-m",
                "uid-l",
                copy,
                state,
                new Epoch(epoch),
                new Epoch(epoch),
                new Lineage(word, 0, List.of()),
                false);
    }

    Bench on(Event event) {
        step(event);
        while (!answers.isEmpty()) {
            step(answers.remove());
        }
        return this;
    }

    private void step(Event event) {
        List<Effect> made = new ArrayList<>();
        core.step(now, event, made::add);
        effects.addAll(made);
        if (!storeKeepsStill) {
            made.forEach(this::answer);
        }
    }

    private void answer(Effect effect) {
        switch (effect) {
            case Effect.PersistSuperblock e -> answers.add(new Event.SuperblockPersisted(e.token()));
            case Effect.PersistActivityLog e -> answers.add(new Event.BookkeepingPersisted(e.token()));
            case Effect.ClearBookkeeping e -> answers.add(new Event.BookkeepingPersisted(e.token()));
            case Effect.WriteLocal e -> answers.add(new Event.LocalWriteDone(e.io()));
            case Effect.WriteFromPeer e -> answers.add(new Event.LocalWriteDone(e.io()));
            case Effect.ReadLocal e -> answers.add(new Event.LocalReadDone(e.io()));
            case Effect.FlushLocal e -> answers.add(new Event.LocalFlushDone(e.io()));
            case Effect.HashLocal e ->
                answers.add(new Event.LocalHashed(
                        e.io(), java.util.Collections.nCopies(e.length() / Extent.CHUNK_BYTES, ChunkHash.ZERO)));
            case Effect.MakeRoom e ->
                answers.add(full ? new Event.NoRoom(e.token(), "full") : new Event.RoomMade(e.token()));
            case Effect.HashPieces e -> answers.add(new Event.PiecesHashed(e.io(), zeroes(e.chunks())));
            case Effect.KillGuest e -> answers.add(new Event.GuestKilled());
            case Effect.StopGranting e -> answers.add(new Event.GrantingStopped(e.token(), now));
            default -> {}
        }
    }

    long now() {
        return now;
    }

    /** Time passes in ticks of 25 ms. */
    Bench pass(long millis) {
        for (long left = millis; left > 0; left -= 25) {
            now += Math.min(25, left) * 1_000_000;
            on(new Event.Tick());
        }
        return this;
    }

    /** Time passes in which this process slept. */
    Bench jump(long millis) {
        now += millis * 1_000_000;
        return this;
    }

    /** Time passes while the peer answers every beacon with a grant. */
    Bench passWithPeer(long millis) {
        for (long left = millis; left > 0; left -= 25) {
            pass(25);
            granted();
        }
        return this;
    }

    Bench granted() {
        return on(new Event.BeaconHeard(session, now, now));
    }

    Bench clear() {
        effects.clear();
        return this;
    }

    <E extends Effect> List<E> all(Class<E> kind) {
        return effects.stream().filter(kind::isInstance).map(kind::cast).toList();
    }

    <E extends Effect> E last(Class<E> kind) {
        return all(kind).getLast();
    }

    boolean has(Class<? extends Effect> kind) {
        return effects.stream().anyMatch(kind::isInstance);
    }

    <M extends Message> List<M> sent(Class<M> kind) {
        List<M> sent = new ArrayList<>();
        for (Effect effect : effects) {
            Message message = switch (effect) {
                case Effect.Send e -> e.message();
                case Effect.SendWrite e -> e.message();
                case Effect.SendChunk e -> e.message();
                default -> null;
            };
            if (kind.isInstance(message)) {
                sent.add(kind.cast(message));
            }
        }
        return sent;
    }

    boolean replied(long request) {
        return effects.contains(new Effect.ReplyToGuest(request, 0));
    }

    Bench started(Superblock found, boolean guestAlive) {
        return on(new Event.Started(Optional.of(found), List.of(), List.of(), guestAlive));
    }

    Bench startedBlank() {
        return on(new Event.Started(Optional.empty(), List.of(), List.of(), false));
    }

    /** The arbiter answers the last read. */
    Bench reads(ArbiterRecord arbiter, String version) {
        return on(new Event.ArbiterRead(last(Effect.ReadArbiter.class).token(), arbiter, version, "uid-l"));
    }

    /** The arbiter applies the last compare-and-swap. */
    Bench applies(String version) {
        return on(new Event.CasApplied(last(Effect.CasArbiter.class).token(), version));
    }

    ArbiterRecord wished() {
        return last(Effect.CasArbiter.class).next();
    }

    CopyId peer() {
        return self.equals(A) ? B : A;
    }

    /** A link comes up and both say hello. */
    Bench linked(Role role, CopyState state, long epoch, long word, long life) {
        on(new Event.LinkUp(peer(), peerAnswersReads, peerVerifies, peerGrows, peerAnswersReads));
        long seed = sent(Message.Hello.class).getLast().seed();
        boolean lower = self.compareTo(peer()) < 0;
        session = Words.positive(Words.mix(lower ? seed : PEER_SEED, lower ? PEER_SEED : seed));
        return greets(role, state, epoch, word, life);
    }

    /** The peer says hello, first or once more on the same link. */
    Bench greets(Role role, CopyState state, long epoch, long word, long life) {
        return says(new Message.Hello(
                1,
                epoch,
                "uid-m",
                peer(),
                life,
                PEER_SEED,
                role,
                state,
                new Lineage(word, 0, List.of()),
                peerDisks,
                List.of()));
    }

    Bench says(Message message) {
        return on(new Event.MessageReceived(peer(), message));
    }

    Bench writes(long request, long offset, int length) {
        return on(new Event.WriteReceived(request, 0, offset, length, false, false));
    }

    /** The peer answers hashes, all zero, until it is to be sealed. */
    void fill() {
        while (sent(Message.Seal.class).isEmpty()) {
            for (Message.HashRequest ask : sent(Message.HashRequest.class)) {
                says(new Message.HashReply(
                        8,
                        session,
                        ask.seq(),
                        java.util.Collections.nCopies(ask.length() / Extent.CHUNK_BYTES, ChunkHash.ZERO)));
            }
            for (Message.PieceRequest ask : sent(Message.PieceRequest.class)) {
                says(new Message.PieceReply(8, session, ask.seq(), zeroes(ask.chunks())));
            }
            for (Message.Flush flush : sent(Message.Flush.class)) {
                says(new Message.FlushAck(8, session, flush.seq()));
            }
        }
    }

    /** Hashes of all pieces of these chunks, if they are zero. */
    static List<PieceHash> zeroes(long chunks) {
        return java.util.Collections.nCopies(Long.bitCount(chunks) * PieceHash.IN_CHUNK, PieceHash.ZERO);
    }

    /** An active alone at epoch 8. */
    static Bench alone() {
        return started(new Bench(A));
    }

    private static Bench started(Bench bench) {
        bench.started(superblock(A, CopyState.IN_SYNC, 7, 5), false);
        bench.reads(arbiter(7, A, A), "v7").applies("v8");
        return bench;
    }

    /** An active at epoch 9 with b in sync, b's life {@link #PEER_LIFE}. */
    static Bench paired() {
        return paired(true);
    }

    static Bench paired(boolean peerAnswersReads) {
        Bench bench = alone();
        bench.peerAnswersReads = peerAnswersReads;
        return joined(bench);
    }

    /** The same with a peer that does not know {@link Message.Verify}. */
    static Bench pairedWithOlder() {
        Bench bench = alone();
        bench.peerVerifies = false;
        return joined(bench);
    }

    /** The same under {@code slowPeer: Suspend}. */
    static Bench strict() {
        return joined(started(new Bench(A, true)));
    }

    private static Bench joined(Bench bench) {
        bench.linked(Role.IDLE, CopyState.BLANK, 0, 0, PEER_LIFE);
        bench.says(new Message.Attached(8, bench.session));
        bench.fill();
        bench.granted();
        bench.sealedAs = bench.word();
        bench.says(new Message.Sealed(8, bench.session, bench.sealedAs));
        bench.applies("v9");
        return bench.clear();
    }

    /** The lineage word that the last seal gave the peer. */
    long word() {
        return sent(Message.Seal.class).getLast().lineage();
    }

    /** A standby b in sync with a at epoch 9. */
    static Bench standby() {
        Bench bench = new Bench(B).started(superblock(B, CopyState.IN_SYNC, 9, 5), false);
        bench.reads(arbiter(9, A, A, B), "v9");
        bench.linked(Role.ACTIVE, CopyState.IN_SYNC, 9, 5, PEER_LIFE);
        bench.says(new Message.Attach(9, bench.session, Message.AttachKind.CONTINUE, arbiter(9, A, A, B)));
        return bench.clear();
    }
}
