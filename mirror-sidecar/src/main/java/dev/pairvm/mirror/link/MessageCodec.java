package dev.pairvm.mirror.link;

import dev.pairvm.mirror.core.ChunkHash;
import dev.pairvm.mirror.core.Message;
import dev.pairvm.mirror.core.PieceHash;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Frames of the core's messages: epoch, session and seq lie in the header, the rest in the body. */
final class MessageCodec {
    private static final int MOST_HASHES = 64;
    private static final int MOST_PIECES = Message.MOST_CHUNKS * PieceHash.IN_CHUNK;
    private static final Message.AttachKind[] KINDS = Message.AttachKind.values();

    private MessageCodec() {}

    /** Header and body; the payload, if any, is to follow as it is. {@code payloadCrc} counts only with a payload. */
    static ByteBuf encode(ByteBufAllocator alloc, Message message, @Nullable ByteBuf payload) {
        int payloadBytes = payload == null ? 0 : payload.readableBytes();
        if (payloadBytes != payloadBytesOf(message)) {
            throw new IllegalArgumentException(message.getClass().getSimpleName() + " needs a payload of "
                    + payloadBytesOf(message) + " bytes, got " + payloadBytes);
        }
        ByteBuf frame = alloc.directBuffer(FrameHeader.BYTES + 64);
        try {
            frame.writerIndex(FrameHeader.BYTES);
            FrameType type = writeBody(new BodyWriter(frame), message);
            int crc = payload == null ? 0 : FrameHeader.crc(payload);
            FrameHeader.complete(
                    frame, type.code, message.epoch(), message.session(), seqOf(message), payloadBytes, crc);
            return frame;
        } catch (RuntimeException e) {
            frame.release();
            throw e;
        }
    }

    private static FrameType writeBody(BodyWriter out, Message message) {
        return switch (message) {
            case Message.Hello hello -> {
                HelloBody.write(out, hello);
                yield FrameType.HELLO;
            }
            case Message.Attach attach -> {
                out.u8(attach.kind().ordinal());
                RecordBody.write(out, attach.arbiter());
                yield FrameType.ATTACH;
            }
            case Message.Attached attached -> FrameType.ATTACHED;
            case Message.Refused refused -> {
                out.sentence(refused.reason());
                yield FrameType.REFUSED;
            }
            case Message.EpochChanged changed -> {
                RecordBody.write(out, changed.arbiter());
                yield FrameType.EPOCH_CHANGED;
            }
            case Message.Write write -> {
                out.i32(write.disk()).i64(write.offset()).i32(write.length());
                out.flag(write.zero()).flag(write.fua());
                yield FrameType.WRITE;
            }
            case Message.WriteAck ack -> FrameType.WRITE_ACK;
            case Message.Nack nack -> {
                out.i32(nack.errno());
                yield FrameType.NACK;
            }
            case Message.Flush flush -> {
                out.i32(flush.disk());
                yield FrameType.FLUSH;
            }
            case Message.FlushAck ack -> FrameType.FLUSH_ACK;
            case Message.HashRequest request -> {
                out.i32(request.disk()).i64(request.offset()).i32(request.length());
                yield FrameType.HASH_REQUEST;
            }
            case Message.HashReply reply -> {
                out.count(reply.hashes().size(), MOST_HASHES, "hashes");
                for (ChunkHash hash : reply.hashes()) {
                    out.i64(hash.a()).i64(hash.b()).i64(hash.c()).i64(hash.d());
                }
                yield FrameType.HASH_REPLY;
            }
            case Message.PieceRequest request -> {
                out.i32(request.disk())
                        .i32(request.extent())
                        .i64(request.chunks())
                        .i64(request.diskBytes());
                yield FrameType.PIECE_REQUEST;
            }
            case Message.PieceReply reply -> {
                out.count(reply.hashes().size(), MOST_PIECES, "hashes");
                for (PieceHash hash : reply.hashes()) {
                    out.i64(hash.a()).i32(hash.b());
                }
                yield FrameType.PIECE_REPLY;
            }
            case Message.ResyncData data -> {
                out.i32(data.disk()).i64(data.offset()).i32(data.length()).flag(data.zero());
                yield FrameType.RESYNC_DATA;
            }
            case Message.Seal seal -> {
                out.i64(seal.lineage());
                yield FrameType.SEAL;
            }
            case Message.Sealed sealed -> {
                out.i64(sealed.lineage());
                yield FrameType.SEALED;
            }
            case Message.Outdate outdate -> FrameType.OUTDATE;
            case Message.Outdated outdated -> FrameType.OUTDATED;
            case Message.HandedOver handedOver -> {
                out.flag(handedOver.clean());
                yield FrameType.HANDED_OVER;
            }
            case Message.Goodbye goodbye -> FrameType.GOODBYE;
            case Message.Grow grow -> {
                out.i32(grow.disk()).i64(grow.bytes());
                yield FrameType.GROW;
            }
            case Message.Grown grown -> {
                out.i32(grown.disk()).i64(grown.bytes());
                yield FrameType.GROWN;
            }
            case Message.NotGrown not -> {
                out.i32(not.disk()).i64(not.bytes()).sentence(not.reason());
                yield FrameType.NOT_GROWN;
            }
            case Message.Read read -> {
                out.i32(read.disk()).i64(read.offset()).i32(read.length());
                yield FrameType.READ;
            }
            case Message.ReadData data -> {
                out.i32(data.length());
                yield FrameType.READ_DATA;
            }
            case Message.ReadFailed failed -> {
                out.i32(failed.errno());
                yield FrameType.READ_FAILED;
            }
            case Message.Verify verify -> {
                out.i32(verify.disk()).i64(verify.offset()).i32(verify.length());
                yield FrameType.VERIFY;
            }
        };
    }

