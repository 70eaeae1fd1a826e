package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.mirror.core.Event.LinkDown.Cause;
import org.junit.jupiter.api.Test;

/** What is known of a compare-and-swap that got no answer. */
class CasOutcomeTest {
    private static Bench shrinking() {
        Bench active = Bench.paired();
        active.passWithPeer(100).writes(1, 0, 4096);
        active.on(new Event.LinkDown(Bench.B, Cause.LOST)).pass(125);
        active.on(new Event.CasUnresolved(active.last(Effect.CasArbiter.class).token(), "timeout"));
        return active;
    }

    @Test
    void itIsSentAgainAsItWas() {
        Bench active = shrinking();
        ArbiterRecord first = active.wished();
        active.pass(300);
        assertThat(active.all(Effect.CasArbiter.class)).hasSizeGreaterThan(1);
        assertThat(active.wished()).isEqualTo(first);
        assertThat(active.last(Effect.CasArbiter.class).expectedVersion())
                .isEqualTo(active.all(Effect.CasArbiter.class).getFirst().expectedVersion());
    }

    @Test
    void aConflictThatShowsItsNonceMeansItWasApplied() {
        Bench active = shrinking();
        ArbiterRecord mine = active.wished();
        active.pass(300);
        active.on(new Event.CasConflict(active.last(Effect.CasArbiter.class).token(), mine, "v10", "uid-l"));
        assertThat(active.replied(1)).isTrue();
        assertThat(active.core.leadEpoch()).isEqualTo(10);
    }

    @Test
    void aVersionMovedByAnAddressLineMeansItNeverWillBeAndItIsWishedAnew() {
        Bench active = shrinking();
        ArbiterRecord first = active.wished();
        ArbiterRecord before = active.core.view().arbiter().orElseThrow();
        active.pass(300);
        active.on(new Event.CasConflict(active.last(Effect.CasArbiter.class).token(), before, "v9-address", "uid-l"));
        assertThat(active.replied(1)).isFalse();
        active.pass(100);
        assertThat(active.last(Effect.CasArbiter.class).expectedVersion()).isEqualTo("v9-address");
        assertThat(active.wished().nonce()).isNotEqualTo(first.nonce());
    }

    @Test
    void anAnswerOlderThanWhatIsKnownIsPassedOver() {
        Bench active = Bench.paired();
        active.passWithPeer(100).on(new Event.LinkDown(Bench.B, Cause.LOST)).pass(500);
        long staleRead = active.last(Effect.ReadArbiter.class).token();
        active.applies("v10");
        active.on(new Event.ArbiterRead(staleRead, Bench.arbiter(9, Bench.A, Bench.A, Bench.B), "v9", "uid-l"));
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
        assertThat(active.core.view().problems()).isEmpty();
    }

    @Test
    void aShrinkInDoubtIsSettledWhenThePeerIsBack() {
        Bench active = shrinking();
        active.clear().on(new Event.LinkUp(new dev.pairvm.api.mirror.CopyId("c")));
        long word = active.sent(Message.Hello.class).getLast().lineage().current();
        active.linked(Role.IDLE, CopyState.IN_SYNC, 9, word, Bench.PEER_LIFE);
        active.says(new Message.Attached(9, active.session)).granted().clear().passWithPeer(300);
        assertThat(active.wished().inSync()).containsExactly(Bench.A, Bench.B);
        active.applies("v10");
        assertThat(active.sent(Message.EpochChanged.class)).hasSize(1);
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
    }

    /** Found by the simulator: the grow was sent again by itself after writes had been acknowledged without the joiner. */
    @Test
    void aGrowWhoseVersionMovedIsNotSentAgainForAJoinerThatIsGone() {
        Bench active = Bench.alone();
        active.linked(Role.IDLE, CopyState.BLANK, 0, 0, Bench.PEER_LIFE);
        active.says(new Message.Attached(8, active.session));
        active.fill();
        active.granted();
        active.says(new Message.Sealed(8, active.session, active.word()));
        assertThat(active.wished().inSync()).containsExactly(Bench.A, Bench.B);
        active.on(new Event.LinkDown(Bench.B, Cause.LOST));
        long token = active.last(Effect.CasArbiter.class).token();
        ArbiterRecord unmoved = active.core.view().arbiter().orElseThrow();
        active.on(new Event.CasConflict(token, unmoved, "v8-address", "uid-l")).clear();
        active.writes(1, 0, 4096).pass(2_000);
        assertThat(active.replied(1)).isTrue();
        assertThat(active.has(Effect.CasArbiter.class)).isFalse();
    }
}
