package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Reads that the local device answers late, or never. */
class LateReadTest {
    private static final int EIO = 5;

    /** A pair whose active's device answers nothing from here. */
    private static Bench silent(boolean peerAnswersReads) {
        Bench active = Bench.paired(peerAnswersReads).passWithPeer(50);
        active.storeKeepsStill = true;
        return active.clear();
    }

    private static Bench reads(Bench active, long request) {
        return active.on(new Event.ReadReceived(request, 0, request * 8192, 4096));
    }

    private static Bench answersLastRead(Bench active) {
        long seq = active.sent(Message.Read.class).getLast().seq();
        return active.says(new Message.ReadData(9, active.session, seq, 4096));
    }

    @Test
    void whatTheDeviceDoesNotAnswerInHalfASecondThePeerIsAskedForToo() {
        Bench active = reads(silent(true), 1).passWithPeer(450);
        assertThat(active.sent(Message.Read.class)).isEmpty();

        active.passWithPeer(100);
        assertThat(active.sent(Message.Read.class)).hasSize(1);
        answersLastRead(active);

        assertThat(active.effects)
                .containsSubsequence(
                        new Effect.TakeFromPeerInstead(
                                1, active.sent(Message.Read.class).getLast().seq()),
                        new Effect.ReplyToGuest(1, 0));
    }

    @Test
    void aDeviceThatAnswersAfterThePeerIsNotListenedTo() {
        Bench active = reads(silent(true), 1).passWithPeer(600);
        long io = active.last(Effect.ReadLocal.class).io();
        answersLastRead(active).clear();

        active.on(new Event.LocalReadDone(io));
        assertThat(active.has(Effect.ReplyToGuest.class)).isFalse();

        active.writes(2, 8192, 4096);
        assertThat(active.has(Effect.PersistActivityLog.class))
                .as("its range is free")
                .isTrue();
    }

    @Test
    void aDeviceThatFailsAfterThePeerAnsweredCostsNothing() {
        Bench active = reads(silent(true), 1).passWithPeer(600);
        long io = active.last(Effect.ReadLocal.class).io();
        answersLastRead(active).clear();

        active.on(new Event.LocalFailed(io, EIO, Event.LocalFailed.Kind.READ, 0));

        assertThat(active.has(Effect.WriteFromPeer.class) || active.has(Effect.CasArbiter.class))
                .isFalse();
    }

    @Test
    void aDeviceThatIsQuickerThanThePeerWins() {
        Bench active = reads(silent(true), 1).passWithPeer(600);
        active.on(new Event.LocalReadDone(active.last(Effect.ReadLocal.class).io()));
        assertThat(active.replied(1)).isTrue();

        answersLastRead(active);
        assertThat(active.has(Effect.TakeFromPeer.class) || active.has(Effect.TakeFromPeerInstead.class))
                .isFalse();
        assertThat(active.all(Effect.ReplyToGuest.class)).hasSize(1);
    }

    @Test
    void aPeerThatCanNotReadItLeavesItToTheDevice() {
        Bench active = reads(silent(true), 1).passWithPeer(600);
        active.says(new Message.ReadFailed(
                9, active.session, active.sent(Message.Read.class).getLast().seq(), EIO));
        assertThat(active.has(Effect.ReplyToGuest.class)).isFalse();

        active.passWithPeer(100);
        assertThat(active.sent(Message.Read.class)).as("asked once").hasSize(1);
        active.on(new Event.LocalReadDone(active.last(Effect.ReadLocal.class).io()));
        assertThat(active.replied(1)).isTrue();
    }

    @Test
    void aPeerThatIsLostMeanwhileLeavesItToTheDevice() {
        Bench active = reads(silent(true), 1).passWithPeer(600);
        active.on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.LOST)).pass(150);
        active.storeKeepsStill = false;
        active.applies("v10");
        assertThat(active.has(Effect.ReplyToGuest.class)).as("no error").isFalse();

        active.on(new Event.LocalReadDone(active.last(Effect.ReadLocal.class).io()));
        assertThat(active.replied(1)).isTrue();
    }

    @Test
    void aPeerOfAnEarlierReleaseIsNotAsked() {
        Bench active = reads(silent(false), 1).passWithPeer(1_000);
        assertThat(active.sent(Message.Read.class)).isEmpty();
    }

    @Test
    void aDeviceThatOwesTooMuchIsNotAskedForMore() {
        Bench active = silent(true);
        for (int i = 1; i <= LateReads.MOST; i++) {
            reads(active, i);
        }
        active.passWithPeer(550);
        for (Message.Read read : List.copyOf(active.sent(Message.Read.class))) {
            active.says(new Message.ReadData(9, active.session, read.seq(), 4096));
        }
        active.clear();

        reads(active, 9);
        assertThat(active.has(Effect.ReadLocal.class)).isFalse();
        answersLastRead(active);
        assertThat(active.has(Effect.TakeFromPeer.class)).isTrue();
        assertThat(active.replied(9)).isTrue();
    }

    /** What nobody else can read after all is the device's matter again, late as it is. */
    @Test
    void aReadThatWasSparedTheDeviceIsGivenToItWhenThePeerCanNot() {
        Bench active = silent(true);
        for (int i = 1; i <= LateReads.MOST; i++) {
            reads(active, i);
        }
        active.passWithPeer(550);
        for (Message.Read read : List.copyOf(active.sent(Message.Read.class))) {
            active.says(new Message.ReadData(9, active.session, read.seq(), 4096));
        }
        reads(active.clear(), 9);
        active.says(new Message.ReadFailed(
                9, active.session, active.sent(Message.Read.class).getLast().seq(), EIO));
        assertThat(active.has(Effect.ReplyToGuest.class)).isFalse();
        active.on(new Event.LocalReadDone(active.last(Effect.ReadLocal.class).io()));
        assertThat(active.replied(9)).isTrue();
    }

    /** Every read of a guest whose device hangs is answered within 525 ms, until the device is given up after five seconds. */
    @Test
    void aDeviceThatNeverAnswersIsOutAfterFiveSecondsAndTheGuestReadsOn() {
        Bench active = silent(true);
        long request = 0;
        for (int half = 0; half < 9; half++) {
            reads(active, ++request);
            active.passWithPeer(525);
            for (Message.Read read : List.copyOf(active.sent(Message.Read.class))) {
                active.says(new Message.ReadData(9, active.session, read.seq(), 4096));
            }
            assertThat(active.replied(request)).isTrue();
            active.clear();
        }
        active.passWithPeer(500);
        assertThat(active.core.view().copyState()).isEqualTo(CopyState.FAILED);
        assertThat(active.wished().inSync()).containsExactly(Bench.B);
    }
}
