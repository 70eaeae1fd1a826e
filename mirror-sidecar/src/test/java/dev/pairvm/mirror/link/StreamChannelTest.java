package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StreamChannelTest {
    private static final String UID = "0a1b2c3d-machine";

    @TempDir
    Path folder;

    private final TestAuthority authority = new TestAuthority();
    private @Nullable LinkSide a;
    private @Nullable LinkSide b;

    private void connect(boolean epoll) throws Exception {
        LinkSide one =
                new LinkSide(UID, "a", authority.write(folder.resolve("a"), authority.copy(UID, "a")), 50, epoll);
        LinkSide two =
                new LinkSide(UID, "b", authority.write(folder.resolve("b"), authority.copy(UID, "b")), 50, epoll);
        a = one;
        b = two;
        two.knows(one, one.at("127.0.0.1"));
        await().atMost(Duration.ofSeconds(10)).until(() -> one.up != null && two.up != null);
    }

    private LinkSide a() {
        return java.util.Objects.requireNonNull(a);
    }

    private LinkSide b() {
        return java.util.Objects.requireNonNull(b);
    }

    @AfterEach
    void close() throws Exception {
        a().close();
        b().close();
    }

    private Path socket(String name) {
        return Path.of("/tmp").resolve("pvm-" + ProcessHandle.current().pid() + "-" + name); // sun_path has 108 bytes
    }

    private static byte[] noise(int length, long seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static CompletableFuture<byte[]> exchange(SocketChannel socket, byte @Nullable [] out) {
        CompletableFuture<byte[]> in = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try {
                in.complete(Channels.newInputStream(socket).readAllBytes());
            } catch (IOException | RuntimeException e) {
                in.completeExceptionally(e);
            }
        });
        if (out == null) {
            return in;
        }
        Thread.ofVirtual().start(() -> {
            try {
                ByteBuffer rest = ByteBuffer.wrap(out);
                while (rest.hasRemaining()) {
                    socket.write(rest);
                }
                socket.shutdownOutput();
            } catch (IOException e) {
                in.completeExceptionally(e);
            }
        });
        return in;
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void twoSocketsAreJoinedThroughTheLink(boolean epoll) throws Exception {
        connect(epoll);
        byte[] there = noise(9 << 20, 1);
        byte[] back = noise(5 << 20, 2);
        try (Joint joint = new Joint();
                SocketChannel source = joint.connect();
                SocketChannel target = joint.qemu.accept()) {
            CompletableFuture<byte[]> atSource = exchange(source, there);
            CompletableFuture<byte[]> atTarget =
                    exchange(target, epoll ? back : null); // NIO knows no half-closed Unix sockets
            assertThat(Arrays.equals(atTarget.get(30, TimeUnit.SECONDS), there)).isTrue();
            if (epoll) {
                assertThat(Arrays.equals(atSource.get(30, TimeUnit.SECONDS), back))
                        .isTrue();
            }
        }
    }

    /** Netty delivers what a hung-up socket still holds without being asked; a relay that had no room for it dropped it once. */
    @Test
    void bytesBeforeAHangUpArriveAtASlowReader() throws Exception {
        connect(true);
        try (Joint joint = new Joint()) {
            for (int round = 0; round < 20; round++) {
                byte[] there = noise((3 << 20) + round * 1_001, round);
                try (SocketChannel source = joint.connect();
                        SocketChannel target = joint.qemu.accept()) {
                    ByteBuffer rest = ByteBuffer.wrap(there);
                    CompletableFuture<byte[]> atTarget = CompletableFuture.supplyAsync(() -> slowly(target));
                    while (rest.hasRemaining()) {
                        source.write(rest);
                    }
                    source.close();
                    assertThat(Arrays.equals(atTarget.get(30, TimeUnit.SECONDS), there))
                            .as("round %d", round)
                            .isTrue();
                }
            }
        }
    }

    private static byte[] slowly(SocketChannel from) {
        try {
            ByteBuffer all = ByteBuffer.allocate(8 << 20);
            do {
                if (all.position() % 7 == 0) {
                    Thread.sleep(1);
                }
            } while (from.read(all) >= 0);
            return Arrays.copyOf(all.array(), all.position());
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A hang-up is reported by epoll for as long as the socket is open: it cost two thirds of a processor once. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aSocketThatHungUpCostsNoProcessor(boolean targetClosesToo) throws Exception {
        connect(true);
        try (Joint joint = new Joint();
                SocketChannel source = joint.connect();
                SocketChannel target = joint.qemu.accept()) {
            source.write(ByteBuffer.wrap(noise(1_000, 1)));
            source.close();
            assertThat(slowly(target)).hasSize(1_000);
            if (targetClosesToo) {
                target.close();
            }
            Thread.sleep(1_000 * SocketRelay.HALF_CLOSED_SECONDS + 500); // how long it may stay half-closed
            var threads = java.lang.management.ManagementFactory.getThreadMXBean();
            long loopOfA = a().on(() -> Thread.currentThread().threadId());
            long loopOfB = b().on(() -> Thread.currentThread().threadId());
            long before = threads.getThreadCpuTime(loopOfA) + threads.getThreadCpuTime(loopOfB);
            Thread.sleep(1_000);
            long used = threads.getThreadCpuTime(loopOfA) + threads.getThreadCpuTime(loopOfB) - before;
            assertThat(Duration.ofNanos(used)).isLessThan(Duration.ofMillis(300));
        }
    }

    /** A socket listened on at A, whose connections come out at a socket served at B. */
    private final class Joint implements AutoCloseable {
        private final Path outgoing = socket("out");
        private final Path incoming = socket("in");
        final ServerSocketChannel qemu = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        private final io.netty.channel.Channel listener;

        Joint() throws Exception {
            qemu.bind(UnixDomainSocketAddress.of(incoming));
            b().run(() -> b().link.streams().serve("migration", incoming));
            listener = a().on(() -> a().link.streams().listen(outgoing, b().copy, "migration"))
                    .get(5, TimeUnit.SECONDS);
        }

        SocketChannel connect() throws IOException {
            return SocketChannel.open(UnixDomainSocketAddress.of(outgoing));
        }

        @Override
        public void close() throws IOException {
            listener.close();
            qemu.close();
            java.nio.file.Files.deleteIfExists(incoming);
            java.nio.file.Files.deleteIfExists(outgoing);
        }
    }

    @Test
    void aStreamThatNobodyTakesIsClosedWithAReason() throws Exception {
        connect(true);
        Ends ends = new Ends();
        a().run(() -> a().link.streams().open(b().copy, "unknown", ends));
        await().atMost(Duration.ofSeconds(5)).until(() -> !ends.closed.isEmpty());
        assertThat(ends.closed.getFirst()).contains("nobody takes streams named unknown");
        Ends again = new Ends();
        b().run(() -> b().link.streams().serve("gone", socket("nowhere")));
        a().run(() -> a().link.streams().open(b().copy, "gone", again));
        await().atMost(Duration.ofSeconds(5)).until(() -> !again.closed.isEmpty());
        assertThat(again.closed.getFirst()).contains("the local socket can not be connected");
    }

    @Test
    void aReaderThatStopsHoldsUpItsStreamOnly() throws Exception {
        connect(true);
        Ends stuck = new Ends(); // never says consumed
        b().run(() -> b().link.streams().accept("stuck", incoming -> {
            incoming.accept();
            return stuck;
        }));
        Ends sender = new Ends();
        sender.endless = true;
        a().run(() -> a().link.streams().open(b().copy, "stuck", sender));
        await().atMost(Duration.ofSeconds(10)).until(() -> stuck.bytes == StreamChannel.WINDOW_BYTES);
        a().run(() -> a().link.send(b().copy, new Message.Goodbye(1, 1)));
        await().atMost(Duration.ofSeconds(5)).until(() -> b().messages.size() == 1);
        assertThat(stuck.bytes).isEqualTo(StreamChannel.WINDOW_BYTES);
        b().run(() -> java.util.Objects.requireNonNull(stuck.stream).consumed(StreamChannel.WINDOW_BYTES));
        await().atMost(Duration.ofSeconds(5)).until(() -> stuck.bytes == 2L * StreamChannel.WINDOW_BYTES);
    }

    @Test
    void diskFramesTakeTurnsWithABusyStream() throws Exception {
        connect(true);
        Ends reader = new Ends();
        reader.consumes = true;
        b().run(() -> b().link.streams().accept("busy", incoming -> {
            incoming.accept();
            return reader;
        }));
        Ends sender = new Ends();
        sender.endless = true;
        a().run(() -> a().link.streams().open(b().copy, "busy", sender));
        await().atMost(Duration.ofSeconds(10)).until(() -> reader.bytes > 4L * StreamChannel.WINDOW_BYTES);
        for (int i = 0; i < 20; i++) {
            int number = i;
            a().run(() -> a().link.send(b().copy, new Message.Flush(1, 1, number, 0)));
            await().pollInterval(Duration.ofMillis(2))
                    .atMost(Duration.ofSeconds(2))
                    .until(() -> b().messages.size() == number + 1);
        }
        assertThat(reader.bytes).isGreaterThan(4L * StreamChannel.WINDOW_BYTES);
    }

    @Test
    void streamsEndWithTheirLink() throws Exception {
        connect(true);
        Ends reader = new Ends();
        b().run(() -> b().link.streams().accept("s", incoming -> {
            incoming.accept();
            return reader;
        }));
        Ends sender = new Ends();
        a().run(() -> a().link.streams().open(b().copy, "s", sender));
        await().atMost(Duration.ofSeconds(5)).until(() -> sender.stream != null && reader.stream != null);
        a().run(() -> a().link.drop(b().copy, "test"));
        await().atMost(Duration.ofSeconds(5)).until(() -> sender.closed.size() == 1 && reader.closed.size() == 1);
        assertThat(sender.closed.getFirst()).contains("the link ended");
    }

    @Test
    void aPeerThatBreaksTheWindowLosesItsConnection() throws Exception {
        connect(true);
        TlsFiles c = authority.write(folder.resolve("c"), authority.copy(UID, "c"));
        Ends reader = new Ends();
        a().run(() -> a().link.streams().accept("w", incoming -> {
            incoming.accept();
            return reader;
        }));
        try (PlainTls rogue = new PlainTls(a().port, c)) {
            rogue.write(rogue.frame(new LinkFrame.Greeting(
                    LinkVersions.OURS,
                    1,
                    UID,
                    new dev.pairvm.api.mirror.CopyId("c"),
                    1,
                    7400,
                    Secret.random(),
                    List.of())));
            rogue.write(rogue.frame(new LinkFrame.Select()));
            rogue.write(rogue.frame(new LinkFrame.StreamOpen(1, "w")));
            for (int i = 0; i < 16; i++) {
                rogue.write(rogue.piece(1, StreamChannel.CHUNK_BYTES));
            }
            await().atMost(Duration.ofSeconds(10)).until(() -> reader.bytes == StreamChannel.WINDOW_BYTES);
            assertThat(a().refusals).isEmpty();
            rogue.write(rogue.piece(1, 1));
            await().atMost(Duration.ofSeconds(10)).until(() -> !a().refusals.isEmpty());
        }
        assertThat(a().sentences.getFirst()).contains("stream 1 broke its window");
    }

    /** A handler that counts; optionally sends without end, optionally consumes. */
    static final class Ends implements StreamChannel.Handler {
        final List<String> closed = new CopyOnWriteArrayList<>();
        volatile @Nullable StreamChannel stream;
        volatile long bytes;
        volatile boolean endless;
        volatile boolean consumes;

        @Override
        public void opened(StreamChannel opened) {
            stream = opened;
            writable(opened);
        }

        @Override
        public void received(StreamChannel from, ByteBuf piece) {
            stream = from;
            int length = piece.readableBytes();
            piece.release();
            bytes = bytes + length;
            if (consumes) {
                from.consumed(length);
            }
        }

        @Override
        public void writable(StreamChannel to) {
            if (endless && to.canWrite()) {
                to.write(Unpooled.wrappedBuffer(new byte[StreamChannel.CHUNK_BYTES]));
            }
        }

        @Override
        public void ended(StreamChannel from) {
            closed.add("ended");
        }

        @Override
        public void closed(StreamChannel gone, String why) {
            closed.add(why);
        }
    }
}
