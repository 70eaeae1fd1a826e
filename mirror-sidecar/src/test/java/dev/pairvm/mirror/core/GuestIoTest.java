package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Writes, reads and flushes of the guest. */
class GuestIoTest {
    @Test
    void aWriteGoesToThePeerFirstAndIsRepliedToWhenBothHaveIt() {
        Bench active = Bench.paired();
        active.passWithPeer(50).clear().writes(1, 0, 4096);
        List<Effect> data = active.effects.stream()
                .filter(effect -> effect instanceof Effect.SendWrite || effect instanceof Effect.WriteLocal)
                .toList();
        assertThat(data.getFirst()).isInstanceOf(Effect.SendWrite.class);
        assertThat(active.replied(1)).isFalse();
        active.says(new Message.WriteAck(
                9, active.session, active.sent(Message.Write.class).getLast().seq()));
        assertThat(active.replied(1)).isTrue();
    }

    /** Simulation seed 644: a flush that was under way when another took over was kept for ever, and its connection with it. */
    @Test
    void aFencedActiveForgetsEveryRequestOfItsGuest() {
        Bench active = Bench.paired();
        active.passWithPeer(50).writes(1, 0, 4096);
        active.on(new Event.ReadReceived(2, 0, 0, 4096))
                .on(new Event.FlushReceived(3, 0))
                .on(new Event.FlushReceived(4, 0))
                .clear();
        active.on(new Event.ArbiterRead(1 << 20, Bench.arbiter(10, active.peer(), active.peer()), "v10", "uid-l"));
        assertThat(active.core.role()).isEqualTo(Role.IDLE);
        assertThat(active.all(Effect.ForgetRequest.class))
                .extracting(Effect.ForgetRequest::request)
                .containsExactlyInAnyOrder(1L, 2L, 3L, 4L);
    }

    @Test
    void anExtentIsDurablyHotBeforeItsFirstWrite() {
        Bench active = Bench.alone();
        active.clear().storeKeepsStill = true;
        active.writes(1, 8 * Bench.MB, 4096).writes(2, 8 * Bench.MB + 8192, 4096);
        assertThat(active.has(Effect.WriteLocal.class)).isFalse();
        assertThat(active.all(Effect.PersistActivityLog.class)).hasSize(1);
        active.on(new Event.BookkeepingPersisted(
                active.last(Effect.PersistActivityLog.class).token()));
        assertThat(active.all(Effect.WriteLocal.class)).hasSize(2);
    }

    @Test
    void anExtentGoesColdOnlyWhenBothHaveFlushedIt() {
        Bench active = Bench.paired();
        active.passWithPeer(50);
        for (int i = 0; i < 4; i++) {
            active.writes(i + 1, i * 4 * Bench.MB, 4096);
            active.says(new Message.WriteAck(
                    9,
                    active.session,
                    active.sent(Message.Write.class).getLast().seq()));
        }
        active.clear().writes(5, 16 * Bench.MB, 4096);
        assertThat(active.has(Effect.PersistActivityLog.class)).isFalse();
        Message.Flush flush = active.sent(Message.Flush.class).getLast();
        active.says(new Message.FlushAck(9, active.session, flush.seq()));
        Effect.PersistActivityLog record = active.last(Effect.PersistActivityLog.class);
        assertThat(record.heat()).containsExactly(new Extent(0, 4));
        assertThat(record.cool()).containsExactly(new Extent(0, 0));
    }

    @Test
    void whileAloneTheDirtyBitsOfAnExtentAreDurableBeforeItGoesCold() {
        Bench active = Bench.alone();
        for (int i = 0; i < 5; i++) {
            active.writes(i + 1, i * 4 * Bench.MB + Extent.CHUNK_BYTES, 4096);
        }
        assertThat(active.last(Effect.PersistActivityLog.class).dirty()).containsExactly(new DirtyMask(0, 0, 2));
    }

    @Test
    void overlappingWritesLandInOneOrder() {
        Bench active = Bench.paired();
        active.passWithPeer(50).clear();
        active.writes(1, 0, 8192).writes(2, 4096, 8192).on(new Event.ReadReceived(3, 0, 0, 4096));
        assertThat(active.sent(Message.Write.class)).hasSize(1);
        assertThat(active.has(Effect.ReadLocal.class))
                .as("it could see what may still vanish")
                .isFalse();
        active.says(new Message.WriteAck(
                9, active.session, active.sent(Message.Write.class).getLast().seq()));
        assertThat(active.sent(Message.Write.class)).hasSize(2);
        assertThat(active.replied(3)).isTrue();
    }

    @Test
    void flushesThatArriveMeanwhileShareTheNext() {
        Bench active = Bench.paired();
        active.passWithPeer(50).clear();
        for (int i = 1; i <= 4; i++) {
            active.on(new Event.FlushReceived(i, 0));
        }
        assertThat(active.all(Effect.FlushLocal.class)).hasSize(1);
        assertThat(active.replied(1)).isFalse();
        active.says(new Message.FlushAck(
                9, active.session, active.sent(Message.Flush.class).getFirst().seq()));
        assertThat(active.replied(1)).isTrue();
        assertThat(active.all(Effect.FlushLocal.class)).hasSize(2);
        active.says(new Message.FlushAck(
                9, active.session, active.sent(Message.Flush.class).getLast().seq()));
        assertThat(active.replied(2) && active.replied(3) && active.replied(4)).isTrue();
        assertThat(active.all(Effect.FlushLocal.class)).hasSize(2);
    }

    @Test
    void aRequestOutsideTheDiskChangesNothing() {
        Bench active = Bench.alone();
        active.clear().writes(1, 64 * Bench.MB - 4096, 8192).writes(2, -1, 4096).writes(3, 0, 0);
        active.on(new Event.ReadReceived(4, 9, 0, 4096)).on(new Event.FlushReceived(5, -1));
        for (long request = 1; request <= 5; request++) {
            assertThat(active.effects).contains(new Effect.ReplyToGuest(request, 22));
        }
        assertThat(active.has(Effect.WriteLocal.class)).isFalse();
    }

    @Test
    void aFailedWriteAloneSuspendsAndAcknowledgesNothing() {
        Bench active = Bench.alone();
        active.writes(1, 0, 4096).clear().storeKeepsStill = true;
        active.writes(2, 0, 4096);
        active.on(new Event.LocalFailed(active.last(Effect.WriteLocal.class).io(), 5, Event.LocalFailed.Kind.WRITE));
        active.writes(3, 0, 4096).pass(1_000);
        assertThat(active.has(Effect.ReplyToGuest.class)).isFalse();
        assertThat(active.core.role()).isEqualTo(Role.SUSPENDED);
        assertThat(active.core.view().problems()).extracting(Problem::kind).contains(Problem.Kind.DISK_FAILED);
    }
}
