package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.ArbiterRecord.Mode;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Level 3: who may take over from a twin is recorded before it counts and withdrawn before the guest speaks freely. */
class TwinTest {
    /** An active at epoch 9 whose twin has been asked for. */
    private static Bench starting() {
        Bench active = Bench.paired();
        active.passWithPeer(50).clear();
        active.on(new Event.TwinWished(true));
        assertThat(active.all(Effect.BeginTwin.class)).containsExactly(new Effect.BeginTwin(Bench.B));
        return active;
    }

    /** The same at epoch 10, where it is recorded. */
    private static Bench running() {
        Bench active = starting();
        assertThat(active.has(Effect.CasArbiter.class))
                .as("nothing is recorded before it runs")
                .isFalse();
        active.on(new Event.TwinRuns());
        assertThat(active.wished().mode()).isEqualTo(Mode.FT);
        assertThat(active.wished().inSync()).containsExactly(Bench.A, Bench.B);
        active.applies("v10").passWithPeer(50);
        assertThat(active.sent(Message.EpochChanged.class).getLast().arbiter().mode())
                .isEqualTo(Mode.FT);
        assertThat(active.core.role()).isEqualTo(Role.ACTIVE);
        return active.clear();
    }

    private static ArbiterRecord record(long epoch, Mode mode) {
        return new ArbiterRecord(
                new dev.pairvm.api.mirror.Epoch(epoch),
                Bench.A,
                new TreeSet<>(java.util.List.of(Bench.A, Bench.B)),
                mode,
                "n" + epoch,
                new TreeMap<>());
    }

    @Test
    void loweringTheLevelIsRecordedBeforeTheGuestSpeaksFreely() {
        Bench active = running();
        active.on(new Event.TwinWished(false));
        assertThat(active.wished().mode()).isEqualTo(Mode.HA);
        assertThat(active.has(Effect.EndTwin.class)).isFalse();
        active.on(new Event.CasUnresolved(active.last(Effect.CasArbiter.class).token(), "timeout"));
        active.passWithPeer(500);
        assertThat(active.has(Effect.EndTwin.class)).as("in doubt").isFalse();
        active.applies("v11");
        assertThat(active.all(Effect.EndTwin.class)).hasSize(1);
        active.clear().passWithPeer(1000);
        assertThat(active.has(Effect.BeginTwin.class)).isFalse();
    }

    @Test
    void aPeerThatIsLostIsShrunkAwayAndTheTwinWithIt() {
        Bench active = running();
        active.pass(400);
        assertThat(active.wished().inSync()).containsExactly(Bench.A);
        assertThat(active.wished().mode()).isEqualTo(Mode.HA);
        assertThat(active.has(Effect.EndTwin.class)).isFalse();
        active.applies("v11");
        assertThat(active.all(Effect.EndTwin.class)).hasSize(1);
    }

    /** Channels end with the link, so the twin has, although the pair never shrank. */
    @Test
    void aLinkThatComesBackInTimeEndsTheTwinAllTheSame() {
        Bench active = running();
        active.on(new Event.LinkDown(Bench.B, Event.LinkDown.Cause.CLOSED_BY_PEER));
        active.linked(Role.IDLE, CopyState.IN_SYNC, 10, active.sealedAs, Bench.PEER_LIFE);
        active.says(new Message.Attached(10, active.session));
        active.granted().passWithPeer(50);
        assertThat(active.wished().mode()).isEqualTo(Mode.HA);
        assertThat(active.wished().inSync()).containsExactly(Bench.A, Bench.B);
        active.applies("v11");
        assertThat(active.all(Effect.EndTwin.class)).hasSize(1);
        active.clear().passWithPeer(50);
        assertThat(active.has(Effect.BeginTwin.class)).as("still wished").isTrue();
    }

    @Test
    void aTwinThatEndsByItselfIsWithdrawnNamedAndTriedAgainLater() {
        Bench active = running();
        active.on(new Event.TwinEnded("the peer's QEMU exited"));
        assertThat(active.last(Effect.RaiseProblem.class).problem().message()).contains("the peer's QEMU exited");
        assertThat(active.wished().mode()).isEqualTo(Mode.HA);
        assertThat(active.has(Effect.EndTwin.class)).isFalse();
        active.applies("v11");
        assertThat(active.all(Effect.EndTwin.class)).hasSize(1);
        active.clear().passWithPeer(4_500);
        assertThat(active.has(Effect.BeginTwin.class)).isFalse();
        active.passWithPeer(1_000);
        assertThat(active.has(Effect.BeginTwin.class)).isTrue();
    }

