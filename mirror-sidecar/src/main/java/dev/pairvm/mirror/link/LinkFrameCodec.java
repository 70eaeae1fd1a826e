package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Frames of the link itself; epoch, session and seq of the header are 0. */
final class LinkFrameCodec {
    static final int MOST_ADDRESSES = 8;
    private static final int MOST_ADDRESS = 64;

    private LinkFrameCodec() {}

    static ByteBuf encode(ByteBufAllocator alloc, LinkFrame frame, @Nullable ByteBuf payload) {
        ByteBuf out = alloc.directBuffer(FrameHeader.BYTES + 64);
        try {
            out.writerIndex(FrameHeader.BYTES);
            FrameType type = writeBody(new BodyWriter(out), frame);
            int payloadBytes = payload == null ? 0 : payload.readableBytes();
            int crc = payload == null ? 0 : FrameHeader.crc(payload);
            FrameHeader.complete(out, type.code, 0, 0, 0, payloadBytes, crc);
            return out;
        } catch (RuntimeException e) {
            out.release();
            throw e;
        }
    }

    private static FrameType writeBody(BodyWriter out, LinkFrame frame) {
        return switch (frame) {
            case LinkFrame.Greeting greeting -> {
                out.i32(greeting.speaks().oldest()).i64(greeting.features());
                out.text(greeting.machineUid(), HelloBody.MOST_UID, "machineUid")
                        .copy(greeting.copy());
                out.i64(greeting.life())
                        .i32(greeting.beaconPort())
                        .bytes(greeting.beaconKey().bytes());
                out.count(greeting.addresses().size(), MOST_ADDRESSES, "addresses");
                greeting.addresses().forEach(address -> out.text(address.toString(), MOST_ADDRESS, "address"));
                out.i32(greeting.speaks().newest());
                yield FrameType.GREETING;
            }
            case LinkFrame.ForeignGreeting(int version) -> {
                out.i32(version);
                yield FrameType.GREETING;
            }
            case LinkFrame.Select select -> FrameType.SELECT;
            case LinkFrame.Ping(long sentAt) -> {
                out.i64(sentAt);
                yield FrameType.PING;
            }
            case LinkFrame.Pong(long sentAt) -> {
                out.i64(sentAt);
                yield FrameType.PONG;
            }
            case LinkFrame.Bye(String why) -> {
                out.sentence(why);
                yield FrameType.BYE;
            }
            case LinkFrame.StreamOpen(int stream, String name) -> {
                out.i32(stream).text(name, StreamChannel.MOST_NAME, "name");
                yield FrameType.STREAM_OPEN;
            }
            case LinkFrame.StreamOpened(int stream) -> {
                out.i32(stream);
                yield FrameType.STREAM_OPENED;
            }
            case LinkFrame.StreamData(int stream) -> {
                out.i32(stream);
                yield FrameType.STREAM_DATA;
            }
            case LinkFrame.StreamCredit(int stream, int bytes) -> {
                out.i32(stream).i32(bytes);
                yield FrameType.STREAM_CREDIT;
            }
            case LinkFrame.StreamEnd(int stream) -> {
                out.i32(stream);
                yield FrameType.STREAM_END;
            }
            case LinkFrame.StreamReset(int stream, String why) -> {
                out.i32(stream).sentence(why);
                yield FrameType.STREAM_RESET;
            }
        };
    }

    /** The frame of a type that {@link FrameType#isLinks}. */
    static LinkFrame decode(FrameType type, BodyReader in, LinkVersions speaks) throws MalformedFrameException {
        if (type == FrameType.GREETING) {
            return greeting(in, speaks);
        }
        LinkFrame frame = switch (type) {
            case SELECT -> new LinkFrame.Select();
            case PING -> new LinkFrame.Ping(in.i64("sentAt"));
            case PONG -> new LinkFrame.Pong(in.i64("sentAt"));
            case BYE -> new LinkFrame.Bye(in.text(BodyWriter.MOST_SENTENCE, "why"));
            case STREAM_OPEN -> new LinkFrame.StreamOpen(in.i32("stream"), in.text(StreamChannel.MOST_NAME, "name"));
            case STREAM_OPENED -> new LinkFrame.StreamOpened(in.i32("stream"));
            case STREAM_DATA -> new LinkFrame.StreamData(in.i32("stream"));
            case STREAM_CREDIT -> new LinkFrame.StreamCredit(in.i32("stream"), in.i32("bytes"));
            case STREAM_END -> new LinkFrame.StreamEnd(in.i32("stream"));
            case STREAM_RESET -> new LinkFrame.StreamReset(in.i32("stream"), in.text(BodyWriter.MOST_SENTENCE, "why"));
            default -> throw new IllegalArgumentException(type + " is a frame of the core");
        };
        in.end();
        return frame;
    }

    /** Bytes behind the known fields are passed over: a later version may say more in its greeting, and must be able to. */
    private static LinkFrame greeting(BodyReader in, LinkVersions speaks) throws MalformedFrameException {
        int oldest = in.i32("version");
        if (oldest > speaks.newest()) {
            return new LinkFrame.ForeignGreeting(oldest);
        }
        long features = in.i64("features");
        String machineUid = in.text(HelloBody.MOST_UID, "machineUid");
        CopyId copy = in.copy("copy");
        long life = in.i64("life");
        int beaconPort = in.i32("beaconPort");
        if (beaconPort < 1 || beaconPort > 65535) {
            throw new MalformedFrameException("beaconPort " + beaconPort + " is none");
        }
        Secret key = new Secret(in.bytes(Secret.BYTES, "beaconKey"));
        int count = in.count(MOST_ADDRESSES, "addresses");
        List<PeerAddress> addresses = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            try {
                addresses.add(PeerAddress.parse(in.text(MOST_ADDRESS, "address")));
            } catch (IllegalArgumentException e) {
                throw new MalformedFrameException("greeting: " + e.getMessage());
            }
        }
        // The first release said one version, and nothing behind its addresses.
        int newest = in.remaining() >= Integer.BYTES ? in.i32("newest version") : oldest;
        if (oldest < 1 || newest < oldest) {
            throw new MalformedFrameException("versions from " + oldest + " to " + newest + " are no range");
        }
        return new LinkFrame.Greeting(
                new LinkVersions(oldest, newest), features, machineUid, copy, life, beaconPort, key, addresses);
    }
}
