package dev.pairvm.mirror.link;

import org.jspecify.annotations.Nullable;

/** Type byte of a frame. Numbers are for ever: a type that is no longer sent keeps its number. */
enum FrameType {
    // the core's
    HELLO(1),
    ATTACH(2),
    ATTACHED(3),
    REFUSED(4),
    EPOCH_CHANGED(5),
    WRITE(6),
    WRITE_ACK(7),
    NACK(8),
    FLUSH(9),
    FLUSH_ACK(10),
    HASH_REQUEST(11),
    HASH_REPLY(12),
    RESYNC_DATA(13),
    SEAL(14),
    SEALED(15),
    OUTDATE(16),
    OUTDATED(17),
    HANDED_OVER(18),
    GOODBYE(19),
    READ(20),
    READ_DATA(21),
    READ_FAILED(22),
    VERIFY(23),
    GROW(28),
    GROWN(29),
    NOT_GROWN(30),
    PIECE_REQUEST(24),
    PIECE_REPLY(25),
    // the link's
    GREETING(64),
    SELECT(65),
    PING(66),
    PONG(67),
    BYE(68),
    STREAM_OPEN(80),
    STREAM_OPENED(81),
    STREAM_DATA(82),
    STREAM_CREDIT(83),
    STREAM_END(84),
    STREAM_RESET(85);

    private static final @Nullable FrameType[] BY_CODE = new FrameType[256];

    static {
        for (FrameType type : values()) {
            BY_CODE[type.code] = type;
        }
    }

    final int code;

    FrameType(int code) {
        this.code = code;
    }

    static @Nullable FrameType of(int code) {
        return BY_CODE[code & 0xff];
    }

    boolean isLinks() {
        return code >= 64;
    }

    /** The feature that both sides must have for this type to travel; 0: it has been there from the first. */
    long feature() {
        return switch (this) {
            case STREAM_OPEN, STREAM_OPENED, STREAM_DATA, STREAM_CREDIT, STREAM_END, STREAM_RESET ->
                LinkFrame.Feature.STREAMS;
            case READ, READ_DATA, READ_FAILED -> LinkFrame.Feature.READS;
            case VERIFY -> LinkFrame.Feature.VERIFIES;
            case GROW, GROWN, NOT_GROWN -> LinkFrame.Feature.GROWTH;
            case PIECE_REQUEST, PIECE_REPLY -> LinkFrame.Feature.PIECES;
            case HELLO,
                    ATTACH,
                    ATTACHED,
                    REFUSED,
                    EPOCH_CHANGED,
                    WRITE,
                    WRITE_ACK,
                    NACK,
                    FLUSH,
                    FLUSH_ACK,
                    HASH_REQUEST,
                    HASH_REPLY,
                    RESYNC_DATA,
                    SEAL,
                    SEALED,
                    OUTDATE,
                    OUTDATED,
                    HANDED_OVER,
                    GOODBYE,
                    GREETING,
                    SELECT,
                    PING,
                    PONG,
                    BYE -> 0;
        };
    }

    int mostBody() {
        return this == HELLO ? FrameHeader.MOST_HELLO_BODY : FrameHeader.MOST_BODY;
    }

    int mostPayload() {
        return switch (this) {
            case WRITE, RESYNC_DATA, READ_DATA -> FrameHeader.MOST_PAYLOAD;
            case STREAM_DATA -> StreamChannel.CHUNK_BYTES;
            case HELLO,
                    ATTACH,
                    ATTACHED,
                    REFUSED,
                    EPOCH_CHANGED,
                    WRITE_ACK,
                    NACK,
                    FLUSH,
                    FLUSH_ACK,
                    HASH_REQUEST,
                    HASH_REPLY,
                    SEAL,
                    SEALED,
                    OUTDATE,
                    OUTDATED,
                    HANDED_OVER,
                    GOODBYE,
                    READ,
                    READ_FAILED,
                    VERIFY,
                    GROW,
                    GROWN,
                    NOT_GROWN,
                    PIECE_REQUEST,
                    PIECE_REPLY,
                    GREETING,
                    SELECT,
                    PING,
                    PONG,
                    BYE,
                    STREAM_OPEN,
                    STREAM_OPENED,
                    STREAM_CREDIT,
                    STREAM_END,
                    STREAM_RESET -> 0;
        };
    }
}
