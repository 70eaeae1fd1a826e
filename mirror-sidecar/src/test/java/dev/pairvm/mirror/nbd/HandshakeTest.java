package dev.pairvm.mirror.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.nbd.TestClient.OptionReply;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class HandshakeTest {
    private ServerFixture fixture;

    @BeforeEach
    void serve() throws IOException {
        fixture = new ServerFixture(EpollIoHandler.newFactory(), NbdLimits.DEFAULT);
    }

    @AfterEach
    void stop() {
        fixture.close();
    }

    private TestClient greeted() throws IOException {
        return TestClient.greeted(fixture.address());
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void goGivesSizeAndFlags() throws IOException {
        try (TestClient client = TestClient.opened(fixture.address(), "root", true)) {
            assertThat(client.size).isEqualTo(ServerFixture.SIZE);
            // flags, flush, FUA, trim, write zeroes, DF, multi-conn, cache, fast zero
            assertThat(client.flags).isEqualTo(0b1101_1110_1101);
        }
        try (TestClient client = TestClient.opened(fixture.address(), "root", false)) {
            assertThat(client.flags & 1 << 7)
                    .as("no DF without structured replies")
                    .isZero();
        }
        try (TestClient client = TestClient.opened(fixture.address(), "ro", true)) {
            assertThat(client.flags & 0b10).as("read-only").isEqualTo(2);
            assertThat(client.flags & 1 << 6).as("no write zeroes").isZero();
        }
    }

    @Test
    void oldExportNameWorksWithAndWithoutTheZeroes() throws IOException {
        for (int clientFlags : new int[] {3, 1}) {
            try (TestClient client = TestClient.silent(fixture.address())) {
                client.readGreeting();
                client.out.writeInt(clientFlags);
                client.option(1, utf8("root"));
                assertThat(client.in.readLong()).isEqualTo(ServerFixture.SIZE);
                client.in.readUnsignedShort();
                if (clientFlags == 1) {
                    assertThat(client.in.readNBytes(124)).containsOnly(0);
                }
                assertThat(client.error(3, 0, 0, 0)).isZero();
            }
        }
    }

    @Test
    void emptyNameIsTheFirstExport() throws IOException {
        try (TestClient client = TestClient.opened(fixture.address(), "", false)) {
            assertThat(client.size).isEqualTo(ServerFixture.SIZE);
        }
    }

    @Test
    void listNamesEveryExport() throws IOException {
        try (TestClient client = greeted()) {
            client.option(3, new byte[0]);
            List<OptionReply> replies = client.optionReplies();
            assertThat(replies).hasSize(4);
            assertThat(replies.getFirst().text()).contains("root").contains("the system disk");
            assertThat(ByteBuffer.wrap(replies.getFirst().data()).getInt()).isEqualTo(4);
        }
    }

    @Test
    void infoAnswersWhatWasAskedAndIgnoresWhatItDoesNotKnow() throws IOException {
        try (TestClient client = greeted()) {
            client.option(6, TestClient.infoRequest("blocky", 3, 1, 999, 2));
            List<OptionReply> replies = client.optionReplies();
            assertThat(replies).hasSize(5);
            ByteBuffer blocks = ByteBuffer.wrap(replies.get(1).data());
            assertThat(blocks.getShort()).isEqualTo((short) 3);
            assertThat(blocks.getInt()).isEqualTo(4096);
            assertThat(blocks.getInt()).isEqualTo(4096);
            assertThat(blocks.getInt()).isEqualTo(32 << 20);
            assertThat(replies.get(2).text()).endsWith("blocky");
            // Still in the handshake.
            client.go("root");
        }
    }

    @Test
    void unknownExportIsAnErrorForGoAndTheEndForExportName() throws IOException {
        try (TestClient client = greeted()) {
            client.option(7, TestClient.infoRequest("nosuch"));
            assertThat(client.optionReply().type()).isEqualTo(0x80000006);
            client.go("root");
        }
        try (TestClient client = greeted()) {
            client.option(1, utf8("nosuch"));
            assertThat(client.closedByServer()).isTrue();
        }
    }

    @Test
    void startTlsIsRefusedByPolicyAndUnknownOptionsAsUnsupported() throws IOException {
        try (TestClient client = greeted()) {
            client.option(5, new byte[0]);
            assertThat(client.optionReply().type()).isEqualTo(0x80000002);
            client.option(5, new byte[1]);
            assertThat(client.optionReply().type()).isEqualTo(0x80000003);
            for (int option : new int[] {0, 4, 11, 99, -1}) {
                client.option(option, new byte[5]);
                OptionReply reply = client.optionReply();
                assertThat(reply.option()).isEqualTo(option);
                assertThat(reply.type()).isEqualTo(0x80000001);
            }
            client.go("root");
        }
    }

    @Test
    void abortIsAcknowledgedAndCloses() throws IOException {
        try (TestClient client = greeted()) {
            client.option(2, new byte[0]);
            assertThat(client.optionReply().type()).isEqualTo(1);
            assertThat(client.closedByServer()).isTrue();
        }
    }

    @Test
    void metaContextsNeedStructuredRepliesAndTheSameExport() throws IOException {
        try (TestClient client = greeted()) {
            client.option(10, TestClient.metaQuery("root", "base:allocation"));
            assertThat(client.optionReply().type()).isEqualTo(0x80000003);
            client.option(8, new byte[0]);
            client.optionReply();
            client.structured = true;
            client.option(9, TestClient.metaQuery("root"));
            assertThat(client.optionReplies()).hasSize(2);
            client.option(9, TestClient.metaQuery("root", "base:"));
            assertThat(client.optionReplies()).hasSize(2);
            client.option(10, TestClient.metaQuery("root", "base:"));
            assertThat(client.optionReplies()).as("a wildcard selects nothing").hasSize(1);
            client.option(9, TestClient.metaQuery("root", "qemu:dirty-bitmap:x", "nonsense"));
            assertThat(client.optionReplies()).hasSize(1);
            client.option(10, TestClient.metaQuery("nosuch", "base:allocation"));
            assertThat(client.optionReply().type()).isEqualTo(0x80000006);
            client.option(10, TestClient.metaQuery("ro", "base:allocation"));
            assertThat(client.optionReplies()).hasSize(2);
            client.go("root");
            assertThat(client.error(7, 0, 0, 4096))
                    .as("selected for another export: not agreed")
                    .isEqualTo(22);
        }
    }

    /** Lengths inside an option that point outside it, in every place where there is one. */
    @Test
    void lyingLengthsInsideOptionsAreInvalid() throws IOException {
        byte[] nameTooLong = ByteBuffer.allocate(10).putInt(100).array();
        byte[] negative = ByteBuffer.allocate(10).putInt(-1).array();
        byte[] tooManyInfos = ByteBuffer.allocate(10)
                .putInt(4)
                .put(utf8("root"))
                .putShort((short) 50)
                .array();
        try (TestClient client = greeted()) {
            client.option(8, new byte[0]);
            client.optionReply();
            for (int option : new int[] {6, 7, 9, 10}) {
                for (byte[] data :
                        List.of(new byte[0], new byte[1], new byte[3], nameTooLong, negative, tooManyInfos)) {
                    client.option(option, data);
                    assertThat(client.optionReply().type()).isEqualTo(0x80000003);
                }
            }
            client.option(
                    10,
                    ByteBuffer.allocate(12)
                            .putInt(4)
                            .put(utf8("root"))
                            .putInt(Integer.MAX_VALUE)
                            .array());
            assertThat(client.optionReply().type()).isEqualTo(0x80000003);
            client.option(3, new byte[7]);
            assertThat(client.optionReply().type()).isEqualTo(0x80000003);
            client.go("root");
            assertThat(client.error(3, 0, 0, 0)).as("and it still works").isZero();
        }
    }

    @Test
    void hugeOptionIsSkippedWithAnError() throws IOException {
        try (TestClient client = greeted()) {
            client.option(7, new byte[3 << 20]);
            assertThat(client.optionReply().type()).isEqualTo(0x80000009);
            client.go("root");
        }
        try (TestClient client = greeted()) {
            // Only the header, so that the close can not meet a write of ours.
            client.out.writeLong(0x49484156454F5054L);
            client.out.writeInt(1);
            client.out.writeInt(1 << 20);
            client.out.flush();
            assertThat(client.closedByServer()).isTrue();
        }
    }

    @Test
    void garbageAndWrongFlagsCloseTheConnection() throws IOException {
        try (TestClient client = TestClient.silent(fixture.address())) {
            client.readGreeting();
            client.out.writeInt(0xffff);
            client.out.flush();
            assertThat(client.closedByServer()).isTrue();
        }
        try (TestClient client = greeted()) {
            client.out.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            client.out.flush();
            assertThat(client.closedByServer()).isTrue();
        }
        try (TestClient client = TestClient.opened(fixture.address(), "root", true)) {
            assertThat(client.size).as("others are served").isEqualTo(ServerFixture.SIZE);
        }
    }

    @Test
    void clientThatNeverChoosesIsClosed() throws IOException {
        NbdLimits hasty = new NbdLimits(4, 4, 1 << 20, Duration.ofMillis(200));
        try (ServerFixture impatient = new ServerFixture(EpollIoHandler.newFactory(), hasty);
                TestClient client = TestClient.greeted(impatient.address());
                TestClient active = TestClient.opened(impatient.address(), "root", true)) {
            assertThat(client.closedByServer()).isTrue();
            assertThat(active.error(3, 0, 0, 0))
                    .as("the limit is over once it has chosen")
                    .isZero();
        }
    }

    @Test
    void onlySoManyConnections() throws IOException {
        try (ServerFixture small = new ServerFixture(EpollIoHandler.newFactory(), ServerFixture.limits(2, 4, 1 << 20));
                TestClient first = TestClient.opened(small.address(), "root", true)) {
            TestClient second = TestClient.opened(small.address(), "root", true);
            try (TestClient third = TestClient.silent(small.address())) {
                assertThat(third.closedByServer()).isTrue();
            }
            second.close();
            org.awaitility.Awaitility.await().until(() -> small.server.connections() == 1);
            try (TestClient again = TestClient.opened(small.address(), "root", true)) {
                assertThat(again.size).isEqualTo(first.size);
            }
        }
    }
}
