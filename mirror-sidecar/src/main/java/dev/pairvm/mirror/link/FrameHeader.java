package dev.pairvm.mirror.link;

import io.netty.buffer.ByteBuf;
import java.util.zip.CRC32C;

/**
 * The fixed part of a frame, big-endian:
 *
 * <pre>
 *  0 magic u16   2 type u8   3 reserved u8   4 body bytes u32   8 payload bytes u32
 * 12 epoch u64  20 session u64  28 seq u64  36 CRC32C of the payload u32  40 CRC32C of bytes 0 to 39 and the body u32
 * </pre>
 *
 * Body and payload follow. Lengths are checked against the type's bounds before anything is allocated.
 */
final class FrameHeader {
    static final int BYTES = 44;
    static final int MAGIC = 0x5056; // "PV"
    /** Payload of a guest write or a resync piece: the largest NBD request. */
    static final int MOST_PAYLOAD = 32 << 20;
    /** Body of every type but HELLO. */
    static final int MOST_BODY = 64 << 10;
    /** HELLO names extents that may differ; in runs of 10 bytes. */
    static final int MOST_HELLO_BODY = 20 << 20;

    private static final int CRC_AT = 40;

    private FrameHeader() {}

    /** Puts the header before a body that was written at {@code frame}'s index {@link #BYTES}; reader index must be 0. */
    static void complete(
            ByteBuf frame, int type, long epoch, long session, long seq, int payloadBytes, int payloadCrc) {
        int bodyBytes = frame.writerIndex() - BYTES;
        frame.setShort(0, MAGIC);
        frame.setByte(2, type);
        frame.setByte(3, 0);
        frame.setInt(4, bodyBytes);
        frame.setInt(8, payloadBytes);
        frame.setLong(12, epoch);
        frame.setLong(20, session);
        frame.setLong(28, seq);
        frame.setInt(36, payloadCrc);
        CRC32C crc = new CRC32C();
        crc.update(frame.internalNioBuffer(0, CRC_AT));
        if (bodyBytes > 0) {
            crc.update(frame.internalNioBuffer(BYTES, bodyBytes));
        }
        frame.setInt(CRC_AT, (int) crc.getValue());
    }

    static int crc(ByteBuf payload) {
        CRC32C crc = new CRC32C();
        update(crc, payload);
        return (int) crc.getValue();
    }

    /** A buffer in one piece lends its view, which is made once. */
    private static void update(CRC32C crc, ByteBuf bytes) {
        if (bytes.nioBufferCount() == 1) {
            crc.update(bytes.internalNioBuffer(bytes.readerIndex(), bytes.readableBytes()));
            return;
        }
        for (var part : bytes.nioBuffers()) {
            crc.update(part);
        }
    }

    /** CRC of the first 40 bytes of {@code header} and the body. */
    static int crc(byte[] header, ByteBuf body) {
        CRC32C crc = new CRC32C();
        crc.update(header, 0, CRC_AT);
        update(crc, body);
        return (int) crc.getValue();
    }
}
