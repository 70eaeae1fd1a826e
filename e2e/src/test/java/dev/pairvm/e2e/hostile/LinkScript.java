package dev.pairvm.e2e.hostile;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

/**
 * Frames of the mirrors' link, right or wrong, as {@code mirror-sidecar/README.md} describes them; written anew here, so that a bug
 * of the product's own encoder can not hide itself.
 */
public final class LinkScript {
    /** Type of a guest's write. */
    public static final int WRITE = 6;
    /** Type of the first frame of each side. */
    public static final int GREETING = 64;
    /** Type by which the dialer chooses a connection. */
    public static final int SELECT = 65;
    /** Type of the last frame; says why. */
    public static final int BYE = 68;
    /** Type by which a byte stream is opened. */
    public static final int STREAM_OPEN = 80;

    /** Bytes of a frame before its body. */
    static final int HEADER_BYTES = 44;

    private static final int MAGIC = 0x5056;
    private static final int CRC_AT = 40;
    private static final int VERSION = 1;
    /** Streams, and reads of the peer. */
    private static final long FEATURES = 0b11;

    private static final int KEY_BYTES = 32;
    /** Where the attacker pretends to send beacons from; it never does. */
    private static final int BEACON_PORT = 7400;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    private LinkScript() {}

    /** Nothing yet. */
    public static LinkScript empty() {
        return new LinkScript();
    }

    /** A member that greets properly. */
    public static LinkScript greeted(String machineUid, String copy) {
        return empty().frame(GREETING, greeting(VERSION, machineUid, copy), new byte[0]);
    }

    /** A whole, undamaged frame. */
    public LinkScript frame(int type, byte[] body, byte[] payload) {
        return frame(header(type, body.length, payload.length, payload, body), body, payload);
    }

    /** A frame whose checksum is of something else. */
    public LinkScript damagedFrame(int type, byte[] body) {
        byte[] header = header(type, body.length, 0, new byte[0], body);
        header[CRC_AT] ^= 1;
        return frame(header, body, new byte[0]);
    }

    /** A frame whose payload is not the one that was summed up. */
    public LinkScript damagedPayload(int type, byte[] body, byte[] payload) {
        byte[] other = payload.clone();
        other[0] ^= 1;
        return frame(header(type, body.length, payload.length, other, body), body, payload);
    }

    /** The head of a frame that claims these lengths, and nothing behind it. */
    public LinkScript claim(int type, int bodyLength, int payloadLength) {
        bytes.writeBytes(header(type, bodyLength, payloadLength, new byte[0], new byte[0]));
        return this;
    }

    /** Raw text. */
    public LinkScript text(String text) {
        bytes.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
        return this;
    }

    private LinkScript frame(byte[] header, byte[] body, byte[] payload) {
        bytes.writeBytes(header);
        bytes.writeBytes(body);
        bytes.writeBytes(payload);
        return this;
    }

    private static byte[] header(int type, int bodyLength, int payloadLength, byte[] payload, byte[] body) {
        ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
        header.putShort((short) MAGIC).put((byte) type).put((byte) 0);
        header.putInt(bodyLength).putInt(payloadLength);
        header.putLong(1).putLong(0).putLong(1);
        CRC32C ofPayload = new CRC32C();
        ofPayload.update(payload);
        header.putInt(payload.length == 0 ? 0 : (int) ofPayload.getValue());
        CRC32C crc = new CRC32C();
        crc.update(header.array(), 0, CRC_AT);
        crc.update(body);
        header.putInt((int) crc.getValue());
        return header.array();
    }

    /** Body of a greeting of a side that has every feature. */
    public static byte[] greeting(int version, String machineUid, String copy) {
        return body(out -> {
            out.writeInt(version);
            out.writeLong(FEATURES);
            text(out, machineUid);
            text(out, copy);
            out.writeLong(4711);
            out.writeInt(BEACON_PORT);
            out.write(new byte[KEY_BYTES]);
            out.writeShort(0);
        });
    }

    /** Body of a guest's write. */
    public static byte[] write(int disk, long offset, int length) {
        return body(out -> {
            out.writeInt(disk);
            out.writeLong(offset);
            out.writeInt(length);
            out.writeByte(0);
            out.writeByte(0);
        });
    }

    /** Body of a stream's opening. */
    public static byte[] streamOpen(int stream, String name) {
        return body(out -> {
            out.writeInt(stream);
            text(out, name);
        });
    }

    private static void text(DataOutputStream out, String text) throws IOException {
        byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
        out.writeShort(encoded.length);
        out.write(encoded);
    }

    private interface Fields {
        void write(DataOutputStream out) throws IOException;
    }

    private static byte[] body(Fields fields) {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(body)) {
            fields.write(out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return body.toByteArray();
    }

    /** What is to be sent. */
    public byte[] bytes() {
        return bytes.toByteArray();
    }
}
