package dev.pairvm.e2e.hostile;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/**
 * What an NBD client sends in one go, right or wrong (NetworkBlockDevice/nbd, doc/proto.md). Nothing waits for an answer: a script
 * ends by a goodbye, or by something after which the server must close.
 */
public final class NbdScript {
    /** Option: choose an export and go on to requests. */
    public static final int GO = 7;
    /** Option: end the handshake. */
    public static final int ABORT = 2;
    /** Request: read. */
    public static final int READ = 0;
    /** Request: write. */
    public static final int WRITE = 1;
    /** Request: goodbye. */
    public static final int DISCONNECT = 2;
    /** Request: flush. */
    public static final int FLUSH = 3;
    /** Request: trim. */
    public static final int TRIM = 4;
    /** Request: write zeroes. */
    public static final int WRITE_ZEROES = 6;
    /** Request: block status. */
    public static final int BLOCK_STATUS = 7;

    private static final long OPTION_MAGIC = 0x49484156454F5054L;
    private static final int REQUEST_MAGIC = 0x25609513;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final DataOutputStream out = new DataOutputStream(bytes);
    private long cookies;

    private NbdScript() {}

    /** Nothing yet, not even the client's flags. */
    public static NbdScript empty() {
        return new NbdScript();
    }

    /** A client that begins properly. */
    public static NbdScript greeting() {
        return empty().hex("00000003");
    }

    /** A client that has opened this export properly. */
    public static NbdScript opened(String export) {
        return greeting().option(GO, named(export, export.length(), 0));
    }

    /** Raw bytes. */
    public NbdScript hex(String digits) {
        return append(HexFormat.of().parseHex(digits.replace(" ", "")));
    }

    /** Raw text. */
    public NbdScript text(String text) {
        return append(text.getBytes(StandardCharsets.US_ASCII));
    }

    private NbdScript append(byte[] more) {
        bytes.writeBytes(more);
        return this;
    }

    /** An option with its right length. */
    public NbdScript option(int option, byte[] data) {
        return option(option, data.length, data);
    }

    /** An option that says another length than it has. */
    public NbdScript option(int option, int claimedLength, byte[] data) {
        try {
            out.writeLong(OPTION_MAGIC);
            out.writeInt(option);
            out.writeInt(claimedLength);
            out.write(data);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    /** The data of {@code GO}: an export's name with a claimed length, and how many information requests are claimed to follow. */
    public static byte[] named(String export, int claimedLength, int claimedRequests) {
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        try (DataOutputStream fields = new DataOutputStream(data)) {
            fields.writeInt(claimedLength);
            fields.writeBytes(export);
            fields.writeShort(claimedRequests);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return data.toByteArray();
    }

    /** A request; its cookie is its number in the script, from 1. */
    public NbdScript request(int command, int flags, long offset, int length) {
        try {
            out.writeInt(REQUEST_MAGIC);
            out.writeShort(flags);
            out.writeShort(command);
            out.writeLong(++cookies);
            out.writeLong(offset);
            out.writeInt(length);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    /** So many bytes that look like data: none is zero. */
    public NbdScript payload(int length) {
        return append("x".repeat(length).getBytes(StandardCharsets.US_ASCII));
    }

    /** A polite end of the handshake. */
    public NbdScript abort() {
        return option(ABORT, new byte[0]);
    }

    /** A polite end of the transmission. */
    public NbdScript goodbye() {
        return request(DISCONNECT, 0, 0, 0);
    }

    /** What is to be sent. */
    public byte[] bytes() {
        return bytes.toByteArray();
    }
}
