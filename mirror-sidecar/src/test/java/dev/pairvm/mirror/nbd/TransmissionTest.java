package dev.pairvm.mirror.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.nbd.TestClient.Reply;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class TransmissionTest {
    private static final int READ = 0;
    private static final int WRITE = 1;
    private static final int DISC = 2;
    private static final int FLUSH = 3;
    private static final int TRIM = 4;
    private static final int CACHE = 5;
    private static final int ZEROES = 6;
    private static final int STATUS = 7;
    private static final int EPERM = 1;
    private static final int EIO = 5;
    private static final int EINVAL = 22;
    private static final int ENOSPC = 28;

    private static ServerFixture serving() throws IOException {
        return new ServerFixture(EpollIoHandler.newFactory(), NbdLimits.DEFAULT);
    }

    private static byte[] random(int length, long seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    /** Soon: a reply on its way to the socket may still use one, or use its object anew. */
    private static void everyBufferComesBack(ServerFixture fixture) {
        Awaitility.await()
                .untilAsserted(() -> assertThat(fixture.backend.buffers).allMatch(buffer -> buffer.refCnt() == 0));
    }

    @ParameterizedTest
    @ValueSource(strings = {"epoll simple", "epoll structured", "nio simple", "nio structured"})
    void whatIsWrittenIsReadWhateverTheSize(String mode) throws Exception {
        IoHandlerFactory transport = mode.startsWith("nio") ? NioIoHandler.newFactory() : EpollIoHandler.newFactory();
        try (ServerFixture fixture = new ServerFixture(transport, NbdLimits.DEFAULT);
                TestClient client = TestClient.opened(fixture.address(), "root", mode.endsWith("structured"))) {
            int[] sizes = {1, 511, 4096, 4097, 65_536, NbdConnection.INBOUND_BYTES, 1 << 20, (5 << 20) + 3, 32 << 20};
            for (int size : sizes) {
                byte[] bytes = random(size, size);
                assertThat(client.error(WRITE, 0, 1234, size, bytes)).isZero();
                assertThat(Arrays.equals(client.read(1234, size), bytes))
                        .as("%d bytes", size)
                        .isTrue();
            }
            everyBufferComesBack(fixture);
        }
    }

    /** Bytes that arrive one by one, and all requests of a burst in one segment. */
    @Test
    void segmentationDoesNotMatter() throws Exception {
        try (ServerFixture fixture = serving();
                TestClient client = TestClient.opened(fixture.address(), "root", true)) {
            ByteBuffer request = ByteBuffer.allocate(28 + 100);
            request.putInt(0x25609513)
                    .putShort((short) 0)
                    .putShort((short) WRITE)
                    .putLong(7)
                    .putLong(0)
                    .putInt(100);
            request.put(random(100, 1));
            for (byte b : request.array()) {
                client.out.write(b);
                client.out.flush();
            }
            assertThat(client.reply(0)).extracting(Reply::cookie, Reply::error).containsExactly(7L, 0);
            assertThat(client.read(0, 100)).isEqualTo(random(100, 1));
            ByteBuffer burst = ByteBuffer.allocate(300 * (28 + 512));
            for (int i = 0; i < 300; i++) {
                burst.putInt(0x25609513)
                        .putShort((short) 0)
                        .putShort((short) WRITE)
                        .putLong(1000 + i);
                burst.putLong(i * 512L).putInt(512).put(random(512, i));
            }
            client.out.write(burst.array());
            client.out.flush();
            Set<Long> cookies = new HashSet<>();
            for (int i = 0; i < 300; i++) {
                Reply reply = client.reply(0);
                assertThat(reply.error()).isZero();
                cookies.add(reply.cookie());
            }
            assertThat(cookies).hasSize(300);
            assertThat(client.read(299 * 512, 512)).isEqualTo(random(512, 299));
        }
    }

    @Test
    void commandsReachTheBackendWithTheirFlags() throws Exception {
        try (ServerFixture fixture = serving();
                TestClient client = TestClient.openedWithBlockStatus(fixture.address(), "root")) {
            assertThat(client.error(WRITE, 1, 512, 4, new byte[4])).isZero();
            assertThat(client.error(FLUSH, 0, 0, 0)).isZero();
            assertThat(client.error(TRIM, 1, 0, 4096)).isZero();
            assertThat(client.error(CACHE, 0, 0, 4096)).isZero();
            assertThat(client.error(ZEROES, 0, 0, ServerFixture.SIZE)).isZero();
            assertThat(client.error(ZEROES, 0b10011, 0, 512)).isZero();
            assertThat(client.error(READ, 0b101, 0, 512)).isZero();
            assertThat(fixture.backend.calls)
                    .containsExactly(
                            "write 512+4 fua",
                            "flush",
                            "trim 0+4096 fua",
                            "cache 0+4096",
                            "zero 0+" + ServerFixture.SIZE + " punch",
                            "zero 0+512 fast fua",
                            "read 0+512");
        }
    }

    @Test
    void emptyRequestsSucceedAndNeverReachTheBackend() throws Exception {
        for (boolean structured : new boolean[] {false, true}) {
            try (ServerFixture fixture = serving();
                    TestClient client = TestClient.opened(fixture.address(), "root", structured)) {
                for (int command : new int[] {READ, WRITE, TRIM, CACHE, ZEROES}) {
                    assertThat(client.error(command, 0, ServerFixture.SIZE, 0)).isZero();
                    assertThat(client.error(command, 0, ServerFixture.SIZE + 1, 0))
                            .isNotZero();
                }
                assertThat(fixture.backend.calls).isEmpty();
            }
        }
    }

    @Test
    void blockStatusJoinsCutsAndLimits() throws Exception {
        try (ServerFixture fixture = serving();
                TestClient client = TestClient.openedWithBlockStatus(fixture.address(), "root")) {
            client.send(STATUS, 0, 32 << 10, 200 << 10);
            ByteBuffer extents = ByteBuffer.wrap(client.reply(0).data());
            assertThat(extents.getInt()).as("context").isEqualTo(1);
            int[] expected = {32 << 10, 0, 64 << 10, 3, 64 << 10, 0, 40 << 10, 3};
            for (int value : expected) {
                assertThat(extents.getInt()).isEqualTo(value);
            }
            assertThat(extents.hasRemaining()).isFalse();
            client.send(STATUS, 0b1000, 0, 200 << 10);
            extents = ByteBuffer.wrap(client.reply(0).data());
            assertThat(extents.remaining()).as("one extent when asked for one").isEqualTo(12);
            client.send(STATUS, 0, 0, ServerFixture.SIZE);
            extents = ByteBuffer.wrap(client.reply(0).data());
            assertThat(extents.remaining()).isEqualTo(4 + 8 * (ServerFixture.SIZE >> 16));
            fixture.backend.fail(NbdError.EIO);
            assertThat(client.error(STATUS, 0, 0, 4096)).isEqualTo(EIO);
        }
    }

    @Test
    void wrongRequestsGetTheErrorOfTheProtocolAndHarmNothing() throws Exception {
        for (boolean structured : new boolean[] {false, true}) {
            try (ServerFixture fixture = serving();
                    TestClient client = TestClient.opened(fixture.address(), "root", structured)) {
                long end = ServerFixture.SIZE;
                byte[] four = new byte[4];
                assertThat(client.error(99, 0, 0, 0)).as("unknown command").isEqualTo(EINVAL);
                assertThat(client.error(8, 0, 0, 0)).as("resize").isEqualTo(EINVAL);
                assertThat(client.error(STATUS, 0, 0, 4096))
                        .as("status not agreed")
                        .isEqualTo(EINVAL);
                assertThat(client.error(READ, 0, end - 1, 2))
                        .as("read over the end")
                        .isEqualTo(EINVAL);
                assertThat(client.error(READ, 0, -1, 1)).as("read at 2^64-1").isEqualTo(EINVAL);
                assertThat(client.error(READ, 0, Long.MAX_VALUE, 0x7fffffffL)).isEqualTo(EINVAL);
                assertThat(client.error(READ, 0, 0, (32 << 20) + 1))
                        .as("too long")
                        .isEqualTo(EINVAL);
                assertThat(client.error(WRITE, 0, end - 2, 4, four))
                        .as("write over the end")
                        .isEqualTo(ENOSPC);
                assertThat(client.error(WRITE, 0, -4, 4, four)).isEqualTo(ENOSPC);
                assertThat(client.error(WRITE, 0x8000, 0, 4, four))
                        .as("unknown flag")
                        .isEqualTo(EINVAL);
                assertThat(client.error(ZEROES, 0, end, 1)).isEqualTo(ENOSPC);
                assertThat(client.error(TRIM, 0b10, 0, 1))
                        .as("flag of another command")
                        .isEqualTo(EINVAL);
                assertThat(client.error(FLUSH, 0, 0, 1)).as("flush of a range").isEqualTo(EINVAL);
                assertThat(client.error(READ, 0b100, 0, 1)).isEqualTo(structured ? 0 : EINVAL);
                assertThat(fixture.backend.calls).hasSize(structured ? 1 : 0);
                assertThat(client.error(WRITE, 0, 0, 4, four))
                        .as("and it still works")
                        .isZero();
            }
        }
    }

    @Test
    void refusedWriteIsReadPastWithoutBeingKept() throws Exception {
        try (ServerFixture fixture = serving();
                TestClient client = TestClient.opened(fixture.address(), "root", true)) {
            int length = 48 << 20;
            assertThat(client.error(WRITE, 0, 0, length, new byte[length])).isEqualTo(EINVAL);
            assertThat(client.error(FLUSH, 0, 0, 0)).isZero();
        }
        try (ServerFixture fixture = serving();
                TestClient client = TestClient.opened(fixture.address(), "ro", true)) {
            assertThat(client.error(WRITE, 0, 0, 4096, new byte[4096])).isEqualTo(EPERM);
            assertThat(client.error(TRIM, 0, 0, 4096)).isEqualTo(EPERM);
            assertThat(client.error(ZEROES, 0, 0, 4096)).isEqualTo(EPERM);
            assertThat(client.read(0, 10)).containsOnly(0);
            assertThat(fixture.backend.calls).containsExactly("read 0+10");
        }
        try (ServerFixture fixture = serving();
                TestClient client = TestClient.opened(fixture.address(), "blocky", true)) {
            assertThat(client.error(WRITE, 0, 512, 4096, new byte[4096]))
                    .as("offset")
                    .isEqualTo(EINVAL);
            assertThat(client.error(WRITE, 0, 0, 512, new byte[512]))
                    .as("length")
                    .isEqualTo(EINVAL);
            assertThat(client.error(WRITE, 0, 4096, 4096, new byte[4096])).isZero();
        }
    }

    @Test
    void backendFailuresReachTheClient() throws Exception {
        for (boolean structured : new boolean[] {false, true}) {
            try (ServerFixture fixture = serving();
                    TestClient client = TestClient.opened(fixture.address(), "root", structured)) {
                for (NbdError error : NbdError.values()) {
                    fixture.backend.fail(error);
                    assertThat(client.error(READ, 0, 0, 512)).isEqualTo(error.wire());
                    assertThat(client.error(WRITE, 0, 0, 4, new byte[4])).isEqualTo(error.wire());
                    assertThat(client.error(FLUSH, 0, 0, 0)).isEqualTo(error.wire());
                }
                everyBufferComesBack(fixture);
            }
        }
    }

    /** The guest's I/O is suspended: one connection hangs, the others do not notice. */
    @Test
    void heldRequestsHoldNobodyElse() throws Exception {
        try (ServerFixture fixture = serving();
                TestClient suspended = TestClient.opened(fixture.address(), "root", true)) {
            fixture.backend.hold();
            long write = suspended.send(WRITE, 0, 0, 4, new byte[] {1, 2, 3, 4});
            long flush = suspended.send(FLUSH, 0, 0, 0);
            Awaitility.await().until(() -> fixture.backend.held() == 2);
            try (TestClient other = TestClient.greeted(fixture.address())) {
                other.option(3, new byte[0]);
                assertThat(other.optionReplies()).hasSize(4);
                other.go("root");
                assertThat(other.error(99, 0, 0, 0)).isEqualTo(EINVAL);
            }
            fixture.onLoop(fixture.backend::release);
            assertThat(suspended.reply(0))
                    .extracting(Reply::cookie, Reply::error)
                    .containsExactly(write, 0);
            assertThat(suspended.reply(0))
                    .extracting(Reply::cookie, Reply::error)
                    .containsExactly(flush, 0);
        }
    }

    @Test
    void answersOfADisconnectedClientAreDroppedAndItsBuffersReleased() throws Exception {
        try (ServerFixture fixture = serving()) {
            fixture.backend.hold();
            TestClient client = TestClient.opened(fixture.address(), "root", true);
            client.send(WRITE, 0, 0, 4096, new byte[4096]);
            client.send(READ, 0, 0, 1 << 20);
            client.send(STATUS, 0, 0, 1);
            Awaitility.await().until(() -> fixture.backend.held() == 2);
            client.reset();
            Awaitility.await().until(() -> fixture.server.connections() == 0);
            assertThat(fixture.backend.buffers)
                    .as("the backend still works with them")
                    .hasSize(2)
                    .allMatch(buffer -> buffer.refCnt() == 1);
            fixture.onLoop(fixture.backend::release);
            everyBufferComesBack(fixture);
        }
    }

    /** A client whose request will never be answered must not wait for ever: it is disconnected and asks again. */
    @Test
    void abandonedRequestsCloseTheirConnection() throws Exception {
        try (ServerFixture fixture = serving();
                TestClient client = TestClient.opened(fixture.address(), "root", true);
                TestClient other = TestClient.opened(fixture.address(), "root", true)) {
            fixture.backend.hold();
            client.send(WRITE, 0, 0, 4096, new byte[4096]);
            client.send(FLUSH, 0, 0, 0);
            Awaitility.await().until(() -> fixture.backend.held() == 2);
            fixture.onLoop(fixture.backend::abandonHeld);
            assertThat(client.closedByServer()).isTrue();
            assertThat(other.error(FLUSH, 0, 0, 0)).isZero();
            everyBufferComesBack(fixture);
            assertThat(fixture.backend.calls).contains("gone, remaining 1");
        }
    }

    @Test
    void disconnectWaitsForWhatIsUnderWay() throws Exception {
        try (ServerFixture fixture = serving();
                TestClient client = TestClient.opened(fixture.address(), "root", true)) {
            fixture.backend.hold();
            long write = client.send(WRITE, 0, 0, 4, new byte[4]);
            client.send(DISC, 0, 0, 0);
            Awaitility.await().until(() -> fixture.backend.held() == 1);
            fixture.onLoop(fixture.backend::release);
            assertThat(client.reply(0)).extracting(Reply::cookie, Reply::error).containsExactly(write, 0);
            assertThat(client.closedByServer()).isTrue();
        }
    }

    @Test
    void brokenMagicTruncatedPayloadAndHalfCloseEndOnlyThatConnection() throws Exception {
        try (ServerFixture fixture = serving();
                TestClient healthy = TestClient.opened(fixture.address(), "root", true)) {
            try (TestClient client = TestClient.opened(fixture.address(), "root", true)) {
                client.out.write(random(500, 4));
                client.out.flush();
                assertThat(client.closedByServer()).isTrue();
            }
            try (TestClient client = TestClient.opened(fixture.address(), "root", true)) {
                client.send(WRITE, 0, 0, 1 << 20, new byte[1000]);
                client.shutdownOutput();
                assertThat(client.closedByServer()).isTrue();
            }
            try (TestClient client = TestClient.opened(fixture.address(), "root", true)) {
                client.send(WRITE, 0, 0, 1 << 20, new byte[1000]);
                client.reset();
            }
            Awaitility.await().until(() -> fixture.server.connections() == 1);
            assertThat(fixture.backend.calls)
                    .as("half a write is no write")
                    .hasSize(3)
                    .containsOnly("gone, remaining 1");
            assertThat(healthy.error(WRITE, 0, 0, 4, new byte[4])).isZero();
        }
    }

    /** Random bytes after a good handshake: whatever they mean by chance, the server must stay alive and its memory bounded. */
    @Test
    void fuzzedRequestsNeverHarmOthers() throws Exception {
        try (ServerFixture fixture = serving();
                TestClient healthy = TestClient.opened(fixture.address(), "root", true)) {
            for (long seed = 0; seed < 150; seed++) {
                Random random = new Random(seed);
                try (TestClient client = TestClient.openedWithBlockStatus(fixture.address(), "root")) {
                    for (int i = 0; i < 20; i++) {
                        int command = random.nextInt(10);
                        long length =
                                random.nextBoolean() ? random.nextInt(5000) : Integer.toUnsignedLong(random.nextInt());
                        long offset = random.nextBoolean() ? random.nextInt(ServerFixture.SIZE) : random.nextLong();
                        client.send(command, random.nextInt(32), offset, length, new byte[random.nextInt(3000)]);
                    }
                } catch (IOException e) {
                    // It was thrown out, as it should be.
                }
            }
            assertThat(healthy.error(FLUSH, 0, 0, 0)).isZero();
            Awaitility.await().until(() -> fixture.server.connections() == 1);
            everyBufferComesBack(fixture);
        }
    }

    @Test
    void requestsBeyondTheBoundsWaitInTheSocket() throws Exception {
        try (ServerFixture fixture =
                        new ServerFixture(EpollIoHandler.newFactory(), ServerFixture.limits(4, 8, 1 << 20));
                TestClient client = TestClient.opened(fixture.address(), "root", true)) {
            fixture.backend.hold();
            for (int i = 0; i < 20; i++) {
                client.send(FLUSH, 0, 0, 0);
            }
            Awaitility.await().until(() -> fixture.backend.held() == 8);
            // A turn of the loop later there are still no more.
            fixture.onLoop(() -> {});
            assertThat(fixture.backend.held()).isEqualTo(8);
            fixture.onLoop(fixture.backend::release);
            for (int i = 0; i < 20; i++) {
                assertThat(client.reply(0).error()).isZero();
            }
            fixture.backend.hold();
            for (int i = 0; i < 6; i++) {
                client.send(WRITE, 0, 0, 400 << 10, new byte[400 << 10]);
            }
            Awaitility.await().until(() -> fixture.backend.held() == 2);
            fixture.onLoop(() -> {});
            assertThat(fixture.backend.held()).as("two fit into 1 MiB").isEqualTo(2);
            fixture.onLoop(fixture.backend::release);
            for (int i = 0; i < 6; i++) {
                assertThat(client.reply(0).error()).isZero();
            }
            assertThat(client.error(WRITE, 0, 0, 8 << 20, new byte[8 << 20]))
                    .as("a single larger one goes through alone")
                    .isZero();
        }
    }

    /** A client that asks for much and never reads the answers is not served further, and costs no more memory. */
    @Test
    void clientThatTakesNoAnswersIsNotServedOn() throws Exception {
        try (ServerFixture fixture = serving()) {
            TestClient greedy = TestClient.opened(fixture.address(), "root", true);
            int asked = 2000;
            Thread sender = Thread.ofVirtual().start(() -> {
                try {
                    for (int i = 0; i < asked; i++) {
                        greedy.send(READ, 0, 0, 1 << 20);
                    }
                } catch (IOException e) {
                    // Closed at the end of the test.
                }
            });
            Awaitility.await().until(() -> fixture.backend.calls.size() > 1);
            try (TestClient other = TestClient.opened(fixture.address(), "root", true)) {
                for (int i = 0; i < 50; i++) {
                    assertThat(other.error(FLUSH, 0, 0, 0)).isZero();
                }
            }
            long unreleased = fixture.backend.buffers.stream()
                    .filter(buffer -> buffer.refCnt() > 0)
                    .count();
            assertThat(unreleased).as("MiB kept for it").isLessThan(32);
            greedy.reset();
            sender.join();
            everyBufferComesBack(fixture);
        }
    }

    @Test
    void closingTheServerDisconnectsEverybody() throws Exception {
        ServerFixture fixture = serving();
        try (TestClient client = TestClient.opened(fixture.address(), "root", true)) {
            fixture.close();
            assertThat(client.closedByServer()).isTrue();
        }
    }
}
