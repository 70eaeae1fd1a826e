package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.util.internal.PlatformDependent;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Strangers, and peers with a good certificate that say nonsense, beside a peer that is at work: it must not notice. */
@Timeout(180)
class HostilePeerTest {
    private static final String UID = "0a1b2c3d-machine";
    private static final long FIRST_SEED = 20_261_124;
    private static final int SEEDS = 120;
    private static final int CONNECTS = 1_000;

    @TempDir
    Path folder;

    private final TestAuthority authority = new TestAuthority();
    private @Nullable LinkSide a;
    private @Nullable LinkSide c;

    private LinkSide a() {
        return java.util.Objects.requireNonNull(a);
    }

    private LinkSide c() {
        return java.util.Objects.requireNonNull(c);
    }

    @BeforeEach
    void connect() throws Exception {
        a = new LinkSide(UID, "a", authority.write(folder.resolve("a"), authority.copy(UID, "a")), 50, true);
        c = new LinkSide(UID, "c", authority.write(folder.resolve("c"), authority.copy(UID, "c")), 50, true);
        c().knows(a(), a().at("127.0.0.1"));
        await().atMost(Duration.ofSeconds(10)).until(() -> a().up != null && c().up != null);
    }

    @AfterEach
    void close() throws Exception {
        a().close();
        c().close();
    }

    /** A frame from the peer that is at work, and its answer. */
    private void workGoesOn() {
        int atA = a().messages.size();
        int atC = c().messages.size();
        c().run(() -> c().link.send(a().copy, new Message.Flush(1, 7, 1, 0)));
        await().atMost(Duration.ofSeconds(10))
                .pollInterval(Duration.ofMillis(2))
                .until(() -> a().messages.size() > atA);
        a().run(() -> a().link.send(c().copy, new Message.FlushAck(1, 7, 1)));
        await().atMost(Duration.ofSeconds(10))
                .pollInterval(Duration.ofMillis(2))
                .until(() -> c().messages.size() > atC);
        assertThat(c().story).containsExactly("up a");
    }

