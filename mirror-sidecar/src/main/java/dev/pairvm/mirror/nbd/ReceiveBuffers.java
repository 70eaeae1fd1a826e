package dev.pairvm.mirror.nbd;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import java.util.function.Supplier;

/**
 * Lets a connection say into which of its own buffers the next bytes of the socket go: the payload of a large write is received
 * straight into the buffer that then serves disk and link, and nothing is allocated per read.
 */
final class ReceiveBuffers extends DefaultMaxMessagesRecvByteBufAllocator {
    private final Supplier<ByteBuf> next;

    /**
     * For one channel.
     *
     * @param next gives a buffer with writable bytes; the receiver takes over one reference
     */
    ReceiveBuffers(Supplier<ByteBuf> next) {
        this.next = next;
    }

    @Override
    @SuppressWarnings("deprecation") // Netty's own channels still ask for this type
    public Handle newHandle() {
        return new MaxMessageHandle() {
            @Override
            public ByteBuf allocate(ByteBufAllocator allocator) {
                return next.get();
            }

            @Override
            public int guess() {
                return NbdConnection.INBOUND_BYTES;
            }
        };
    }
}
