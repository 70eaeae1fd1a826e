package dev.pairvm.mirror.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.core.CoreView.Resyncing.Pace;
import org.junit.jupiter.api.Test;

/** A resync beside a guest whose latency is a matter of how fast the resync goes. */
class ResyncPaceTest {
    private static final long MILLI = 1_000_000;
    private static final long SECOND = 1_000 * MILLI;

    private final Outbox out = new Outbox();
    private final Foreground guest = new Foreground(out, 150);
    private long now = SECOND;
    private long moved;
    /** What was begun in the last ten milliseconds, bytes per second. */
    private long speed;

    private boolean measured;

    /** What a request takes while the resync moves so many bytes per second. */
    private interface Load {
        long latency(long bytesPerSecond, int number);
    }

    private ResyncPace pace(long cap) {
        at(now);
        return new ResyncPace(out, guest, cap);
    }

    private void at(long time) {
        now = time;
        out.begin(now, effect -> {});
    }

    /** Each step of a resync is answered within a millisecond; the guest asks so often. */
    private long run(ResyncPace pace, long millis, int requestsPerMilli, Load load) {
        long before = moved;
        long tenth = 0;
        int number = 0;
        for (long end = now + millis * MILLI; now < end; ) {
            at(now + MILLI);
            for (int i = 0; i < requestsPerMilli; i++) {
                guest.answered(Foreground.Kind.WRITE, load.latency(speed, number++));
            }
            long underWay = 0;
            for (long may = pace.allowance(underWay); may > 0; may = pace.allowance(underWay)) {
                pace.took(may);
                underWay += may;
            }
            measured |= pace.pace() == Pace.MEASURING;
            moved += underWay;
            tenth += underWay;
            if (now / MILLI % 10 == 0) {
                speed = tenth * 100;
                tenth = 0;
            }
        }
        return (moved - before) * 1000 / millis;
    }

    @Test
    void aQuietGuestIsNoReasonToGoSlowly() {
        long rate = run(pace(Long.MAX_VALUE), 500, 0, (speed, n) -> 0);

        assertThat(rate).isGreaterThan(4_000_000_000L);
        assertThat(measured).isFalse();
    }

    @Test
    void aGuestThatIsNotDisturbedLetsItGoFaster() {
        ResyncPace pace = pace(Long.MAX_VALUE);
        run(pace, 3_000, 5, (speed, n) -> 100_000);

        assertThat(run(pace, 3_000, 5, (speed, n) -> 100_000)).isGreaterThan(300_000_000);
        assertThat(measured).isTrue();
    }

    @Test
    void itSettlesWhereTheGuestStillHasWhatItIsAllowed() {
        ResyncPace pace = pace(Long.MAX_VALUE);
        Load load = (speed, n) -> 100_000 + speed / 2_000; // 150 us at 100 MB/s
        run(pace, 8_000, 5, load);

        assertThat(run(pace, 20_000, 5, load)).isBetween(40_000_000L, 130_000_000L);
    }

    @Test
    void oneLateRequestInTwoHundredIsAllowed() {
        ResyncPace pace = pace(Long.MAX_VALUE);
        run(pace, 8_000, 5, (speed, n) -> speed > 0 && n % 250 == 0 ? 10 * MILLI : 100_000);

        assertThat(pace.pace()).isEqualTo(Pace.HELD_BACK);
        assertThat(run(pace, 1_000, 5, (speed, n) -> 100_000)).isGreaterThan(100_000_000);
    }

    @Test
    void itIsNeverStarvedHoweverMuchTheGuestSuffers() {
        ResyncPace pace = pace(Long.MAX_VALUE);
        Load load = (speed, n) -> speed > 0 ? 5 * MILLI : 100_000;
        run(pace, 5_000, 5, load);
        assertThat(pace.pace()).isIn(Pace.AT_FLOOR, Pace.MEASURING);

        assertThat(run(pace, 30_000, 5, load)).isBetween(ResyncPace.FLOOR * 9 / 10, ResyncPace.FLOOR * 2);
    }

    @Test
    void theCapHoldsBesideAQuietGuestToo() {
        ResyncPace pace = pace(50_000_000);
        run(pace, 1_000, 0, (speed, n) -> 0);

        assertThat(run(pace, 5_000, 0, (speed, n) -> 0)).isBetween(45_000_000L, 51_000_000L);
        assertThat(pace.pace()).isEqualTo(Pace.AT_CAP);
    }

    @Test
    void aGuestThatGetsBusierIsMeasuredAnewAndNotJudgedByItsPast() {
        ResyncPace pace = pace(Long.MAX_VALUE);
        run(pace, 5_000, 5, (speed, n) -> 100_000);
        run(pace, 40_000, 5, (speed, n) -> 400_000);

        assertThat(run(pace, 5_000, 5, (speed, n) -> 400_000)).isGreaterThan(100_000_000);
    }

    @Test
    void whatTheGuestStoppedWantingIsNotHeldBackFor() {
        ResyncPace pace = pace(Long.MAX_VALUE);
        run(pace, 5_000, 5, (speed, n) -> speed > 0 ? 5 * MILLI : 100_000);
        run(pace, 1_500, 0, (speed, n) -> 0);

        assertThat(pace.pace()).isEqualTo(Pace.FULL);
        assertThat(run(pace, 500, 0, (speed, n) -> 0)).isGreaterThan(1_000_000_000);
    }

    @Test
    void zeroesOnBothSidesCostNothing() {
        ResyncPace pace = pace(ResyncPace.FLOOR);
        long compared = 0;
        for (int i = 0; i < 1_000; i++) {
            at(now + MILLI);
            long may = pace.allowance(0);
            pace.took(may);
            pace.giveBack(may);
            compared += may;
        }
        assertThat(compared).isGreaterThan(10 * ResyncPace.FLOOR);
    }

    @Test
    void aFewRequestsThatWaitLongAreABusyGuest() {
        at(now);
        for (int i = 0; i < 4; i++) {
            at(now + 100 * MILLI);
            guest.answered(Foreground.Kind.READ, 100 * MILLI);
        }
        assertThat(guest.busy()).isTrue();

        at(now + 2 * SECOND);
        guest.answered(Foreground.Kind.READ, MILLI);
        assertThat(guest.busy()).isFalse();
    }

    @Test
    void theNinetyNinthPercentileIsAtMostASixteenthTooHigh() {
        Latencies latencies = new Latencies();
        assertThat(latencies.p99()).isEqualTo(Long.MAX_VALUE);
        for (int i = 1; i <= 1_000; i++) {
            latencies.add(i * 1_000L);
        }
        assertThat(latencies.p99()).isBetween(990_000L, 990_000L * 17 / 16);
        latencies.halve();
        assertThat(latencies.total()).isLessThanOrEqualTo(500);
        latencies.add(Long.MAX_VALUE);
        latencies.add(-1);
        assertThat(latencies.p99()).isBetween(900_000L, 1_100_000L);
    }
}
