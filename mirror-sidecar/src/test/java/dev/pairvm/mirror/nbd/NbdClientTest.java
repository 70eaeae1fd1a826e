package dev.pairvm.mirror.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(60)
class NbdClientTest {
    private static final int SIZE = 1 << 20;

    @TempDir
    Path folder;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private final FakeBackend backend = new FakeBackend(SIZE);
    private final LinkedBlockingQueue<Integer> answers = new LinkedBlockingQueue<>();

    @AfterEach
    void endLoop() {
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).awaitUninterruptibly();
    }

    private NbdServer serve(Path socket) throws IOException {
        return NbdListener.onUnixSocket(socket, loop)
                .serve(
                        new NbdExports(List.of(
                                NbdExport.writable("disk", SIZE, backend), NbdExport.readOnly("fixed", SIZE, backend))),
                        NbdLimits.DEFAULT);
    }

    private NbdClient open(Path socket, String export, long size) throws Exception {
        return NbdClient.connect(socket, export, size, loop).get(20, TimeUnit.SECONDS);
    }

    private void onLoop(Runnable action) throws Exception {
        loop.submit(action).get(20, TimeUnit.SECONDS);
    }

    private int answer() throws InterruptedException {
        Integer errno = answers.poll(20, TimeUnit.SECONDS);
        return errno == null ? -1 : errno;
    }

    @Test
    void requestsArriveWithTheirFlagsAndAreAnsweredEach() throws Exception {
        Path socket = folder.resolve("s");
        try (NbdServer server = serve(socket);
                NbdClient client = open(socket, "disk", SIZE)) {
            ByteBuf payload = Unpooled.directBuffer().writeZero(4096);
            onLoop(() -> {
                client.write(8192, payload, false, answers::add);
                client.write(0, payload, true, answers::add);
                client.zero(4096, 8192, false, answers::add);
                client.flush(answers::add);
            });
            for (int i = 0; i < 4; i++) {
                assertThat(answer()).isZero();
            }
            assertThat(backend.calls)
                    .containsExactly("write 8192+4096", "write 0+4096 fua", "zero 4096+8192 punch", "flush");
            Awaitility.await().until(() -> payload.refCnt() == 1);
            backend.fail(NbdError.ENOSPC);
            onLoop(() -> client.write(0, payload, false, answers::add));
            assertThat(answer()).isEqualTo(28);
        }
    }

    @Test
    void asManyAsAreBoundedRunAtOnceAndSlotsComeBack() throws Exception {
        Path socket = folder.resolve("s");
        try (NbdServer server = serve(socket);
                NbdClient client = open(socket, "disk", SIZE)) {
            for (int round = 0; round < 3; round++) {
                onLoop(() -> {
                    for (int i = 0; i < NbdClient.MOST_OUTSTANDING; i++) {
                        client.flush(answers::add);
                    }
                    assertThatThrownBy(() -> client.flush(answers::add))
                            .isInstanceOf(IllegalStateException.class)
                            .hasMessageContaining("2048");
                });
                for (int i = 0; i < NbdClient.MOST_OUTSTANDING; i++) {
                    assertThat(answer()).isZero();
                }
            }
            assertThat(answers).isEmpty();
        }
    }

    @Test
    void whatIsUnderWayWhenTheConnectionEndsIsAnsweredOnce() throws Exception {
        Path socket = folder.resolve("s");
        CompletableFuture<Void> ended = new CompletableFuture<>();
        try (NbdServer server = serve(socket);
                NbdClient client = open(socket, "disk", SIZE)) {
            client.onEnd(() -> ended.complete(null));
            backend.hold();
            onLoop(() -> {
                client.flush(answers::add);
                client.flush(answers::add);
            });
            Awaitility.await().until(() -> backend.held() == 2);
            server.close();
            assertThat(answer()).isEqualTo(NbdClient.GONE);
            assertThat(answer()).isEqualTo(NbdClient.GONE);
            ended.get(20, TimeUnit.SECONDS);
            onLoop(() -> client.flush(answers::add));
            assertThat(answer()).isEqualTo(NbdClient.GONE);
            assertThat(answers).isEmpty();
        }
    }

    @Test
    void rangesOutsideTheExportAreRefusedHere() throws Exception {
        Path socket = folder.resolve("s");
        try (NbdServer server = serve(socket);
                NbdClient client = open(socket, "disk", SIZE)) {
            onLoop(() -> assertThatThrownBy(() -> client.zero(SIZE - 512, 1024, false, answers::add))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("not within the export"));
            assertThat(backend.calls).isEmpty();
        }
    }

    @Test
    void anExportThatDoesNotFitIsRefusedWithItsName() throws Exception {
        Path socket = folder.resolve("s");
        try (NbdServer server = serve(socket)) {
            assertThatThrownBy(() -> open(socket, "disk", SIZE * 2L))
                    .hasRootCauseMessage("export disk has 1048576 bytes, not 2097152");
            assertThatThrownBy(() -> open(socket, "fixed", SIZE))
                    .hasRootCauseMessage("export fixed can not be written and flushed");
            assertThatThrownBy(() -> open(socket, "nothing", SIZE))
                    .rootCause()
                    .hasMessageContaining("the server of export nothing refused it, 0x80000006");
        }
        assertThatThrownBy(() -> open(folder.resolve("absent"), "disk", SIZE))
                .isInstanceOf(ExecutionException.class)
                .hasMessageContaining("cannot connect to");
    }

    @Test
    void qemusOwnServerIsWrittenTo() throws Exception {
        StockTools.needs("qemu-nbd");
        StockTools tools = new StockTools(folder);
        Path image = folder.resolve("image");
        Files.write(image, new byte[SIZE]);
        Path socket = folder.resolve("q");
        Process server = tools.start(
                folder.resolve("log"),
                "qemu-nbd",
                "-f",
                "raw",
                "-x",
                "disk",
                "-t",
                "-k",
                socket.toString(),
                image.toString());
        try {
            Awaitility.await().atMost(20, TimeUnit.SECONDS).until(() -> Files.exists(socket));
            try (NbdClient client = open(socket, "disk", SIZE)) {
                byte[] bytes = "the twin writes".getBytes(StandardCharsets.UTF_8);
                onLoop(() -> client.write(512, Unpooled.copiedBuffer(bytes), true, answers::add));
                assertThat(answer()).isZero();
                onLoop(() -> client.flush(answers::add));
                assertThat(answer()).isZero();
                assertThat(Arrays.copyOfRange(Files.readAllBytes(image), 512, 512 + bytes.length))
                        .isEqualTo(bytes);
            }
        } finally {
            server.destroy();
            server.waitFor(20, TimeUnit.SECONDS);
        }
    }

    private static ByteBuffer bytes(Object... words) {
        ByteBuffer all = ByteBuffer.allocate(128);
        for (Object word : words) {
            switch (word) {
                case Long l -> all.putLong(l);
                case Integer i -> all.putInt(i);
                case Short s -> all.putShort(s);
                default -> throw new IllegalArgumentException(String.valueOf(word));
            }
        }
        return all.flip();
    }

    private static final Object[] GREETING = {Wire.INIT_MAGIC, Wire.OPTION_MAGIC, (short) 3};

    static Stream<Arguments> nonsense() {
        long magic = Wire.OPTION_REPLY_MAGIC;
        return Stream.of(
                Arguments.of("no NBD", bytes(1L, 2L, (short) 3), bytes(), "is no NBD server"),
                Arguments.of(
                        "oldstyle", bytes(Wire.INIT_MAGIC, 0x420281861253L, (short) 3), bytes(), "is no NBD server"),
                Arguments.of(
                        "not fixed", bytes(Wire.INIT_MAGIC, Wire.OPTION_MAGIC, (short) 2), bytes(), "fixed newstyle"),
                Arguments.of("other magic", bytes(GREETING), bytes(9L, 7, 1, 0), "another option"),
                Arguments.of("other option", bytes(GREETING), bytes(magic, 6, 1, 0), "another option"),
                Arguments.of("4 GiB", bytes(GREETING), bytes(magic, 7, 3, -1), "answered 4294967295 bytes"),
                Arguments.of("empty information", bytes(GREETING), bytes(magic, 7, 3, 0), "an empty information"),
                Arguments.of(
                        "short size", bytes(GREETING), bytes(magic, 7, 3, 4, (short) 0, (short) 1), "a malformed size"),
                Arguments.of("no size", bytes(GREETING), bytes(magic, 7, 1, 0), "did not say how large"),
                Arguments.of("hangs up", bytes(GREETING), bytes(), "hung up"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("nonsense")
    void aServerThatTalksNonsenseIsRefused(String name, ByteBuffer greeting, ByteBuffer reply, String said)
            throws Exception {
        Path socket = folder.resolve("n");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            CompletableFuture<NbdClient> opening = NbdClient.connect(socket, "disk", SIZE, loop);
            try (SocketChannel client = server.accept()) {
                client.write(greeting.duplicate());
                client.write(reply.duplicate());
                if (said.equals("hung up")) {
                    client.close();
                }
                assertThatThrownBy(() -> opening.get(20, TimeUnit.SECONDS))
                        .rootCause()
                        .hasMessageContaining("export disk")
                        .hasMessageContaining(said);
            }
        }
    }

    /** Before the first answer: foreign magic, an answer to nothing, the same answer twice, half an answer. */
    static Stream<Arguments> wrongReplies() {
        int magic = Wire.SIMPLE_REPLY_MAGIC;
        return Stream.of(
                Arguments.of("structured", bytes(Wire.STRUCTURED_REPLY_MAGIC, 0, 0L), 1),
                Arguments.of("to nothing", bytes(magic, 0, 1L), 1),
                Arguments.of("negative", bytes(magic, 0, -1L), 1),
                Arguments.of("beyond", bytes(magic, 0, 1L << 33), 1),
                Arguments.of("twice", bytes(magic, 0, 0L, magic, 0, 0L), 0),
                Arguments.of("half", bytes(magic, 0), 1));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("wrongReplies")
    void aWrongReplyEndsTheConnection(String name, ByteBuffer reply, int goneAnswers) throws Exception {
        Path socket = folder.resolve("w");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            CompletableFuture<NbdClient> opening = NbdClient.connect(socket, "disk", SIZE, loop);
            try (SocketChannel peer = server.accept()) {
                peer.write(bytes(GREETING));
                peer.write(bytes(Wire.OPTION_REPLY_MAGIC, 7, 3, 12, (short) 0, (long) SIZE, (short) 0b1101));
                // byte by byte: segmentation does not matter
                for (ByteBuffer rest = bytes(Wire.OPTION_REPLY_MAGIC, 7, 1, 0); rest.hasRemaining(); ) {
                    peer.write(ByteBuffer.wrap(new byte[] {rest.get()}));
                }
                NbdClient client = opening.get(20, TimeUnit.SECONDS);
                CompletableFuture<Void> ended = new CompletableFuture<>();
                client.onEnd(() -> ended.complete(null));
                onLoop(() -> client.flush(answers::add));
                peer.write(reply.duplicate());
                if (name.equals("half")) {
                    peer.close();
                }
                ended.get(20, TimeUnit.SECONDS);
                assertThat(answers).containsExactly(goneAnswers == 0 ? 0 : NbdClient.GONE);
            }
        }
    }
}
