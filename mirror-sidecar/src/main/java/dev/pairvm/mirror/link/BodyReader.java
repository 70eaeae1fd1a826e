package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads a frame's body; every read is bounded by what is there, every count and text by what the field allows. */
final class BodyReader {
    private final ByteBuf body;

    BodyReader(ByteBuf body) {
        this.body = body;
    }

    private void need(int bytes, String field) throws MalformedFrameException {
        if (body.readableBytes() < bytes) {
            throw new MalformedFrameException("frame ends within " + field);
        }
    }

    int u8(String field) throws MalformedFrameException {
        need(1, field);
        return body.readUnsignedByte();
    }

    int u16(String field) throws MalformedFrameException {
        need(2, field);
        return body.readUnsignedShort();
    }

    int i32(String field) throws MalformedFrameException {
        need(4, field);
        return body.readInt();
    }

    long i64(String field) throws MalformedFrameException {
        need(8, field);
        return body.readLong();
    }

    /** A count of 0 to {@code most}, in 16 bits. */
    int count(int most, String field) throws MalformedFrameException {
        int count = u16(field);
        if (count > most) {
            throw new MalformedFrameException(field + " has " + count + " entries, at most " + most + " are allowed");
        }
        return count;
    }

    boolean flag(String field) throws MalformedFrameException {
        int value = u8(field);
        if (value > 1) {
            throw new MalformedFrameException(field + " is neither 0 nor 1");
        }
        return value == 1;
    }

    <E extends Enum<E>> E oneOf(E[] values, String field) throws MalformedFrameException {
        int index = u8(field);
        if (index >= values.length) {
            throw new MalformedFrameException(field + " " + index + " is not known");
        }
        return values[index];
    }

    /** Text of at most {@code most} bytes of valid UTF-8. */
    String text(int most, String field) throws MalformedFrameException {
        int length = u16(field);
        if (length > most) {
            throw new MalformedFrameException(field + " has " + length + " bytes, at most " + most + " are allowed");
        }
        need(length, field);
        byte[] bytes = new byte[length];
        body.readBytes(bytes);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new MalformedFrameException(field + " is no UTF-8");
        }
    }

    CopyId copy(String field) throws MalformedFrameException {
        String value = text(3, field);
        try {
            return new CopyId(value);
        } catch (IllegalArgumentException e) {
            throw new MalformedFrameException(field + " is no copy name");
        }
    }

    byte[] bytes(int count, String field) throws MalformedFrameException {
        need(count, field);
        byte[] bytes = new byte[count];
        body.readBytes(bytes);
        return bytes;
    }

    int remaining() {
        return body.readableBytes();
    }

    void end() throws MalformedFrameException {
        if (body.isReadable()) {
            throw new MalformedFrameException("frame has " + body.readableBytes() + " bytes too many");
        }
    }
}
