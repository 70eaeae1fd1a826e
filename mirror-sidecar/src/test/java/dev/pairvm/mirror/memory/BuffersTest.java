package dev.pairvm.mirror.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import java.util.Queue;
import org.junit.jupiter.api.Test;

class BuffersTest {
    private static final int MIB = 1 << 20;
    private static final int CHUNK = 16 * MIB;

    private final Buffers pool = (Buffers) Buffers.POOL;

    @Test
    void smallBuffersNeedNoChunkForLargeOnes() {
        long before = pool.largeBytes();
        ByteBuf buffer = Buffers.POOL.directBuffer(Buffers.LARGE_BYTES - 1);
        assertThat(buffer.isDirect()).isTrue();
        assertThat(pool.largeBytes()).isEqualTo(before);
        buffer.release();
    }

    @Test
    void eightReadsOfAMebibyteInTurnShareOneChunk() {
        Queue<ByteBuf> underWay = new ArrayDeque<>();
        for (int i = 0; i < 8; i++) {
            underWay.add(Buffers.POOL.directBuffer(MIB + 16, MIB + 16));
        }
        assertThat(pool.largeBytes()).isEqualTo(CHUNK);
        for (int i = 0; i < 1000; i++) {
            underWay.remove().release();
            underWay.add(Buffers.POOL.directBuffer(MIB + 16, MIB + 16));
            assertThat(pool.largeBytes()).isEqualTo(CHUNK);
        }
        underWay.forEach(ByteBuf::release);
        assertThat(pool.largeBytes()).as("given back").isZero();
    }

    @Test
    void aBufferThatGrowsAndOneBeyondAChunkAreServed() {
        ByteBuf grows = Buffers.POOL.directBuffer(64);
        grows.writeZero(2 * MIB);
        assertThat(grows.readableBytes()).isEqualTo(2 * MIB);
        grows.release();
        ByteBuf huge = Buffers.POOL.directBuffer(32 * MIB, 32 * MIB);
        assertThat(huge.writableBytes()).isEqualTo(32 * MIB);
        huge.release();
        assertThat(pool.largeBytes()).isZero();
    }

    @Test
    void heapBuffersAreThereForWhoAsks() {
        ByteBuf buffer = Buffers.POOL.heapBuffer(100);
        assertThat(buffer.hasArray()).isTrue();
        buffer.release();
    }
}
