package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;

/**
 * Writes a frame's body; the counterpart of {@link BodyReader}, with the same bounds, so that this side never sends what the other
 * would refuse. A bound that is broken is a bug here and throws.
 */
final class BodyWriter {
    private final ByteBuf out;

    BodyWriter(ByteBuf out) {
        this.out = out;
    }

    BodyWriter u8(int value) {
        out.writeByte(value);
        return this;
    }

    BodyWriter i32(int value) {
        out.writeInt(value);
        return this;
    }

    BodyWriter i64(long value) {
        out.writeLong(value);
        return this;
    }

    BodyWriter flag(boolean value) {
        return u8(value ? 1 : 0);
    }

    BodyWriter count(int count, int most, String field) {
        if (count > most) {
            throw new IllegalArgumentException(field + " has " + count + " entries, at most " + most + " can be sent");
        }
        out.writeShort(count);
        return this;
    }

    BodyWriter text(String value, int most, String field) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > most) {
            throw new IllegalArgumentException(
                    field + " has " + bytes.length + " bytes, at most " + most + " can be sent");
        }
        out.writeShort(bytes.length);
        out.writeBytes(bytes);
        return this;
    }

    /** A sentence for the other side's log; cut to fit. */
    BodyWriter sentence(String value) {
        String cut = value.length() <= MOST_SENTENCE / 4 ? value : value.substring(0, MOST_SENTENCE / 4);
        return text(cut, MOST_SENTENCE, "sentence");
    }

    BodyWriter copy(CopyId copy) {
        return text(copy.value(), 3, "copy");
    }

    BodyWriter bytes(byte[] bytes) {
        out.writeBytes(bytes);
        return this;
    }

    /** Longest sentence in a frame, in bytes; four per character. */
    static final int MOST_SENTENCE = 1024;
}
