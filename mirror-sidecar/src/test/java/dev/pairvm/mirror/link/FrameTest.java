package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pairvm.mirror.core.Extent;
import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FrameTest {
    private static final UnpooledByteBufAllocator ALLOC = UnpooledByteBufAllocator.DEFAULT;

    private final FrameSink sink = new FrameSink();
    private final EmbeddedChannel channel = new EmbeddedChannel(new FrameDecoder(sink, LinkVersions.OURS));

    private static ByteBuf frame(Message message) {
        ByteBuf payload = SampleMessages.payloadFor(message, message.hashCode());
        ByteBuf head = MessageCodec.encode(ALLOC, message, payload);
        return payload == null ? head : Unpooled.wrappedBuffer(head, payload);
    }

    private static ByteBuf frame(LinkFrame frame) {
        return LinkFrameCodec.encode(ALLOC, frame, null);
    }

    private static byte[] bytes(ByteBuf buffer) {
        try {
            return ByteBufUtil.getBytes(buffer);
        } finally {
            buffer.release();
        }
    }

    private void arrive(byte[] bytes) {
        channel.writeInbound(Unpooled.copiedBuffer(bytes));
    }

    @Test
    void everyMessageSurvivesTheWire() {
        for (Message message : SampleMessages.all()) {
            arrive(bytes(frame(message)));
        }
        assertThat(sink.malformed).isEmpty();
        assertThat(sink.messages).isEqualTo(SampleMessages.all());
    }

    @Test
    void piecesOfAnySizeMakeTheSameFrames() {
        for (long seed = 0; seed < 50; seed++) {
            Random random = new Random(seed);
            FrameSink pieces = new FrameSink();
            EmbeddedChannel each = new EmbeddedChannel(new FrameDecoder(pieces, LinkVersions.OURS));
            ByteBuf all = Unpooled.buffer();
            for (Message message : SampleMessages.all()) {
                all.writeBytes(bytes(frame(message)));
            }
            while (all.isReadable()) {
                int length = Math.min(all.readableBytes(), 1 + random.nextInt(seed % 2 == 0 ? 60 : 40_000));
                each.writeInbound(all.readBytes(length));
            }
            all.release();
            assertThat(pieces.messages).as("seed %d", seed).isEqualTo(SampleMessages.all());
            assertThat(pieces.payloads.get(5))
                    .isEqualTo(bytes(SampleMessages.random(
                            8192, SampleMessages.all().get(5).hashCode())));
        }
    }

    @Test
    void linkFramesSurviveTheWire() {
        List<LinkFrame> frames = List.of(
                new LinkFrame.Greeting(
                        LinkVersions.OURS,
                        -1,
                        "uid-1",
                        SampleMessages.B,
                        42,
                        7400,
                        Secret.random(),
                        List.of(PeerAddress.parse("10.0.0.1:7400"), PeerAddress.parse("[fd00::1]:7400"))),
                new LinkFrame.Greeting(
                        new LinkVersions(1, 9), 0, "uid-1", SampleMessages.B, 42, 7400, Secret.random(), List.of()),
                new LinkFrame.ForeignGreeting(2),
                new LinkFrame.Select(),
                new LinkFrame.Ping(5),
                new LinkFrame.Pong(6),
                new LinkFrame.Bye("done"),
                new LinkFrame.StreamOpen(1, "migration"),
                new LinkFrame.StreamOpened(1),
                new LinkFrame.StreamCredit(1, 4096),
                new LinkFrame.StreamEnd(1),
                new LinkFrame.StreamReset(1, "no"));
        frames.forEach(each -> arrive(bytes(frame(each))));
        assertThat(sink.malformed).isEmpty();
        assertThat(sink.linkFrames).isEqualTo(frames);
    }

    @Test
    void damageAnywhereIsNoticed() {
        byte[] good = bytes(frame(new Message.Write(17, 99, 1, 0, 4096, 512, false, true)));
        for (int bit = 0; bit < good.length * 8; bit += 7) {
            byte[] bad = good.clone();
            bad[bit / 8] ^= (byte) (1 << bit % 8);
            FrameSink each = new FrameSink();
            EmbeddedChannel damaged = new EmbeddedChannel(new FrameDecoder(each, LinkVersions.OURS));
            damaged.writeInbound(Unpooled.copiedBuffer(bad));
            damaged.finishAndReleaseAll();
            assertThat(each.messages).as("bit %d", bit).isEmpty();
        }
    }

    @Test
    void aLengthBeyondItsBoundIsRefusedBeforeAnythingIsAllocated() {
        byte[] bad = bytes(frame(new Message.Flush(17, 99, 1, 0)));
        bad[8] = 0x7f; // almost 2 GiB of payload
        arrive(bad);
        assertThat(sink.malformed)
                .singleElement()
                .asString()
                .contains("FLUSH announces")
                .contains("at most");
    }

    @Test
    void nothingIsReadAfterTheFirstMalformedFrame() {
        arrive(new byte[FrameHeader.BYTES]);
        arrive(bytes(frame(new Message.Goodbye(1, 1))));
        assertThat(sink.malformed).hasSize(1);
        assertThat(sink.messages).isEmpty();
    }

    @Test
    void framesBeforeTheGreetingAreRefused() {
        sink.greeted = false;
        arrive(bytes(frame(new Message.Goodbye(1, 1))));
        assertThat(sink.malformed).singleElement().asString().isEqualTo("GOODBYE came before a greeting");
    }

    @Test
    void aRunOfExtentsCanNotGrowWithoutBound() {
        ByteBuf frame = ALLOC.buffer();
        frame.writerIndex(FrameHeader.BYTES);
        BodyWriter body = new BodyWriter(frame);
        body.i32(1)
                .text("uid", 64, "uid")
                .copy(SampleMessages.A)
                .i64(1)
                .i64(1)
                .u8(0)
                .u8(0)
                .i64(0)
                .i64(0);
        body.count(0, 8, "history").count(0, 8, "disks");
        body.count(0, 8, "disk").i32(0).i32(Integer.MAX_VALUE - 1);
        FrameHeader.complete(frame, FrameType.HELLO.code, 1, 0, 0, 0, 0);
        arrive(bytes(frame));
        assertThat(sink.malformed).singleElement().asString().contains("more than " + HelloBody.MOST_EXTENTS);
    }

    @Test
    void aPayloadOfAnotherLengthThanTheWriteSaysIsRefused() {
        ByteBuf payload = SampleMessages.random(512, 1);
        ByteBuf frame = ALLOC.buffer();
        frame.writerIndex(FrameHeader.BYTES);
        new BodyWriter(frame).i32(0).i64(0).i32(1024).flag(false).flag(false);
        FrameHeader.complete(frame, FrameType.WRITE.code, 1, 1, 1, 512, FrameHeader.crc(payload));
        arrive(bytes(Unpooled.wrappedBuffer(frame, payload)));
        assertThat(sink.malformed).singleElement().asString().contains("payload of 512 bytes instead of 1024");
    }

    @Test
    void whatThePeerWouldRefuseIsNotSent() {
        Message tooLong = new Message.Refused(1, 1, "x".repeat(5000));
        arrive(bytes(frame(tooLong)));
        assertThat(((Message.Refused) sink.messages.getFirst()).reason()).hasSize(256);
        List<Extent> many = java.util.Collections.nCopies(HelloBody.MOST_EXTENTS + 1, new Extent(0, 0));
        Message.Hello hello = SampleMessages.hello();
        Message.Hello huge = new Message.Hello(
                1, 1, "uid", hello.copy(), 1, 1, hello.role(), hello.state(), hello.lineage(), List.of(), many);
        assertThatThrownBy(() -> MessageCodec.encode(ALLOC, huge, null))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("extents");
    }
}
