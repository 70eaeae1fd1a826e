package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pairvm.mirror.core.Message;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Two networks that the kernel cuts, by dropping packets. Runs only in a network namespace of its own, as root: {@code unshare -n
 * make test} or the like; elsewhere it is skipped, for its rules would touch the machine's packets.
 */
class KernelCutTest {
    private static final String UID = "0a1b2c3d-machine";
    private static final List<String> HOSTS = List.of("10.91.1.1", "10.91.2.1");

    @TempDir
    Path folder;

    private final TestAuthority authority = new TestAuthority();
    private @Nullable LinkSide a;
    private @Nullable LinkSide b;

    private LinkSide a() {
        return java.util.Objects.requireNonNull(a);
    }

    private LinkSide b() {
        return java.util.Objects.requireNonNull(b);
    }

    private static boolean run(String... command) {
        try {
            return new ProcessBuilder(command).inheritIO().start().waitFor() == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    @BeforeEach
    void connect() throws Exception {
        assumeTrue(
                Files.readAllLines(Path.of("/proc/net/dev")).stream()
                        .skip(2)
                        .allMatch(card -> card.strip().startsWith("lo:")),
                "needs a network namespace of its own");
        assumeTrue(run("ip", "link", "set", "lo", "up"), "needs iproute2 and root");
        for (String host : HOSTS) {
            run("ip", "address", "replace", host + "/32", "dev", "lo");
        }
        assumeTrue(
                run("nft", "add table inet cut; add chain inet cut out { type filter hook output priority 0; }"),
                "needs nft");
        a = new LinkSide(UID, "a", authority.write(folder.resolve("a"), authority.copy(UID, "a")), 50, true);
        b = new LinkSide(UID, "b", authority.write(folder.resolve("b"), authority.copy(UID, "b")), 50, true);
        List<PeerAddress> ofA = HOSTS.stream().map(a()::at).toList();
        a().run(() -> a().link.announce(ofA));
        b().run(() -> b().link.announce(HOSTS.stream().map(b()::at).toList()));
        b().run(() -> b().link.peers(Map.of(a().copy, ofA)));
        await().atMost(Duration.ofSeconds(10))
                .until(() -> b().on(() -> b().link.pathsUp(a().copy)).size() == 2 && a().up != null && b().up != null);
        a().run(() -> a().link.setBeacons(b().copy, 7, false));
        b().run(() -> b().link.setBeacons(a().copy, 7, true));
        await().atMost(Duration.ofSeconds(10))
                .until(() -> a().beacons.size() > 10 && b().beacons.size() > 10);
        assertThat(path()).isEqualTo(ofA.getFirst().toString());
    }

    private String path() {
        return java.util.Objects.requireNonNull(b().up).path();
    }

    @AfterEach
    void close() throws Exception {
        if (a != null && b != null) {
            run("nft", "delete table inet cut");
            a().close();
            b().close();
        }
    }

    private static void drop(String what) {
        assertThat(run("nft", "add rule inet cut out " + what + " drop")).isTrue();
    }

    /** What is cut on the first network; A and B stand for TCP ports, U and V for the UDP ports of a and b. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "ip daddr 10.91.1.1", // all of it
                "ip daddr 10.91.1.1 tcp dport A", // frames from b to a, beacons go on
                "ip daddr 10.91.1.1 tcp sport A", // frames from a to b, beacons go on
                "ip daddr 10.91.1.1 udp dport V" // beacons from a to b
            })
    void framesMoveToTheOtherNetwork(String cut) {
        drop(cut.replace(" A", " " + a().port)
                .replace(" V", " " + b().link.beacons().port()));
        long cutAt = System.nanoTime();
        // both send, as a pair at work does: only one of them may be the one that is not acknowledged
        a().run(() -> a().link.send(b().copy, new Message.Flush(1, 7, 1, 0)));
        b().run(() -> b().link.send(a().copy, new Message.Flush(1, 7, 1, 0)));
        await().pollInterval(Duration.ofMillis(5))
                .atMost(Duration.ofSeconds(5))
                .until(() -> a().story.size() == 3 && b().story.size() == 3);
        long took = Duration.ofNanos(System.nanoTime() - cutAt).toMillis();
        assertThat(b().story).containsExactly("up a", "down a LOST", "up a");
        assertThat(a().story).containsExactly("up b", "down b LOST", "up b");
        assertThat(path()).isEqualTo(a().at(HOSTS.get(1)).toString());
        assertThat(took).as("milliseconds; generous, the machine may be busy").isLessThan(1_000);
        int before = b().messages.size();
        a().run(() -> a().link.send(b().copy, new Message.Goodbye(1, 7)));
        await().atMost(Duration.ofSeconds(5)).until(() -> b().messages.size() == before + 1);
    }

    @Test
    void aStoppedProcessIsNoCutNetwork() throws Exception {
        // a's loop stands still; its kernel acknowledges, so frames stay where they are
        java.util.concurrent.CountDownLatch stuck = new java.util.concurrent.CountDownLatch(1);
        var blocked = a().loop.submit(() -> {
            stuck.await();
            return true;
        });
        int before = b().beacons.size();
        b().run(() -> b().link.send(a().copy, new Message.Flush(1, 7, 1, 0)));
        await().atMost(Duration.ofSeconds(10)).until(() -> b().beacons.size() > before + 16);
        assertThat(b().story).containsExactly("up a");
        stuck.countDown();
        await().atMost(Duration.ofSeconds(5))
                .until(() -> blocked.isDone() && a().messages.size() == 1);
        assertThat(b().story).containsExactly("up a");
    }
}
