package dev.pairvm.mirror.link;

import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a byte stream into frames. A body or payload that lies whole in what arrived is passed on as a slice; one that does not is
 * gathered in a buffer of its announced length, which has been checked against the bound of its type. The first malformed frame
 * ends it: the sink is told once, and what follows is dropped.
 */
final class FrameDecoder extends ChannelInboundHandlerAdapter {
    /** Takes what was decoded. A payload's one reference passes to it. */
    interface Sink {
        void message(Message message, @Nullable ByteBuf payload);

        void linkFrame(LinkFrame frame, @Nullable ByteBuf payload);

        void malformed(MalformedFrameException what);

        /** Bytes arrived, whatever they are. */
        void arrived(int bytes);

        /** Whether the peer has greeted; before that only its greeting is let in. */
        boolean isGreeted();

        /** What both sides have; frames of other features are not let in. */
        long agreedFeatures();
    }

    private final Sink sink;
    private final LinkVersions speaks;
    private final byte[] head = new byte[FrameHeader.BYTES];
    private final ByteBuf headView = Unpooled.wrappedBuffer(head);
    private int headFilled;
    private @Nullable FrameType type;
    private int bodyBytes;
    private int payloadBytes;
    private @Nullable ByteBuf body;
    private @Nullable ByteBuf payload;
    private boolean over;

    FrameDecoder(Sink sink, LinkVersions speaks) {
        this.sink = sink;
        this.speaks = speaks;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object arrived) {
        ByteBuf in = (ByteBuf) arrived;
        sink.arrived(in.readableBytes());
        try {
            while (!over && in.isReadable()) {
                take(context, in);
            }
        } catch (MalformedFrameException e) {
            stop();
            sink.malformed(e);
        } finally {
            in.release();
        }
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        stop();
    }

    /** No more frames from here. */
    void stop() {
        over = true;
        body = released(body);
        payload = released(payload);
    }

    private static @Nullable ByteBuf released(@Nullable ByteBuf buffer) {
        if (buffer != null) {
            buffer.release();
        }
        return null;
    }

    private void take(ChannelHandlerContext context, ByteBuf in) throws MalformedFrameException {
        if (headFilled < FrameHeader.BYTES) {
            int more = Math.min(FrameHeader.BYTES - headFilled, in.readableBytes());
            in.readBytes(head, headFilled, more);
            headFilled += more;
            if (headFilled < FrameHeader.BYTES) {
                return;
            }
            readHead();
        }
        body = gather(context, body, bodyBytes, in);
        if (body.readableBytes() < bodyBytes) {
            return;
        }
        if (payloadBytes > 0) {
            payload = gather(context, payload, payloadBytes, in);
            if (payload.readableBytes() < payloadBytes) {
                return;
            }
        }
        complete();
    }

    private void readHead() throws MalformedFrameException {
        if (headView.getUnsignedShort(0) != FrameHeader.MAGIC) {
            throw new MalformedFrameException("no frame begins here: magic is wrong");
        }
        int code = headView.getUnsignedByte(2);
        FrameType known = FrameType.of(code);
        if (known == null) {
            throw new MalformedFrameException("frame type " + code + " is not known");
        }
        if (!sink.isGreeted() && known != FrameType.GREETING && known != FrameType.BYE) {
            throw new MalformedFrameException(known + " came before a greeting");
        }
        if ((known.feature() & ~sink.agreedFeatures()) != 0 && sink.isGreeted()) {
            throw new MalformedFrameException(known + " belongs to a feature that was not agreed on");
        }
        long bodyLength = headView.getUnsignedInt(4);
        long payloadLength = headView.getUnsignedInt(8);
        if (bodyLength > known.mostBody() || payloadLength > known.mostPayload()) {
            throw new MalformedFrameException(known + " announces " + bodyLength + " + " + payloadLength
                    + " bytes, at most " + known.mostBody() + " + " + known.mostPayload() + " are allowed");
        }
        type = known;
        bodyBytes = (int) bodyLength;
        payloadBytes = (int) payloadLength;
    }

    private static ByteBuf gather(ChannelHandlerContext context, @Nullable ByteBuf part, int wanted, ByteBuf in) {
        if (part == null) {
            if (in.readableBytes() >= wanted) {
                return in.readRetainedSlice(wanted);
            }
            part = context.alloc().directBuffer(wanted, wanted);
        }
        part.writeBytes(in, Math.min(wanted - part.readableBytes(), in.readableBytes()));
        return part;
    }

    private void complete() throws MalformedFrameException {
        ByteBuf wholeBody = Objects.requireNonNull(body);
        FrameType known = Objects.requireNonNull(type);
        if (FrameHeader.crc(head, wholeBody) != headView.getInt(40)) {
            throw new MalformedFrameException(known + " is damaged: CRC32C of header and body is wrong");
        }
        ByteBuf wholePayload = payload;
        if ((wholePayload == null ? 0 : FrameHeader.crc(wholePayload)) != headView.getInt(36)) {
            throw new MalformedFrameException(known + " is damaged: CRC32C of the payload is wrong");
        }
        BodyReader reader = new BodyReader(wholeBody);
        if (known.isLinks()) {
            LinkFrame frame = LinkFrameCodec.decode(known, reader, speaks);
            next();
            sink.linkFrame(frame, wholePayload);
        } else {
            Message message = MessageCodec.decode(
                    known, headView.getLong(12), headView.getLong(20), headView.getLong(28), reader, payloadBytes);
            next();
            sink.message(message, wholePayload);
        }
    }

    /** Ready for the next frame; the payload is no longer ours. */
    private void next() {
        headFilled = 0;
        body = released(body);
        payload = null;
    }
}
