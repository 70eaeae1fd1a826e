package dev.pairvm.mirror.core;

import static dev.pairvm.mirror.core.Bench.A;
import static dev.pairvm.mirror.core.Bench.B;
import static dev.pairvm.mirror.core.Bench.MB;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** A disk of 64 MiB is to grow while it is served: row 23 of the failure table. */
class GrowthTest {
    private static final long MORE = 80 * MB;

    private static Event.GrowRequested order() {
        return new Event.GrowRequested(0, MORE);
    }

    private static String ended(Bench bench) {
        Effect.OrderEnded ended = bench.last(Effect.OrderEnded.class);
        assertThat(ended.order()).isEqualTo(Effect.Order.GROW);
        return ended.refusal();
    }

    private static long persisted(Bench bench) {
        return bench.last(Effect.PersistSuperblock.class).diskBytes().getFirst();
    }

    @Test
    void theFollowerIsLargerBeforeTheActiveIs() {
        Bench active = Bench.paired();
        active.on(order());
        assertThat(active.last(Effect.MakeRoom.class).fromBytes()).isEqualTo(64 * MB);
        assertThat(active.sent(Message.Grow.class)).containsExactly(new Message.Grow(9, active.session, 0, MORE));
        assertThat(active.has(Effect.PersistSuperblock.class)).isFalse();
        active.writes(1, MORE - 4096, 4096);
        assertThat(active.last(Effect.ReplyToGuest.class).errno()).isEqualTo(22);

        active.says(new Message.Grown(9, active.session, 0, MORE));
        assertThat(persisted(active)).isEqualTo(MORE);
        assertThat(active.last(Effect.DiskResized.class)).isEqualTo(new Effect.DiskResized(0, MORE));
        assertThat(ended(active)).isEmpty();
        assertThat(active.has(Effect.CasArbiter.class)).as("both stay in sync").isFalse();
        active.clear().writes(2, MORE - 4096, 4096);
        assertThat(active.sent(Message.Write.class)).hasSize(1);
        assertThat(active.has(Effect.WriteLocal.class)).isTrue();
    }

    @Test
    void theFollowerConfirmsWhenItsSizeIsDurable() {
        Bench standby = Bench.standby();
        standby.storeKeepsStill = true;
        standby.says(new Message.Grow(9, standby.session, 0, MORE));
        Effect.MakeRoom room = standby.last(Effect.MakeRoom.class);
        standby.on(new Event.RoomMade(room.token()));
        assertThat(persisted(standby)).isEqualTo(MORE);
        assertThat(standby.sent(Message.Grown.class)).isEmpty();
        standby.on(new Event.SuperblockPersisted(
                standby.last(Effect.PersistSuperblock.class).token()));
        assertThat(standby.sent(Message.Grown.class)).containsExactly(new Message.Grown(9, standby.session, 0, MORE));
        // And once more, at once.
        standby.clear().says(new Message.Grow(9, standby.session, 0, MORE));
        assertThat(standby.sent(Message.Grown.class)).hasSize(1);
        assertThat(standby.has(Effect.MakeRoom.class)).isFalse();
    }

    @Test
    void aSideWithoutRoomRefusesAndNothingChanges() {
        Bench active = Bench.paired();
        active.full = true;
        active.on(order());
        assertThat(ended(active)).isEqualTo("full");
        assertThat(active.sent(Message.Grow.class)).isEmpty();
        assertThat(active.core.view().problems())
                .extracting(Problem::kind)
                .containsExactly(Problem.Kind.DISK_NOT_GROWN);
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);

        active.full = false;
        active.clear().on(order());
        active.says(new Message.NotGrown(9, active.session, 0, MORE, "the volume is small"));
        assertThat(ended(active)).contains("copy b").contains("the volume is small");
        assertThat(active.has(Effect.DiskResized.class)).isFalse();