    @Test
    void aStartThatFailsRecordsNothingAndWaitsLongerEachTime() {
        Bench active = starting();
        long waited = 5_000;
        for (int attempt = 0; attempt < 3; attempt++) {
            active.clear().on(new Event.TwinEnded("no memory"));
            assertThat(active.has(Effect.EndTwin.class)).isTrue();
            assertThat(active.has(Effect.CasArbiter.class)).isFalse();
            active.clear().passWithPeer(waited - 100);
            assertThat(active.has(Effect.BeginTwin.class)).isFalse();
            active.passWithPeer(200);
            assertThat(active.has(Effect.BeginTwin.class)).isTrue();
            waited *= 2;
        }
    }

    /** The change to FT got no answer: it may land at any time, so it has to be overtaken, not forgotten. */
    @Test
    void aRecordingInDoubtIsWithdrawnByTheRecordToo() {
        Bench active = starting();
        active.on(new Event.TwinRuns());
        active.on(new Event.CasUnresolved(active.last(Effect.CasArbiter.class).token(), "timeout"));
        active.on(new Event.TwinEnded("a checkpoint failed")).passWithPeer(300);
        assertThat(active.has(Effect.EndTwin.class)).isFalse();
        assertThat(active.wished().mode()).isEqualTo(Mode.HA);
        active.on(new Event.CasConflict(
                active.last(Effect.CasArbiter.class).token(),
                new ArbiterRecord(
                        new dev.pairvm.api.mirror.Epoch(10),
                        Bench.A,
                        new TreeSet<>(java.util.List.of(Bench.A, Bench.B)),
                        Mode.FT,
                        active.all(Effect.CasArbiter.class).getFirst().next().nonce(),
                        new TreeMap<>()),
                "v10",
                "uid-l"));
        active.passWithPeer(300);
        assertThat(active.has(Effect.EndTwin.class)).as("FT landed").isFalse();
        assertThat(active.wished().mode()).isEqualTo(Mode.HA);
        assertThat(active.wished().epoch().value()).isEqualTo(11);
        active.applies("v11");
        assertThat(active.all(Effect.EndTwin.class)).hasSize(1);
    }

    @Test
    void aTwinTakesOverWithoutWaitingForTheActivesProcess() {
        Bench standby = Bench.standby();
        standby.says(new Message.EpochChanged(10, standby.session, record(10, Mode.FT)));
        standby.on(new Event.LinkDown(Bench.A, Event.LinkDown.Cause.CLOSED_BY_PEER))
                .pass(600);
        standby.reads(record(10, Mode.FT), "v10");
        assertThat(standby.wished().active()).isEqualTo(Bench.B);
        assertThat(standby.wished().mode()).isEqualTo(Mode.HA);
        standby.applies("v11");
        assertThat(standby.last(Effect.StartGuest.class).cause()).isEqualTo(Effect.StartCause.TAKEN_OVER);
    }

    /** The active withdrew it and spoke freely since: what this side's twin has is behind. */
    @Test
    void aTwinThatIsNotRecordedAnyMoreIsNotTakenOver() {
        Bench standby = Bench.standby();
        standby.says(new Message.EpochChanged(10, standby.session, record(10, Mode.FT)));
        standby.on(new Event.LinkDown(Bench.A, Event.LinkDown.Cause.LOST)).pass(600);
        standby.reads(record(11, Mode.HA), "v11").applies("v12");
        assertThat(standby.last(Effect.StartGuest.class).cause()).isEqualTo(Effect.StartCause.PROMOTED);
    }

    @Test
    void anActiveThatStartsAgainWithdrawsTheTwinOfItsEarlierLife() {
        Bench active = new Bench(Bench.A).started(Bench.superblock(Bench.A, CopyState.IN_SYNC, 10, 5), true);
        active.reads(record(10, Mode.FT), "v10");
        assertThat(active.wished().mode()).isEqualTo(Mode.HA);
    }

    /** Planned: the guest stands still before the record can name the peer, whose twin goes on. */
    @Test
    void aHandOverStopsTheGuestAndNamesThePeer() {
        Bench active = running();
        active.on(new Event.HandOverRequested(Bench.B));
        assertThat(active.effects.indexOf(active.last(Effect.FreezeGuest.class)))
                .isLessThan(active.effects.indexOf(active.last(Effect.CasArbiter.class)));
        assertThat(active.wished().active()).isEqualTo(Bench.B);
        assertThat(active.wished().inSync()).containsExactly(Bench.B);
        assertThat(active.wished().mode()).isEqualTo(Mode.FT);
        assertThat(active.has(Effect.KillGuest.class)).isFalse();
        active.applies("v11");
        assertThat(active.has(Effect.KillGuest.class)).isTrue();
        assertThat(active.sent(Message.HandedOver.class)).hasSize(1);
        assertThat(active.last(Effect.OrderEnded.class).refusal()).isEmpty();
    }