    private static int payloadBytesOf(Message message) {
        return switch (message) {
            case Message.Write write -> write.zero() ? 0 : write.length();
            case Message.ResyncData data -> data.zero() ? 0 : data.length();
            case Message.ReadData data -> data.length();
            default -> 0; // every other message is metadata only, by the core's contract
        };
    }

    private static long seqOf(Message message) {
        return switch (message) {
            case Message.Write write -> write.seq();
            case Message.WriteAck ack -> ack.seq();
            case Message.Nack nack -> nack.seq();
            case Message.Flush flush -> flush.seq();
            case Message.FlushAck ack -> ack.seq();
            case Message.HashRequest request -> request.seq();
            case Message.HashReply reply -> reply.seq();
            case Message.PieceRequest request -> request.seq();
            case Message.PieceReply reply -> reply.seq();
            case Message.ResyncData data -> data.seq();
            case Message.Read read -> read.seq();
            case Message.ReadData data -> data.seq();
            case Message.ReadFailed failed -> failed.seq();
            case Message.Verify verify -> verify.seq();
            default -> 0; // the others have none
        };
    }

    /** The message of a frame whose CRC is right. Checks every field that the record itself does not. */
    static Message decode(FrameType type, long epoch, long session, long seq, BodyReader in, int payloadBytes)
            throws MalformedFrameException {
        if (epoch < 0) {
            throw new MalformedFrameException("epoch is negative");
        }
        Message message = read(type, epoch, session, seq, in);
        in.end();
        if (payloadBytes != payloadBytesOf(message)) {
            throw new MalformedFrameException(
                    type + " came with a payload of " + payloadBytes + " bytes instead of " + payloadBytesOf(message));
        }
        return message;
    }

