package dev.pairvm.mirror.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.internal.PlatformDependent;
import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Many clients that mean no good, or nothing at all, beside one that works: it must not notice. */
@Timeout(120)
class HostileClientsTest {
    private static final int CONNECTS = 10_000;
    /** Open at once, over and above what the server takes. */
    private static final int OPEN = 300;

    /** A client that writes and reads back, over and over. */
    private static final class Witness implements AutoCloseable {
        private final AtomicBoolean stop = new AtomicBoolean();
        private final AtomicLong rounds = new AtomicLong();
        private final AtomicLong slowestNanos = new AtomicLong();
        private final CompletableFuture<Void> end;

        Witness(InetSocketAddress address) throws IOException {
            TestClient client = TestClient.opened(address, "root", true);
            end = CompletableFuture.runAsync(() -> {
                try (client) {
                    byte[] payload = new byte[4096];
                    for (int i = 0; !stop.get(); i++) {
                        Arrays.fill(payload, (byte) i);
                        long from = System.nanoTime();
                        assertThat(client.error(1, 0, 4096L * (i % 100), payload.length, payload))
                                .isZero();
                        assertThat(client.read(4096L * (i % 100), payload.length))
                                .isEqualTo(payload);
                        slowestNanos.accumulateAndGet(System.nanoTime() - from, Math::max);
                        rounds.incrementAndGet();
                    }
                } catch (IOException e) {
                    throw new AssertionError("the witness was disturbed", e);
                }
            });
        }

        void goesOn() {
            long before = rounds.get();
            await().atMost(Duration.ofSeconds(20)).until(() -> end.isDone() || rounds.get() > before + 10);
            assertThat(end).isNotCompletedExceptionally().isNotDone();
        }

        @Override
        public void close() throws Exception {
            stop.set(true);
            end.get(20, TimeUnit.SECONDS);
        }
    }

    private static int openFiles() {
        String[] files = new File("/proc/self/fd").list();
        return files == null ? 0 : files.length;
    }

    private static byte[] nonsense(Random random) {
        return switch (random.nextInt(4)) {
            case 0 -> "GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
            case 1 -> new byte[] {0, 0, 0, 3, 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 7, 0x7f, -1, -1, -1};
            case 2 -> new byte[] {0, 0, 0, 3};
            default -> {
                byte[] noise = new byte[1 + random.nextInt(3000)];
                random.nextBytes(noise);
                yield noise;
            }
        };
    }

    @Test
    void tenThousandConnectsLeaveNothingBehind() throws Exception {
        try (ServerFixture fixture = new ServerFixture(EpollIoHandler.newFactory(), NbdLimits.DEFAULT);
                Witness witness = new Witness(fixture.address())) {
            witness.goesOn();
            int filesBefore = openFiles();
            long memoryBefore = PlatformDependent.usedDirectMemory();
            long mostMemory = memoryBefore;
            int mostConnections = 0;
            Random random = new Random(3);
            ArrayDeque<Socket> open = new ArrayDeque<>();
            for (int i = 0; i < CONNECTS; i++) {
                Socket socket = new Socket(
                        fixture.address().getAddress(), fixture.address().getPort());
                open.add(socket);
                try {
                    if (random.nextBoolean()) {
                        socket.getOutputStream().write(nonsense(random));
                    }
                    if (random.nextInt(4) == 0) {
                        socket.shutdownOutput();
                    }
                } catch (IOException e) {
                    // refused and closed already
                }
                if (open.size() > OPEN) {
                    Socket oldest = open.remove();
                    if (random.nextBoolean()) {
                        oldest.setSoLinger(true, 0);
                    }
                    oldest.close();
                }
                mostMemory = Math.max(mostMemory, PlatformDependent.usedDirectMemory());
                mostConnections = Math.max(mostConnections, fixture.server.connections());
            }
            witness.goesOn();
            for (Socket socket : open) {
                socket.close();
            }
            await().atMost(Duration.ofSeconds(20)).until(() -> fixture.server.connections() == 1);
            await().atMost(Duration.ofSeconds(20)).until(() -> openFiles() <= filesBefore + 5);
            assertThat(mostConnections).isLessThanOrEqualTo(NbdLimits.DEFAULT.maxConnections() + 1);
            assertThat(mostMemory - memoryBefore).as("direct memory, bytes").isLessThan(32 << 20);
            try (TestClient late = TestClient.opened(fixture.address(), "root", true)) {
                assertThat(late.size).isEqualTo(ServerFixture.SIZE);
            }
            witness.goesOn();
            // Generous: ten thousand connects share the machine's processors with the witness and with other tests.
            assertThat(Duration.ofNanos(witness.slowestNanos.get())).isLessThan(Duration.ofSeconds(5));
        }
    }