    @Test
    void aHandOverThatTheArbiterNeverHeardOfIsTakenBack() {
        Bench active = running();
        active.on(new Event.HandOverRequested(Bench.B));
        active.on(new Event.ArbiterUnreachable(
                active.last(Effect.CasArbiter.class).token(), "refused"));
        assertThat(active.has(Effect.ThawGuest.class)).isTrue();
        assertThat(active.last(Effect.OrderEnded.class).refusal()).contains("arbiter");
        active.clear().passWithPeer(500);
        assertThat(active.has(Effect.CasArbiter.class)).isFalse();
        assertThat(active.has(Effect.EndTwin.class)).isFalse();
    }

    /** In doubt it stays still, for the peer may be the active already; only a record that says otherwise lets it go on. */
    @Test
    void aHandOverWhosePeerIsLostGoesOnHereOnceTheRecordSaysSo() {
        Bench active = running();
        active.on(new Event.HandOverRequested(Bench.B));
        active.on(new Event.CasUnresolved(active.last(Effect.CasArbiter.class).token(), "timeout"));
        active.pass(600);
        assertThat(active.has(Effect.ThawGuest.class)).isFalse();
        assertThat(active.wished().inSync()).containsExactly(Bench.A);
        active.applies("v11");
        assertThat(active.has(Effect.ThawGuest.class)).isTrue();
        assertThat(active.has(Effect.EndTwin.class)).isTrue();
        assertThat(active.last(Effect.OrderEnded.class).refusal()).contains("lost");
    }

    /** Another guest here would say and write what a twin that goes on from before takes back. */
    @Test
    void aGuestThatDiesGoesOnAsItsTwin() {
        Bench active = running();
        active.on(new Event.GuestDied());
        assertThat(active.wished().active()).isEqualTo(Bench.B);
        assertThat(active.wished().mode()).isEqualTo(Mode.FT);
        assertThat(active.has(Effect.EndTwin.class)).isFalse();
        active.applies("v11");
        assertThat(active.core.role()).isEqualTo(Role.IDLE);
    }

    @Test
    void aGuestThatDiesBeforeItsTwinIsRecordedBootsHereWhenNothingIsInDoubt() {
        Bench active = starting();
        active.on(new Event.TwinRuns());
        active.on(new Event.GuestDied());
        assertThat(active.has(Effect.EndTwin.class)).isFalse();
        assertThat(active.wished().mode()).isEqualTo(Mode.HA);
        active.applies("v11");
        assertThat(active.has(Effect.EndTwin.class)).isTrue();
    }

    @Test
    void aTwinThatIsHandedTheGuestGoesOnAtOnce() {
        Bench standby = Bench.standby();
        standby.on(new Event.TwinArrived());
        standby.says(new Message.EpochChanged(10, standby.session, record(10, Mode.FT)));
        standby.clear().says(new Message.HandedOver(11, standby.session, false));
        assertThat(standby.has(Effect.CutTwin.class)).isTrue();
        standby.reads(
                new ArbiterRecord(
                        new dev.pairvm.api.mirror.Epoch(11),
                        Bench.B,
                        new TreeSet<>(java.util.List.of(Bench.B)),
                        Mode.FT,
                        "n11",
                        new TreeMap<>()),
                "v11");
        assertThat(standby.wished().mode()).isEqualTo(Mode.HA);
        standby.applies("v12");
        assertThat(standby.last(Effect.StartGuest.class).cause()).isEqualTo(Effect.StartCause.TAKEN_OVER);
        assertThat(standby.has(Effect.KillGuest.class)).isFalse();
    }

    @Test
    void aDiskGrowsWithoutATwinAndItComesBackAfterwards() {
        Bench active = running();
        active.on(new Event.GrowRequested(0, 80 * Bench.MB));
        active.passWithPeer(50);
        assertThat(active.wished().mode()).isEqualTo(Mode.HA);
        assertThat(active.sent(Message.Grow.class)).isEmpty();
        active.applies("v11").passWithPeer(50);
        assertThat(active.has(Effect.EndTwin.class)).isTrue();
        assertThat(active.sent(Message.Grow.class)).hasSize(1);
        assertThat(active.has(Effect.BeginTwin.class)).isFalse();
        active.says(new Message.Grown(11, active.session, 0, 80 * Bench.MB));
        active.passWithPeer(100);
        assertThat(active.has(Effect.BeginTwin.class)).isTrue();
    }
}
