package dev.pairvm.mirror.memory;

import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;

/**
 * The mirror's buffers. Small ones come from Netty's default pool, whose one arena of small chunks is set by the options that the
 * mirror's JVM is started with. Large ones come from an arena of their own, whose chunks hold a dozen of a MiB: Netty gives a chunk
 * back as soon as none of its buffers is in use, and a chunk of 4 MiB has room for three, so that a guest that reads in large pieces
 * would have memory taken from and given to the kernel, and cleared by it, all the time. A chunk of the second arena is first made when a
 * large buffer is asked for: a mirror whose guest never does has none.
 *
 * <p>Any thread may ask; any may release.
 */
public final class Buffers extends AbstractByteBufAllocator {
    /** The only one. */
    public static final ByteBufAllocator POOL = new Buffers();

    /** From here on a buffer is large. */
    static final int LARGE_BYTES = 128 << 10;

    private static final int PAGE_BYTES = 8 << 10;
    /** Chunks of 8 KiB * 2^11 = 16 MiB. */
    private static final int CHUNK_ORDER = 11;

    private final PooledByteBufAllocator small = PooledByteBufAllocator.DEFAULT;
    /** Without caches by thread: what is cached would keep its chunk. */
    private final PooledByteBufAllocator large =
            new PooledByteBufAllocator(true, 0, 1, PAGE_BYTES, CHUNK_ORDER, 0, 0, false);

    private Buffers() {
        super(true);
    }

    @Override
    protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
        return small.heapBuffer(initialCapacity, maxCapacity);
    }

    @Override
    protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
        return (initialCapacity < LARGE_BYTES ? small : large).directBuffer(initialCapacity, maxCapacity);
    }

    @Override
    public boolean isDirectBufferPooled() {
        return true;
    }

    /** What the arena of large buffers holds at present. */
    long largeBytes() {
        return large.metric().usedDirectMemory();
    }
}