    @Test
    void clientsThatSendAByteNowAndThenAreClosedInTime() throws Exception {
        NbdLimits hasty = new NbdLimits(16, 16, 1 << 20, Duration.ofMillis(600));
        try (ServerFixture fixture = new ServerFixture(EpollIoHandler.newFactory(), hasty);
                Witness witness = new Witness(fixture.address())) {
            byte[] greeting = {0, 0, 0, 3, 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 7};
            List<TestClient> slow = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                slow.add(TestClient.silent(fixture.address()));
            }
            long from = System.nanoTime();
            for (int at = 0; fixture.server.connections() > 1; at = (at + 1) % greeting.length) {
                for (TestClient each : slow) {
                    try {
                        each.out.write(greeting[at]);
                        each.out.flush();
                    } catch (IOException e) {
                        // closed by the server
                    }
                }
                witness.goesOn();
                assertThat(Duration.ofNanos(System.nanoTime() - from)).isLessThan(Duration.ofSeconds(15));
            }
            for (TestClient each : slow) {
                each.close();
            }
        }
    }

    /** Else those who sit in all places without a word would keep a guest out that has lost its connection. */
    @Test
    void clientsThatDoNotChooseGiveWay() throws Exception {
        try (ServerFixture fixture =
                new ServerFixture(EpollIoHandler.newFactory(), ServerFixture.limits(4, 4, 1 << 20))) {
            List<TestClient> idle = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                idle.add(TestClient.greeted(fixture.address()));
            }
            await().atMost(Duration.ofSeconds(20))
                    .pollInterval(Duration.ofMillis(100))
                    .until(() -> {
                        try (TestClient guest = TestClient.opened(fixture.address(), "root", true)) {
                            return guest.error(3, 0, 0, 0) == 0;
                        } catch (IOException refused) {
                            return false;
                        }
                    });
            assertThat(idle.getFirst().closedByServer())
                    .as("the longest silent")
                    .isTrue();
            for (TestClient each : idle) {
                each.close();
            }
        }
    }

    /** A suspended machine answers nobody. Who asks, leaves and comes again must not pile up requests in its memory. */
    @Test
    void whoLeavesKeepsItsPlaceUntilWhatItAskedForHasEnded() throws Exception {
        try (ServerFixture fixture =
                new ServerFixture(EpollIoHandler.newFactory(), ServerFixture.limits(3, 8, 1 << 20))) {
            fixture.backend.hold();
            for (int round = 0; round < 3; round++) {
                TestClient client = TestClient.opened(fixture.address(), "root", true);
                for (int i = 0; i < 8; i++) {
                    client.send(1, 0, 4096L * i, 4096, new byte[4096]);
                }
                client.send(1, 0, 0, 4096, new byte[100]); // a part of one more, which waits in the socket
                int expected = 8 * (round + 1);
                await().until(() -> fixture.backend.held() == expected);
                client.reset();
                await().until(() -> fixture.server.connections() == 0);
            }
            for (int i = 0; i < 20; i++) {
                try (TestClient further = TestClient.silent(fixture.address())) {
                    assertThat(further.closedByServer()).isTrue();
                }
            }
            assertThat(fixture.backend.held()).isEqualTo(24);
            fixture.onLoop(fixture.backend::release);
            try (TestClient again = TestClient.opened(fixture.address(), "root", true)) {
                assertThat(again.error(3, 0, 0, 0)).isZero();
            }
            // Buffer objects are used again: the last client's own may be among them until it is gone.
            await().until(() -> fixture.backend.buffers.stream().allMatch(buffer -> buffer.refCnt() == 0));
        }
    }

    /** The same for requests that are given up, as those of a dead guest are, and for a write whose payload never came whole. */
    @Test
    void placesComeBackHoweverRequestsEnd() throws Exception {
        try (ServerFixture fixture =
                new ServerFixture(EpollIoHandler.newFactory(), ServerFixture.limits(2, 8, 1 << 20))) {
            for (int round = 0; round < 10; round++) {
                fixture.backend.hold();
                TestClient client = TestClient.opened(fixture.address(), "root", true);
                client.send(0, 0, 0, 4096);
                client.send(1, 0, 0, 4096, new byte[100]);
                await().until(() -> fixture.backend.held() == 1);
                client.reset();
                await().until(() -> fixture.server.connections() == 0);
                boolean abandon = round % 2 == 0;
                fixture.onLoop(abandon ? fixture.backend::abandonHeld : fixture.backend::release);
            }
            try (TestClient one = TestClient.opened(fixture.address(), "root", true);
                    TestClient two = TestClient.opened(fixture.address(), "root", true)) {
                assertThat(one.error(3, 0, 0, 0) + two.error(3, 0, 0, 0)).isZero();
            }
        }
    }
}