    @Test
    void aFloodOfConnectsIsBounded() throws Exception {
        ArrayDeque<Socket> open = new ArrayDeque<>();
        AtomicLong most = new AtomicLong();
        Random random = new Random(1);
        long memoryBefore = PlatformDependent.usedDirectMemory();
        for (int i = 0; i < CONNECTS; i++) {
            Socket socket = new Socket(InetAddress.getLoopbackAddress(), a().port);
            open.add(socket);
            try {
                if (random.nextInt(3) == 0) {
                    socket.getOutputStream().write("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                }
            } catch (IOException e) {
                // closed by the other side already
            }
            if (open.size() > 400) {
                open.remove().close();
            }
            if (i % 20 == 0) {
                most.accumulateAndGet(a().on(() -> (long) a().link.connections()), Math::max);
            }
            if (i % 250 == 0) {
                workGoesOn();
            }
        }
        workGoesOn();
        // 32 that count, and those that leave in the same turn of the loop in which others came.
        assertThat(most.get()).as("connections at once").isLessThanOrEqualTo(64);
        assertThat(PlatformDependent.usedDirectMemory() - memoryBefore)
                .as("direct memory, bytes")
                .isLessThan(64 << 20);
        for (Socket socket : open) {
            socket.close();
        }
        await().atMost(Duration.ofSeconds(20)).until(() -> a().on(() -> a().link.connections()) == 1);
        assertThat(a().story).containsExactly("up c");
    }

    /** Many that came while the loop was busy are accepted in one turn; each must find a different one to take the place of. */
    @Test
    void connectsThatComeAllAtOnceAreBoundedToo() throws Exception {
        CountDownLatch busy = new CountDownLatch(1);
        var blocked = a().loop.submit(() -> {
            busy.await();
            return true;
        });
        List<Socket> open = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            open.add(new Socket(InetAddress.getLoopbackAddress(), a().port));
        }
        busy.countDown();
        await().atMost(Duration.ofSeconds(10)).until(blocked::isDone);
        AtomicLong most = new AtomicLong();
        for (int i = 0; i < 100; i++) {
            most.accumulateAndGet(a().on(() -> (long) a().link.connections()), Math::max);
        }
        assertThat(most.get()).as("connections at once").isLessThanOrEqualTo(64);
        for (Socket socket : open) {
            socket.close();
        }
        workGoesOn();
    }

    /** Greetings and frames with wrong fields and right checksums, before, in and after the greeting, in a real TLS session. */
    @Test
    void noConversationOfACertifiedPeerHarmsAnother() throws Exception {
        TlsFiles b = authority.write(folder.resolve("b"), authority.copy(UID, "b"));
        int greeted = 0;
        for (long seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
            Random random = new Random(seed);
            int upBefore = Collections.frequency(a().story, "up b");
            try (PlainTls rogue = new PlainTls(a().port, b)) {
                try {
                    List<byte[]> said = conversation(random);
                    for (byte[] bytes : said) {
                        rogue.write(bytes);
                    }
                } catch (IOException e) {
                    // ended by the other side while we spoke
                }
                if (seed % 25 == 0) {
                    workGoesOn();
                }
            }
            greeted += Collections.frequency(a().story, "up b") - upBefore;
            assertThat(c().story).as("seed %d", seed).containsExactly("up a");
        }
        workGoesOn();
        await().atMost(Duration.ofSeconds(20)).until(() -> a().on(() -> a().link.connections()) == 1);
        assertThat(greeted).as("conversations that got past the greeting").isGreaterThan(10);
        assertThat(a().refusals).contains(LinkListener.Refusal.MALFORMED, LinkListener.Refusal.IDENTITY);
    }

    private static List<byte[]> conversation(Random random) {
        List<byte[]> said = new ArrayList<>();
        if (random.nextInt(8) == 0) {
            said.add(anyFrame(random)); // before the greeting
        }
        said.add(greeting(random, random.nextInt(3) == 0));
        said.add(linkFrame(new LinkFrame.Select()));
        for (int i = random.nextInt(8); i > 0; i--) {
            said.add(random.nextInt(10) == 0 ? greeting(random, random.nextBoolean()) : anyFrame(random));
        }
        return said;
    }

    private static byte[] greeting(Random random, boolean wrong) {
        int lie = wrong ? random.nextInt(12) : -1;
        ByteBuf frame = UnpooledByteBufAllocator.DEFAULT.heapBuffer();
        try {
            frame.writerIndex(FrameHeader.BYTES);
            BodyWriter out = new BodyWriter(frame);
            out.i32(lie == 0 ? random.nextInt() : lie == 1 ? 2 + random.nextInt(5) : 1);
            out.i64(random.nextLong());
            out.text(lie == 2 ? "other" : UID, 64, "machineUid");
            out.copy(new dev.pairvm.api.mirror.CopyId(lie == 3 ? "c" : lie == 4 ? "a" : "b"));
            out.i64(random.nextLong()).i32(lie == 5 ? random.nextInt() : 7400);
            out.bytes(Secret.random().bytes());
            frame.writeShort(lie == 6 ? random.nextInt(70_000) : 1);
            out.text(lie == 7 ? "\u0000[::1" : "127.0.0.9:7400", 64, "address");
            out.i32(lie == 8 ? random.nextInt(3) - 2 : 1 + random.nextInt(3));
            frame.writeBytes(new byte[random.nextInt(20)]); // what a later release may say
            if (lie == 9) {
                frame.writerIndex(FrameHeader.BYTES + random.nextInt(frame.writerIndex() - FrameHeader.BYTES));
            }
            FrameHeader.complete(frame, FrameType.GREETING.code, 0, 0, 0, 0, 0);
            byte[] bytes = ByteBufUtil.getBytes(frame);
            if (lie > 9) {
                bytes[FrameHeader.BYTES + random.nextInt(bytes.length - FrameHeader.BYTES)] = (byte) random.nextInt();
                FrameFuzzTest.makeChecksumsRight(bytes);
            }
            return bytes;
        } finally {
            frame.release();
        }
    }

    private static byte[] linkFrame(LinkFrame frame) {
        ByteBuf encoded = LinkFrameCodec.encode(UnpooledByteBufAllocator.DEFAULT, frame, null);
        try {
            return ByteBufUtil.getBytes(encoded);
        } finally {
            encoded.release();
        }
    }

    private static byte[] anyFrame(Random random) {
        List<LinkFrame> links = List.of(
                new LinkFrame.Select(),
                new LinkFrame.Ping(random.nextLong()),
                new LinkFrame.Pong(random.nextLong()),
                new LinkFrame.StreamOpen(random.nextInt(7) - 1, "migration"),
                new LinkFrame.StreamOpened(random.nextInt(7) - 1),
                new LinkFrame.StreamCredit(random.nextInt(4), random.nextInt()),
                new LinkFrame.StreamEnd(random.nextInt(4)),
                new LinkFrame.StreamReset(random.nextInt(4), "no\nmore"),
                new LinkFrame.Bye("\u001b[2J"));
        byte[] bytes;
        if (random.nextBoolean()) {
            bytes = linkFrame(links.get(random.nextInt(links.size())));
        } else {
            Message message =
                    SampleMessages.all().get(random.nextInt(SampleMessages.all().size()));
            ByteBuf payload = SampleMessages.payloadFor(message, 1);
            ByteBuf head = MessageCodec.encode(UnpooledByteBufAllocator.DEFAULT, message, payload);
            ByteBuf whole = payload == null ? head : io.netty.buffer.Unpooled.wrappedBuffer(head, payload);
            bytes = ByteBufUtil.getBytes(whole);
            whole.release();
        }
        if (random.nextInt(3) == 0) {
            int at = random.nextInt(bytes.length);
            bytes[at] = (byte) random.nextInt();
            if (random.nextInt(4) > 0) {
                FrameFuzzTest.makeChecksumsRight(bytes);
            }
        }
        return bytes;
    }

    /** Beacons as a network may deliver them: twice, late, in any order, and those of sessions that are over. */
    @Test
    void repeatedAndReorderedBeaconsNeitherExtendNorTakeBackALease() {
        for (long seed = 1; seed <= 500; seed++) {
            Random random = new Random(seed);
            AtomicLong promised = new AtomicLong();
            BeaconSession session = new BeaconSession(9, 50_000_000, false, promised);
            List<Beacon> sent = new ArrayList<>();
            for (int n = 1; n <= 40; n++) {
                sent.add(new Beacon(
                        random.nextInt(2), random.nextInt(4) > 0, false, 3, n, 1_000L * n, 500L * n, 1, 9, 1, 0, 0));
            }
            List<Beacon> delivered = new ArrayList<>();
            sent.forEach(beacon -> {
                for (int copies = random.nextInt(4); copies > 0; copies--) {
                    delivered.add(beacon);
                }
            });
            // Each at most eight places from where it belongs, some at the very end.
            for (int i = 0; i < delivered.size(); i++) {
                int with = random.nextInt(20) == 0
                        ? delivered.size() - 1
                        : Math.min(delivered.size() - 1, i + random.nextInt(8));
                Collections.swap(delivered, i, with);
            }
            long newest = 0;
            long granted = 0;
            long told = 0;
            for (int i = 0; i < delivered.size(); i++) {
                Beacon beacon = delivered.get(i);
                session.heard(beacon, 1_000_000L * (i + 1));
                if (beacon.n() > newest) {
                    newest = beacon.n();
                    granted = beacon.granted() ? Math.max(granted, beacon.echoSentAt()) : granted;
                }
                if (random.nextInt(3) == 0) {
                    BeaconSession.Heard heard = session.takeHeard();
                    if (heard != null) {
                        Event.BeaconHeard event = heard.event();
                        told = Math.max(told, event.grantedSentAt());
                        assertThat(event.grantedSentAt()).as("seed %d", seed).isLessThanOrEqualTo(granted);
                    }
                }
            }
            assertThat(told).as("seed %d", seed).isLessThanOrEqualTo(granted);
            assertThat(session.next(1, 50_000_000, false, 1, 0, 0).echoSentAt())
                    .as("seed %d: the newest is echoed, whatever came last", seed)
                    .isEqualTo(1_000 * newest);
            assertThat(promised.get()).as("nothing was granted from here").isZero();
        }
    }

    /** A connection that ended, and its frames recorded and sent again on a new one: each session has numbers of its own. */
    @Test
    void selectsOfAnEarlierConnectionDoNotMoveTheLinkBack() throws Exception {
        TlsFiles b = authority.write(folder.resolve("b"), authority.copy(UID, "b"));
        try (PlainTls first = new PlainTls(a().port, b);
                PlainTls second = new PlainTls(a().port, b)) {
            Random random = new Random(1);
            byte[] greeting = greeting(random, false);
            first.write(greeting);
            second.write(greeting);
            first.write(linkFrame(new LinkFrame.Select()));
            await().atMost(Duration.ofSeconds(10)).until(() -> a().story.contains("up b"));
            second.write(linkFrame(new LinkFrame.Select()));
            await().atMost(Duration.ofSeconds(10)).until(() -> Collections.frequency(a().story, "up b") == 2);
            int before = a().messages.size();
            first.write(first.frame(new Message.Goodbye(1, 1), null)); // late, on the carrier before
            second.write(second.frame(new Message.Goodbye(1, 2), null));
            await().atMost(Duration.ofSeconds(10)).until(() -> a().messages.size() > before);
            assertThat(a().messages.subList(before, a().messages.size())).containsExactly(new Message.Goodbye(1, 2));
        }
        workGoesOn();
    }
}