        active.clear().on(order()).says(new Message.Grown(9, active.session, 0, MORE));
        assertThat(ended(active)).isEmpty();
        assertThat(active.core.view().problems()).isEmpty();
    }

    @Test
    void anActiveThatIsAloneGrowsAtOnceAndItsPeerBeforeItIsFilled() {
        Bench active = Bench.alone().clear();
        active.on(order());
        assertThat(ended(active)).isEmpty();
        assertThat(persisted(active)).isEqualTo(MORE);

        active.clear().linked(Role.IDLE, CopyState.BLANK, 0, 0, Bench.PEER_LIFE);
        assertThat(active.sent(Message.Attach.class)).isEmpty();
        assertThat(active.sent(Message.Grow.class)).containsExactly(new Message.Grow(8, active.session, 0, MORE));
        active.says(new Message.Grown(8, active.session, 0, MORE));
        assertThat(active.sent(Message.Attach.class)).hasSize(1);
    }

    @Test
    void aPeerThatCanNotGrowStaysOutAndIsAskedAgain() {
        Bench active = Bench.alone().on(order()).clear();
        active.linked(Role.IDLE, CopyState.BLANK, 0, 0, Bench.PEER_LIFE);
        active.says(new Message.NotGrown(8, active.session, 0, MORE, "full"));
        active.clear().pass(9_000);
        assertThat(active.sent(Message.Grow.class)).isEmpty();
        active.pass(2_000);
        assertThat(active.sent(Message.Grow.class)).hasSize(1);
        assertThat(active.sent(Message.Attach.class)).isEmpty();
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
    }

    @Test
    void aCopyThatIsFilledTakesTheSizeOfItsLead() {
        Bench joiner = new Bench(B).startedBlank();
        joiner.reads(Bench.arbiter(9, A, A), "v9");
        joiner.peerDisks = List.of(32 * MB);
        joiner.linked(Role.ACTIVE, CopyState.IN_SYNC, 9, 5, Bench.PEER_LIFE);
        joiner.says(new Message.Attach(9, joiner.session, Message.AttachKind.RESYNC, Bench.arbiter(9, A, A)));
        assertThat(persisted(joiner)).isEqualTo(32 * MB);
        assertThat(joiner.last(Effect.DiskResized.class).bytes()).isEqualTo(32 * MB);
        assertThat(joiner.sent(Message.Attached.class)).hasSize(1);
        // What it had beyond is garbage: it is zeroed when the disk grows again.
        joiner.clear().says(new Message.Grow(9, joiner.session, 0, 64 * MB));
        assertThat(joiner.last(Effect.MakeRoom.class).fromBytes()).isEqualTo(32 * MB);
    }

    @Test
    void aLostPeerEndsTheOrderAndTheNextOneGoesOn() {
        Bench active = Bench.paired();
        active.on(order()).on(new Event.LinkDown(B, Event.LinkDown.Cause.LOST));
        assertThat(ended(active)).contains("lost");
        assertThat(active.has(Effect.DiskResized.class)).isFalse();
        active.clear().on(order());
        assertThat(ended(active)).contains("away");
    }

    @Test
    void theGuestIsNotHandedToASideWithAnotherSize() {
        Bench active = Bench.paired();
        active.on(order());
        active.on(new Event.HandOverRequested(B));
        assertThat(active.last(Effect.OrderEnded.class).order()).isEqualTo(Effect.Order.HAND_OVER);
        assertThat(active.last(Effect.OrderEnded.class).refusal()).contains("growing");
        assertThat(active.has(Effect.BeginHandOver.class)).isFalse();
    }

    @Test
    void nonsenseAndSmallerSizesChangeNothing() {
        Bench active = Bench.paired();
        active.on(new Event.GrowRequested(0, 32 * MB));
        assertThat(ended(active)).isEmpty();
        for (Event.GrowRequested bad : List.of(
                new Event.GrowRequested(1, MORE),
                new Event.GrowRequested(-1, MORE),
                new Event.GrowRequested(0, MORE + 1),
                new Event.GrowRequested(0, -512),
                new Event.GrowRequested(0, Long.MAX_VALUE))) {
            active.on(bad);
            assertThat(ended(active)).contains("there is no disk");
        }
        assertThat(active.has(Effect.MakeRoom.class)).isFalse();

        Bench standby = Bench.standby();
        standby.says(new Message.Grow(9, standby.session, 7, MORE));
        assertThat(standby.last(Effect.DropLink.class).why()).contains("out of bounds");
        assertThat(standby.has(Effect.MakeRoom.class)).isFalse();
    }

    @Test
    void aPeerOfAnEarlierReleaseIsNotAsked() {
        Bench active = Bench.alone();
        active.peerGrows = false;
        active.linked(Role.IDLE, CopyState.BLANK, 0, 0, Bench.PEER_LIFE);
        active.says(new Message.Attached(8, active.session));
        active.clear().on(order());
        assertThat(ended(active)).contains("release");
        assertThat(active.sent(Message.Grow.class)).isEmpty();
    }

    @Test
    void aHelloWithImpossibleSizesIsRefused() {
        for (List<Long> sizes : List.of(List.of(0L), List.of(-512L), List.of(513L), List.of(64 * MB, 64 * MB))) {
            Bench active = Bench.alone().clear();
            active.peerDisks = sizes;
            active.linked(Role.IDLE, CopyState.BLANK, 0, 0, Bench.PEER_LIFE);
            assertThat(active.has(Effect.DropLink.class)).as(sizes.toString()).isTrue();
        }
    }
}