    private static Message read(FrameType type, long epoch, long session, long seq, BodyReader in)
            throws MalformedFrameException {
        return switch (type) {
            case HELLO -> HelloBody.read(epoch, in);
            case ATTACH -> new Message.Attach(epoch, session, in.oneOf(KINDS, "kind"), RecordBody.read(in));
            case ATTACHED -> new Message.Attached(epoch, session);
            case REFUSED -> new Message.Refused(epoch, session, in.text(BodyWriter.MOST_SENTENCE, "reason"));
            case EPOCH_CHANGED -> new Message.EpochChanged(epoch, session, RecordBody.read(in));
            case WRITE -> {
                Range range = Range.read(in);
                boolean zero = in.flag("zero");
                range.check(zero ? Integer.MAX_VALUE : FrameHeader.MOST_PAYLOAD);
                yield new Message.Write(
                        epoch, session, seq, range.disk, range.offset, range.length, zero, in.flag("fua"));
            }
            case WRITE_ACK -> new Message.WriteAck(epoch, session, seq);
            case NACK -> new Message.Nack(epoch, session, seq, in.i32("errno"));
            case FLUSH -> new Message.Flush(epoch, session, seq, disk(in));
            case FLUSH_ACK -> new Message.FlushAck(epoch, session, seq);
            case HASH_REQUEST -> {
                Range range = Range.read(in);
                range.check(1 << 20);
                yield new Message.HashRequest(epoch, session, seq, range.disk, range.offset, range.length);
            }
            case HASH_REPLY -> new Message.HashReply(epoch, session, seq, hashes(in));
            case PIECE_REQUEST -> {
                int disk = disk(in);
                int extent = in.i32("extent");
                long chunks = in.i64("chunks");
                if (extent < 0 || chunks == 0 || Long.bitCount(chunks) > Message.MOST_CHUNKS) {
                    throw new MalformedFrameException("extent " + extent + " with " + Long.bitCount(chunks)
                            + " chunks, 1 to " + Message.MOST_CHUNKS + " are allowed");
                }
                long diskBytes = in.i64("diskBytes");
                if (diskBytes < 1) {
                    throw new MalformedFrameException("a disk of " + diskBytes + " bytes");
                }
                yield new Message.PieceRequest(epoch, session, seq, disk, extent, chunks, diskBytes);
            }
            case PIECE_REPLY -> new Message.PieceReply(epoch, session, seq, pieces(in));
            case RESYNC_DATA -> {
                Range range = Range.read(in);
                boolean zero = in.flag("zero");
                range.check(zero ? Integer.MAX_VALUE : FrameHeader.MOST_PAYLOAD);
                yield new Message.ResyncData(epoch, session, seq, range.disk, range.offset, range.length, zero);
            }
            case SEAL -> new Message.Seal(epoch, session, in.i64("lineage"));
            case SEALED -> new Message.Sealed(epoch, session, in.i64("lineage"));
            case OUTDATE -> new Message.Outdate(epoch, session);
            case OUTDATED -> new Message.Outdated(epoch, session);
            case HANDED_OVER -> new Message.HandedOver(epoch, session, in.flag("clean"));
            case GOODBYE -> new Message.Goodbye(epoch, session);
            case GROW -> new Message.Grow(epoch, session, disk(in), size(in));
            case GROWN -> new Message.Grown(epoch, session, disk(in), size(in));
            case NOT_GROWN ->
                new Message.NotGrown(epoch, session, disk(in), size(in), in.text(BodyWriter.MOST_SENTENCE, "reason"));
            case READ -> {
                Range range = Range.read(in);
                range.check(FrameHeader.MOST_PAYLOAD);
                yield new Message.Read(epoch, session, seq, range.disk, range.offset, range.length);
            }
            case READ_DATA -> {
                int length = in.i32("length");
                if (length < 1 || length > FrameHeader.MOST_PAYLOAD) {
                    throw new MalformedFrameException("read data of " + length + " bytes");
                }
                yield new Message.ReadData(epoch, session, seq, length);
            }
            case READ_FAILED -> new Message.ReadFailed(epoch, session, seq, in.i32("errno"));
            case VERIFY -> {
                Range range = Range.read(in);
                range.check(1 << 20);
                yield new Message.Verify(epoch, session, seq, range.disk, range.offset, range.length);
            }
            case GREETING,
                    SELECT,
                    PING,
                    PONG,
                    BYE,
                    STREAM_OPEN,
                    STREAM_OPENED,
                    STREAM_DATA,
                    STREAM_CREDIT,
                    STREAM_END,
                    STREAM_RESET -> throw new IllegalArgumentException(type + " is a frame of the link");
        };
    }

    private static int disk(BodyReader in) throws MalformedFrameException {
        int disk = in.i32("disk");
        if (disk < 0 || disk >= HelloBody.MOST_DISKS) {
            throw new MalformedFrameException("disk " + disk + " does not exist");
        }
        return disk;
    }

    /** Of a disk; whether it can be that large is the core's to check. */
    private static long size(BodyReader in) throws MalformedFrameException {
        long bytes = in.i64("bytes");
        if (bytes < 1) {
            throw new MalformedFrameException("a disk of " + bytes + " bytes");
        }
        return bytes;
    }

    private static List<ChunkHash> hashes(BodyReader in) throws MalformedFrameException {
        int count = in.count(MOST_HASHES, "hashes");
        List<ChunkHash> hashes = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            hashes.add(new ChunkHash(in.i64("hash"), in.i64("hash"), in.i64("hash"), in.i64("hash")));
        }
        return hashes;
    }

    private static List<PieceHash> pieces(BodyReader in) throws MalformedFrameException {
        int count = in.count(MOST_PIECES, "hashes");
        List<PieceHash> hashes = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            hashes.add(new PieceHash(in.i64("hash"), in.i32("hash")));
        }
        return hashes;
    }

    /** A range of a disk. Whether the disk is that large is the core's to check: it knows the sizes. */
    private record Range(int disk, long offset, int length) {
        static Range read(BodyReader in) throws MalformedFrameException {
            return new Range(MessageCodec.disk(in), in.i64("offset"), in.i32("length"));
        }

        void check(int mostBytes) throws MalformedFrameException {
            if (offset < 0 || length < 1 || length > mostBytes || offset > Long.MAX_VALUE - length) {
                throw new MalformedFrameException(
                        "range at " + offset + " has " + length + " bytes, 1 to " + mostBytes + " are allowed");
            }
        }
    }
}
