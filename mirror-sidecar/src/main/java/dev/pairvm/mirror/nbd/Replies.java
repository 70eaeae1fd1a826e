package dev.pairvm.mirror.nbd;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import org.jspecify.annotations.Nullable;

/**
 * The way out of one connection: short answers of one turn of the event loop share a buffer, and everything leaves with one
 * flush at the end of the turn.
 */
final class Replies {
    private static final int SHARED_BYTES = 8 << 10;

    private final Channel channel;
    private final Runnable flush = this::flush;
    private @Nullable ByteBuf shared;
    private boolean pending;
    private boolean scheduled;

    Replies(Channel channel) {
        this.channel = channel;
    }

    /** A buffer to append up to {@code bytes} (at most 4 KiB) to; they leave with the next flush. */
    ByteBuf append(int bytes) {
        ByteBuf current = shared;
        if (current != null && current.writableBytes() < bytes) {
            writeShared(current);
            current = null;
        }
        if (current == null) {
            current = channel.alloc().directBuffer(SHARED_BYTES, SHARED_BYTES);
            shared = current;
        }
        pending = true;
        return current;
    }

    /** Sends a whole answer in a buffer of its own; takes over its reference. It may overtake what was appended. */
    void send(ByteBuf buffer) {
        pending = true;
        channel.write(buffer, channel.voidPromise());
    }

    /** Sends a buffer as the continuation of what was appended last; takes over its reference. */
    void sendBehind(ByteBuf buffer) {
        ByteBuf current = shared;
        if (current != null) {
            writeShared(current);
        }
        send(buffer);
    }

    /** Flushes at the end of this turn of the loop, once for all that is appended until then. */
    void flushLater() {
        if (pending && !scheduled) {
            scheduled = true;
            channel.eventLoop().execute(flush);
        }
    }

    /** Flushes now. */
    void flush() {
        scheduled = false;
        if (!pending) {
            return;
        }
        pending = false;
        ByteBuf current = shared;
        if (current != null) {
            writeShared(current);
        }
        channel.flush();
    }

    private void writeShared(ByteBuf buffer) {
        shared = null;
        channel.write(buffer, channel.voidPromise());
    }

    /** Throws away what was not sent. */
    void release() {
        ByteBuf current = shared;
        shared = null;
        pending = false;
        if (current != null) {
            current.release();
        }
    }
}
