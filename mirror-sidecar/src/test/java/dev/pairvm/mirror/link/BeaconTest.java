package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.mirror.core.Event;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BeaconTest {
    private static final String UID = "0a1b2c3d-machine";
    private static final long SESSION = 0xfeedL;

    @TempDir
    Path folder;

    private final TestAuthority authority = new TestAuthority();
    private @Nullable LinkSide a;
    private @Nullable LinkSide b;

    @BeforeEach
    void connect() throws Exception {
        LinkSide one = new LinkSide(UID, "a", authority.write(folder.resolve("a"), authority.copy(UID, "a")));
        LinkSide two = new LinkSide(UID, "b", authority.write(folder.resolve("b"), authority.copy(UID, "b")));
        a = one;
        b = two;
        one.run(() -> one.link.announce(List.of(one.at("127.0.0.1"))));
        two.run(() -> two.link.announce(List.of(two.at("127.0.0.1"))));
        two.knows(one, one.at("127.0.0.1"));
        await().atMost(Duration.ofSeconds(10)).until(() -> one.up != null && two.up != null);
    }

    @AfterEach
    void close() throws Exception {
        a().close();
        b().close();
    }

    private LinkSide a() {
        return java.util.Objects.requireNonNull(a);
    }

    private LinkSide b() {
        return java.util.Objects.requireNonNull(b);
    }

    private void begin(LinkSide side, LinkSide other, long session, boolean granting) {
        side.run(() -> side.link.setBeacons(other.copy, session, granting));
    }

    @Test
    void onlyAGrantingPeerGrants() {
        begin(a(), b(), SESSION, false);
        begin(b(), a(), SESSION, true);
        await().atMost(Duration.ofSeconds(5))
                .until(() -> a().beacons.size() > 5 && b().beacons.size() > 5);
        assertThat(a().beacons).extracting(Event.BeaconHeard::session).containsOnly(SESSION);
        assertThat(b().beacons).extracting(Event.BeaconHeard::grantedSentAt).containsOnly(0L);
        List<Long> grants = a().beacons.stream()
                .map(Event.BeaconHeard::grantedSentAt)
                .filter(at -> at != 0)
                .toList();
        assertThat(grants).isNotEmpty().isSorted();
        for (Event.BeaconHeard heard : a().beacons) {
            assertThat(heard.grantedSentAt()).isLessThan(heard.receivedAt());
        }
        assertThat(a().on(() -> a().link.roundTripNanos(b().copy)).orElseThrow())
                .isBetween(1L, Duration.ofMillis(200).toNanos());
    }

    @Test
    void aPromiseIsNotedBeforeItIsGivenAndBindsBeyondItsSession() {
        begin(a(), b(), SESSION, false);
        begin(b(), a(), SESSION, true);
        await().atMost(Duration.ofSeconds(5))
                .until(() -> a().beacons.stream().anyMatch(each -> each.grantedSentAt() != 0));
        begin(b(), a(), SESSION + 1, false); // a new session replaces the one that granted
        long lastGranted = b().link.beacons().stopGranting();
        a().run(() -> {}); // what had arrived is heard
        long newest = a().beacons.stream()
                .mapToLong(Event.BeaconHeard::grantedSentAt)
                .max()
                .orElseThrow();
        assertThat(newest).isNotZero();
        // both clocks are this host's here: the beacon that was granted had been heard no later than noted
        assertThat(lastGranted).isGreaterThan(newest);
    }

    @Test
    void nothingIsGrantedAfterGrantingStopped() {
        begin(a(), b(), SESSION, false);
        begin(b(), a(), SESSION, true);
        await().atMost(Duration.ofSeconds(5))
                .until(() -> a().beacons.stream().anyMatch(each -> each.grantedSentAt() != 0));
        for (int round = 0; round < 20; round++) {
            long lastGranted = b().link.beacons().stopGranting();
            int before = a().beacons.size();
            await().atMost(Duration.ofSeconds(5)).until(() -> a().beacons.size() > before + 2);
            for (Event.BeaconHeard heard : a().beacons) {
                assertThat(heard.grantedSentAt()).isLessThan(lastGranted);
            }
            begin(b(), a(), SESSION, true);
        }
    }

    @Test
    void aStuckLoopIsToldByItsBeacons() throws Exception {
        begin(a(), b(), SESSION, false);
        begin(b(), a(), SESSION, true);
        b().run(b().link.beacons()::loopTicked);
        b().link.beacons().epoch(23);
        CountDownLatch stuck = new CountDownLatch(1);
        try {
            var done = b().loop.submit(() -> {
                stuck.await();
                return true;
            });
            await().atMost(Duration.ofSeconds(10)).until(() -> {
                LinkListener.PeerHealth health = a().health;
                return health != null && health.loopTickAgeMillis() > 300 && health.epoch() == 23;
            });
            assertThat(done.isDone()).isFalse();
        } finally {
            stuck.countDown();
        }
    }

    @Test
    void aLoopThatIsStuckForLongFallsSilentAndIsHeardAgainWhenItTurns() throws Exception {
        begin(a(), b(), SESSION, true);
        begin(b(), a(), SESSION, false);
        await().atMost(Duration.ofSeconds(5)).until(() -> a().beacons.size() > 2);
        CountDownLatch stuck = new CountDownLatch(1);
        try {
            b().loop.execute(() -> {
                try {
                    stuck.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            long interval = Duration.ofMillis(500).toMillis();
            await().atMost(Duration.ofSeconds(20))
                    .pollInterval(Duration.ofMillis(interval))
                    .until(() -> {
                        int before = a().beacons.size();
                        Thread.sleep(interval);
                        return a().beacons.size() == before;
                    });
            assertThat(java.util.Objects.requireNonNull(a().health).loopTickAgeMillis())
                    .as("the last that was heard of it")
                    .isBetween(2_000, 3_100);
        } finally {
            stuck.countDown();
        }
        int before = a().beacons.size();
        await().atMost(Duration.ofSeconds(10)).until(() -> a().beacons.size() > before + 2);
    }

    @Test
    void forgedReplayedAndForeignDatagramsAreRefused() throws Exception {
        begin(a(), b(), SESSION, false);
        begin(b(), a(), SESSION, true);
        await().atMost(Duration.ofSeconds(5)).until(() -> a().beacons.size() > 2);
        int port = a().link.beacons().port();
        ByteBuffer forged = ByteBuffer.allocate(Beacon.BYTES);
        Beacon lie = new Beacon(0, true, false, 1, Long.MAX_VALUE, 1, Long.MAX_VALUE / 2, 0, SESSION, 99, 0, 0);
        lie.write(forged, new Beacon.Seal(Secret.random()));
        long refusedBefore = a().link.beacons().counts().refused();
        Random random = new Random(7);
        try (DatagramChannel stranger = DatagramChannel.open()) {
            InetSocketAddress to = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
            stranger.send(forged, to);
            for (int i = 0; i < 200; i++) {
                byte[] noise = new byte[random.nextInt(200)];
                random.nextBytes(noise);
                stranger.send(ByteBuffer.wrap(noise), to);
            }
            // the peer's own key, but another session
            Beacon old = new Beacon(0, true, false, 1, 1_000_000, 1, 2, 0, SESSION - 1, 1, 0, 0);
            ByteBuffer replayed = ByteBuffer.allocate(Beacon.BYTES);
            old.write(replayed, new Beacon.Seal(b().link.beacons().key()));
            stranger.send(replayed, to);
            await().atMost(Duration.ofSeconds(5))
                    .until(() -> a().link.beacons().counts().refused() > refusedBefore + 10);
        }
        int before = a().beacons.size();
        await().atMost(Duration.ofSeconds(5)).until(() -> a().beacons.size() > before + 2);
        assertThat(a().beacons)
                .noneMatch(heard -> heard.grantedSentAt() == Long.MAX_VALUE / 2 || heard.grantedSentAt() == 2);
        LinkListener.PeerHealth health = a().health;
        assertThat(health).isNotNull();
        assertThat(java.util.Objects.requireNonNull(health).epoch()).isNotEqualTo(99);
    }

    @Test
    void aFlippedBitAnywhereIsRefused() {
        Beacon.Seal seal = new Beacon.Seal(Secret.random());
        Beacon beacon = new Beacon(1, true, true, 3, 5, 6, 7, 8, 9, 10, 11, 12);
        ByteBuffer wire = ByteBuffer.allocate(Beacon.BYTES);
        beacon.write(wire, seal);
        assertThat(Beacon.read(wire, seal)).isEqualTo(beacon);
        Beacon.readdress(wire, 4);
        assertThat(Beacon.read(wire, seal)).extracting(Beacon::to).isEqualTo(4);
        for (int bit = 0; bit < Beacon.TO_AT * 8; bit++) {
            wire.put(bit / 8, (byte) (wire.get(bit / 8) ^ 1 << bit % 8));
            assertThat(Beacon.read(wire, seal)).as("bit %d", bit).isNull();
            wire.put(bit / 8, (byte) (wire.get(bit / 8) ^ 1 << bit % 8));
        }
    }

    /** One path is always heard first: at the start of a session that once made a link move, and its standby reboot the guest. */
    @Test
    void aPathThatIsNotHeardYetIsNotSilent() {
        long interval = Duration.ofMillis(50).toNanos();
        BeaconSession session = new BeaconSession(SESSION, interval, false, new AtomicLong());
        long now = 1_000_000_000L;
        session.heard(new Beacon(1, false, false, 0b00, 1, now, 0, 0, SESSION, 1, 0, 0), now);
        assertThat(session.path(0, 0, now)).isEqualTo(Beacons.Path.UNKNOWN);
        for (int n = 2; n <= 4; n++) {
            now += interval;
            session.heard(new Beacon(1, false, false, 0b10, n, now, 0, 0, SESSION, 1, 0, 0), now);
        }
        assertThat(session.path(0, 0, now)).isEqualTo(Beacons.Path.SILENT);
        assertThat(session.path(1, 1, now)).isEqualTo(Beacons.Path.HEARD);
    }

    @Test
    void aPathIsSilentOnlyWhileAnotherIsHeard() {
        long interval = Duration.ofMillis(50).toNanos();
        BeaconSession session = new BeaconSession(SESSION, interval, false, new AtomicLong());
        long now = 1_000_000_000L;
        assertThat(session.path(0, 0, now)).isEqualTo(Beacons.Path.UNKNOWN);
        for (int n = 1; n <= 5; n++) {
            now += interval;
            session.heard(new Beacon(0, false, false, 0b11, n, now, 0, 0, SESSION, 1, 0, 0), now);
            session.heard(new Beacon(1, false, false, 0b11, n, now, 0, 0, SESSION, 1, 0, 0), now);
        }
        assertThat(session.path(0, 0, now)).isEqualTo(Beacons.Path.HEARD);
        for (int n = 6; n <= 8; n++) { // nothing comes in on address 0 any more
            now += interval;
            session.heard(new Beacon(1, false, false, 0b11, n, now, 0, 0, SESSION, 1, 0, 0), now);
        }
        assertThat(session.path(0, 0, now)).isEqualTo(Beacons.Path.SILENT);
        assertThat(session.path(1, 1, now)).isEqualTo(Beacons.Path.HEARD);
        now += interval;
        session.heard(
                new Beacon(1, false, false, 0b01, 9, now, 0, 0, SESSION, 1, 0, 0),
                now); // and the peer does not hear us on 1
        assertThat(session.path(1, 1, now)).isEqualTo(Beacons.Path.SILENT);
        assertThat(session.path(0, -1, now)).isEqualTo(Beacons.Path.HEARD);
        assertThat(session.path(1, 1, now + 3 * interval))
                .isEqualTo(Beacons.Path.UNKNOWN); // nothing at all: no verdict on paths
    }
}
