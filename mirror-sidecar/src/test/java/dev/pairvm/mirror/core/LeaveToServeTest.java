package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.core.Event.LinkDown.Cause;
import org.junit.jupiter.api.Test;

/** Lease, gate, suspension: an active serves only while nobody else can be promoted. */
class LeaveToServeTest {
    @Test
    void withoutLinkAndArbiterTheGuestFreezesAndGoesOnInPlace() {
        Bench active = Bench.paired();
        active.passWithPeer(100).on(new Event.LinkDown(Bench.B, Cause.LOST));
        active.pass(150)
                .on(new Event.ArbiterUnreachable(
                        active.last(Effect.CasArbiter.class).token(), "cut"));
        active.pass(300);
        assertThat(active.core.role()).isEqualTo(Role.SUSPENDED);
        assertThat(active.has(Effect.FreezeGuest.class)).isTrue();
        assertThat(active.has(Effect.CloseGate.class)).isTrue();
        active.writes(7, 0, 4096);

        long epoch = active.core.leadEpoch();
        long word = lineageOf(active);
        active.linked(Role.IDLE, CopyState.IN_SYNC, 9, word, Bench.PEER_LIFE);
        active.says(new Message.Attached(9, active.session)).granted();
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
        assertThat(active.core.leadEpoch()).isEqualTo(epoch);
        assertThat(active.has(Effect.ThawGuest.class)).isTrue();
        assertThat(active.sent(Message.Write.class)).hasSize(1);
    }

    @Test
    void anActiveReplacedMeanwhileKillsItsGuestAndNeverOpensTheGate() {
        Bench active = Bench.paired();
        active.passWithPeer(100).on(new Event.LinkDown(Bench.B, Cause.LOST)).pass(900);
        long token = active.last(Effect.ReadArbiter.class).token();
        active.clear().on(new Event.ArbiterRead(token, Bench.arbiter(10, Bench.B, Bench.B), "v10", "uid-l"));
        assertThat(active.core.role()).isEqualTo(Role.IDLE);
        assertThat(active.has(Effect.KillGuest.class)).isTrue();
        assertThat(active.has(Effect.RenewGate.class)).isFalse();
        assertThat(active.core.view().copyState()).isEqualTo(CopyState.STALE);
    }

    @Test
    void aloneNoLeaseIsNeededWhateverTheArbiterDoes() {
        Bench active = Bench.alone();
        active.pass(60_000);
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
        active.writes(1, 0, 4096);
        assertThat(active.replied(1)).isTrue();
    }

    @Test
    void theGateIsBoundedBeforeAGrowIsSent() {
        Bench active = Bench.paired();
        Bench again = Bench.alone();
        assertThat(again.last(Effect.RenewGate.class).untilNanos()).isEqualTo(Effect.RenewGate.ALONE);
        active.passWithPeer(100);
        assertThat(active.last(Effect.RenewGate.class).untilNanos()).isEqualTo(active.now() + 400_000_000L);
    }

    @Test
    void aWholePairDoesNotNeedTheArbiter() {
        Bench active = Bench.paired();
        active.passWithPeer(60_000);
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
        assertThat(active.has(Effect.ReadArbiter.class)).isFalse();
        assertThat(active.has(Effect.CasArbiter.class)).isFalse();
    }

    private static long lineageOf(Bench active) {
        active.on(new Event.LinkUp(new dev.pairvm.api.mirror.CopyId("c")));
        return active.sent(Message.Hello.class).getLast().lineage().current();
    }
}
