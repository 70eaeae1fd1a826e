package dev.pairvm.mirror.network;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Writes netlink messages: headers, attributes and their padding. See {@code netlink(7)} and the kernel's
 * {@code include/uapi/linux/netlink.h}; lengths and types are in the host's byte order, everything is aligned to four bytes.
 */
final class NetlinkMessages {
    static final int HEADER_BYTES = 16;
    private static final int NESTED = 1 << 15;
    private static final int REQUEST = 1;
    private static final int ACK = 4;
    /** A few names and numbers; the largest message here names a pod's taps. */
    private static final int CAPACITY = 8192;

    private final ByteBuffer buffer = ByteBuffer.allocate(CAPACITY).order(ByteOrder.nativeOrder());
    private final int firstSequence;
    private int sequence;
    private int acks;
    private int start = -1;

    /** The first message gets this sequence number, the others follow. */
    NetlinkMessages(int firstSequence) {
        this.firstSequence = firstSequence;
        this.sequence = firstSequence;
    }

    /** Begins a message; {@code flags} beside NLM_F_REQUEST. Without {@code answered} the kernel answers only when it fails. */
    NetlinkMessages begin(int type, int flags, boolean answered) {
        end();
        start = buffer.position();
        buffer.putInt(0).putShort((short) type).putShort((short) (REQUEST | flags | (answered ? ACK : 0)));
        buffer.putInt(sequence++).putInt(0);
        acks += answered ? 1 : 0;
        return this;
    }

    /** Raw bytes of the message's fixed part, in the host's byte order. */
    ByteBuffer fixed() {
        return buffer;
    }

    NetlinkMessages attribute(int type, byte[] value) {
        buffer.putShort((short) (4 + value.length)).putShort((short) type).put(value);
        return pad();
    }

    /** An attribute that is a number in the host's byte order. */
    NetlinkMessages number(int type, int value) {
        buffer.putShort((short) 8).putShort((short) type).putInt(value);
        return this;
    }

    /** A text with its terminating zero. */
    NetlinkMessages text(int type, String value) {
        return attribute(type, (value + "\0").getBytes(StandardCharsets.US_ASCII));
    }

    /** Opens an attribute that holds attributes; hand the result to {@link #close}. */
    int open(int type) {
        int at = buffer.position();
        buffer.putShort((short) 0).putShort((short) (type | NESTED));
        return at;
    }

    NetlinkMessages close(int opened) {
        buffer.putShort(opened, (short) (buffer.position() - opened));
        return this;
    }

    private NetlinkMessages pad() {
        while (buffer.position() % 4 != 0) {
            buffer.put((byte) 0);
        }
        return this;
    }

    private void end() {
        if (start >= 0) {
            buffer.putInt(start, buffer.position() - start);
        }
    }

    /** Everything written, ready to be sent. */
    ByteBuffer finish() {
        end();
        return buffer.duplicate().order(ByteOrder.nativeOrder()).flip();
    }

    int firstSequence() {
        return firstSequence;
    }

    int nextSequence() {
        return sequence;
    }

    int acks() {
        return acks;
    }
}
