package dev.pairvm.mirror.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/**
 * Frames that were good once: bytes changed, cut, repeated, swapped, with the checksums made right again so that the damage reaches
 * the inner parsers; and plain noise. A decoder may accept or refuse; it may not throw, nor keep more memory than a frame's bound.
 */
class FrameFuzzTest {
    private static final long FIRST_SEED = 20_261_124;
    private static final int SEEDS = 6_000;

    private final List<byte[]> corpus = SampleMessages.all().stream()
            .filter(message -> !(message instanceof Message.Write write && write.length() > 1 << 20))
            .map(FrameFuzzTest::frame)
            .toList();

    private static byte[] frame(Message message) {
        ByteBuf payload = SampleMessages.payloadFor(message, 1);
        ByteBuf head = MessageCodec.encode(UnpooledByteBufAllocator.DEFAULT, message, payload);
        ByteBuf whole = payload == null ? head : Unpooled.wrappedBuffer(head, payload);
        byte[] bytes = ByteBufUtil.getBytes(whole);
        whole.release();
        return bytes;
    }

    @Test
    void noFrameMakesTheDecoderThrowOrLeak() {
        for (long seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
            Random random = new Random(seed);
            UnpooledByteBufAllocator memory = new UnpooledByteBufAllocator(false, false);
            FrameSink sink = new FrameSink();
            EmbeddedChannel channel = new EmbeddedChannel(new FrameDecoder(sink, LinkVersions.OURS));
            channel.config().setAllocator(memory);
            try {
                for (int i = 0; i < 3; i++) {
                    byte[] bytes = mutant(random);
                    channel.writeInbound(Unpooled.wrappedBuffer(bytes));
                }
                channel.checkException();
            } catch (Throwable e) {
                fail("seed " + seed + " threw", e);
            }
            long held = memory.metric().usedDirectMemory() + memory.metric().usedHeapMemory();
            assertThat(held)
                    .as("seed %d", seed)
                    .isLessThanOrEqualTo(FrameHeader.MOST_PAYLOAD + FrameHeader.MOST_HELLO_BODY);
            assertThat(sink.malformed).as("seed %d", seed).hasSizeLessThanOrEqualTo(1);
            channel.finishAndReleaseAll();
            assertThat(memory.metric().usedDirectMemory())
                    .as("seed %d leaks", seed)
                    .isZero();
        }
    }

    private byte[] mutant(Random random) {
        byte[] bytes = corpus.get(random.nextInt(corpus.size())).clone();
        switch (random.nextInt(8)) {
            case 0 -> random.nextBytes(bytes);
            case 1 -> {
                int keep = random.nextInt(bytes.length);
                bytes = java.util.Arrays.copyOf(bytes, keep);
            }
            case 2 -> bytes[2] = (byte) random.nextInt(90); // another type for the same body
            case 3, 4, 5 -> {
                for (int i = 1 + random.nextInt(4); i > 0; i--) {
                    int at = FrameHeader.BYTES + random.nextInt(Math.max(1, bodyOf(bytes)));
                    if (at < bytes.length) {
                        bytes[at] = interesting(random);
                    }
                }
            }
            case 6 -> bytes[4 + random.nextInt(8)] = interesting(random);
            case 7 -> {
                byte[] longer = java.util.Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(50));
                longer[7] = (byte) (longer[7] + longer.length - bytes.length);
                bytes = longer;
            }
            default -> throw new AssertionError();
        }
        if (random.nextInt(4) != 0) {
            makeChecksumsRight(bytes);
        }
        return bytes;
    }

    private static byte interesting(Random random) {
        byte[] values = {0, 1, -1, 127, -128, 64};
        return random.nextBoolean() ? values[random.nextInt(values.length)] : (byte) random.nextInt();
    }

    private static int bodyOf(byte[] bytes) {
        return bytes.length < FrameHeader.BYTES ? 0 : (bytes[6] & 0xff) << 8 | bytes[7] & 0xff;
    }

    static void makeChecksumsRight(byte[] bytes) {
        int body = bodyOf(bytes);
        if (bytes.length < FrameHeader.BYTES + body) {
            return;
        }
        ByteBuf view = Unpooled.wrappedBuffer(bytes);
        view.setShort(0, FrameHeader.MAGIC);
        int payload = Math.min(view.getInt(8), bytes.length - FrameHeader.BYTES - body);
        CRC32C crc = new CRC32C();
        if (payload > 0) {
            crc.update(bytes, FrameHeader.BYTES + body, payload);
        }
        view.setInt(36, (int) crc.getValue());
        crc.reset();
        crc.update(bytes, 0, 40);
        crc.update(bytes, FrameHeader.BYTES, body);
        view.setInt(40, (int) crc.getValue());
    }
}
