package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.mirror.core.Message;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two networks between two mirrors, one of which is cut: bytes vanish, no connection is closed. */
class PathSwitchTest {
    private static final String UID = "0a1b2c3d-machine";
    /** 50 ms as in production; the switch is to take less than 200 ms on an idle machine. */
    private static final int BEACON_MILLIS = 50;

    @TempDir
    Path folder;

    private final TestAuthority authority = new TestAuthority();
    private final List<CutProxy> networks = new ArrayList<>();
    private @Nullable LinkSide a;
    private @Nullable LinkSide b;
    private long session = 100;

    private LinkSide a() {
        return java.util.Objects.requireNonNull(a);
    }

    private LinkSide b() {
        return java.util.Objects.requireNonNull(b);
    }

    @BeforeEach
    void connect() throws Exception {
        a = new LinkSide(UID, "a", authority.write(folder.resolve("a"), authority.copy(UID, "a")), BEACON_MILLIS, true);
        b = new LinkSide(UID, "b", authority.write(folder.resolve("b"), authority.copy(UID, "b")), BEACON_MILLIS, true);
        networks.add(new CutProxy("127.0.0.1", a().port));
        networks.add(new CutProxy("127.0.0.2", a().port));
        List<PeerAddress> addresses = networks.stream().map(CutProxy::address).toList();
        a().run(() -> a().link.announce(addresses));
        b().run(() -> b().link.announce(List.of(b().at("127.0.0.3"), b().at("127.0.0.4"))));
        b().run(() -> b().link.peers(Map.of(a().copy, addresses)));
        await().atMost(Duration.ofSeconds(10)).until(() -> a().up != null && b().up != null);
        assertThat(carrier())
                .as("the first address is the best")
                .isEqualTo(networks.get(0).address().toString());
        await().atMost(Duration.ofSeconds(10)).until(() -> pathsUp() == 2 && a().up != null && b().up != null);
        beginSession();
        await().atMost(Duration.ofSeconds(10))
                .until(() -> a().beacons.size() > 5 && b().beacons.size() > 5);
    }

    private int pathsUp() {
        return b().on(() -> b().link.pathsUp(a().copy)).size();
    }

    private void beginSession() {
        session++;
        a().run(() -> a().link.setBeacons(b().copy, session, false));
        b().run(() -> b().link.setBeacons(a().copy, session, true));
    }

    private String carrier() {
        return java.util.Objects.requireNonNull(b().up).path();
    }

    private void cut(int network) {
        networks.get(network).cut();
        a().link.beacons().lost = i -> i == network;
        b().link.beacons().lost = i -> i == network;
    }

    private void heal(int network) {
        networks.get(network).heal();
        a().link.beacons().lost = i -> false;
        b().link.beacons().lost = i -> false;
    }

    @AfterEach
    void close() throws Exception {
        for (CutProxy network : networks) {
            network.close();
        }
        a().close();
        b().close();
    }

    @Test
    void framesMoveToTheOtherNetworkWhenTheirsIsCut() {
        assertThat(carrier()).isEqualTo(networks.get(0).address().toString());
        int heardBefore = a().beacons.size();
        long cutAt = System.nanoTime();
        cut(0);
        await().atMost(Duration.ofSeconds(5))
                .pollInterval(Duration.ofMillis(5))
                .until(() -> a().story.size() == 3 && b().story.size() == 3);
        long took = Duration.ofNanos(System.nanoTime() - cutAt).toMillis();
        assertThat(b().story).containsExactly("up a", "down a LOST", "up a");
        assertThat(a().story).containsExactly("up b", "down b LOST", "up b");
        assertThat(carrier()).isEqualTo(networks.get(1).address().toString());
        assertThat(took).as("milliseconds to switch").isLessThan(1_000); // generous: the machine may be busy
        a().run(() -> a().link.send(b().copy, new Message.Goodbye(1, session)));
        await().atMost(Duration.ofSeconds(5)).until(() -> b().messages.size() == 1);
        assertThat(a().beacons.size()).as("beacons went on meanwhile").isGreaterThan(heardBefore);
    }

    @Test
    void theOtherNetworkMayBeCutThenAndNothingMoves() throws Exception {
        cut(1);
        int before = b().beacons.size();
        await().atMost(Duration.ofSeconds(5)).until(() -> b().beacons.size() > before + 20); // a second
        assertThat(a().story).containsExactly("up b");
        assertThat(carrier()).isEqualTo(networks.get(0).address().toString());
        await().atMost(Duration.ofSeconds(10)).until(() -> pathsUp() == 1); // its connection is given up meanwhile
        heal(1);
        await().atMost(Duration.ofSeconds(10)).until(() -> pathsUp() == 2);
        assertThat(a().story).containsExactly("up b");
    }

    @Test
    void afterACutAHealAndAnotherCutFramesMoveBack() {
        cut(0);
        await().atMost(Duration.ofSeconds(5))
                .until(() -> a().story.size() == 3 && b().story.size() == 3);
        beginSession();
        heal(0);
        await().atMost(Duration.ofSeconds(10)).until(() -> pathsUp() == 2);
        int before = b().beacons.size();
        await().atMost(Duration.ofSeconds(5)).until(() -> b().beacons.size() > before + 5);
        assertThat(carrier()).isEqualTo(networks.get(1).address().toString());
        cut(1);
        await().atMost(Duration.ofSeconds(5))
                .until(() -> a().story.size() == 5 && b().story.size() == 5);
        assertThat(carrier()).isEqualTo(networks.get(0).address().toString());
    }
}
