package dev.pairvm.mirror.nbd;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A plain, blocking NBD client over TCP that can also misbehave: it sends what the test tells it to. */
final class TestClient implements AutoCloseable {
    /** One answer to an option. */
    record OptionReply(int option, int type, byte[] data) {
        String text() {
            return new String(data, StandardCharsets.UTF_8);
        }
    }

    /** A reply to a request: a simple one has type -1. */
    record Reply(int type, int flags, long cookie, int error, byte[] data) {}

    private final Socket socket;
    final DataInputStream in;
    final DataOutputStream out;
    boolean structured;
    long size;
    int flags;
    private long nextCookie = 100;

    private TestClient(InetSocketAddress address) throws IOException {
        socket = new Socket(address.getAddress(), address.getPort());
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(20_000);
        in = new DataInputStream(socket.getInputStream());
        out = new DataOutputStream(new java.io.BufferedOutputStream(socket.getOutputStream(), 1 << 16));
    }

    /** Connects, and checks and answers the greeting. */
    static TestClient greeted(InetSocketAddress address) throws IOException {
        TestClient client = silent(address);
        client.readGreeting();
        client.out.writeInt(3);
        client.out.flush();
        return client;
    }

    /** Connects and says nothing. */
    static TestClient silent(InetSocketAddress address) throws IOException {
        return new TestClient(address);
    }

    /** Connects and enters transmission with {@code NBD_OPT_GO}. */
    static TestClient opened(InetSocketAddress address, String export, boolean structured) throws IOException {
        TestClient client = greeted(address);
        if (structured) {
            client.option(8, new byte[0]);
            expect(1, client.optionReply().type());
            client.structured = true;
        }
        client.go(export);
        return client;
    }

    /** As {@link #opened}, with {@code base:allocation} selected. */
    static TestClient openedWithBlockStatus(InetSocketAddress address, String export) throws IOException {
        TestClient client = greeted(address);
        client.option(8, new byte[0]);
        expect(1, client.optionReply().type());
        client.structured = true;
        client.option(10, metaQuery(export, "base:allocation"));
        expect(4, client.optionReply().type());
        expect(1, client.optionReply().type());
        client.go(export);
        return client;
    }

    private static void expect(long wanted, long got) {
        if (wanted != got) {
            throw new AssertionError("expected " + wanted + ", got " + got);
        }
    }

    void readGreeting() throws IOException {
        expect(0x4e42444d41474943L, in.readLong());
        expect(0x49484156454F5054L, in.readLong());
        expect(3, in.readUnsignedShort());
    }

    void option(int option, byte[] data) throws IOException {
        out.writeLong(0x49484156454F5054L);
        out.writeInt(option);
        out.writeInt(data.length);
        out.write(data);
        out.flush();
    }

    OptionReply optionReply() throws IOException {
        expect(0x3e889045565a9L, in.readLong());
        int option = in.readInt();
        int type = in.readInt();
        byte[] data = new byte[in.readInt()];
        in.readFully(data);
        return new OptionReply(option, type, data);
    }

    /** All replies to an option, up to and with the acknowledgement or error. */
    List<OptionReply> optionReplies() throws IOException {
        List<OptionReply> replies = new ArrayList<>();
        do {
            replies.add(optionReply());
        } while (replies.getLast().type() > 1);
        return replies;
    }

    static byte[] infoRequest(String export, int... wanted) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream data = new DataOutputStream(bytes);
        byte[] name = export.getBytes(StandardCharsets.UTF_8);
        data.writeInt(name.length);
        data.write(name);
        data.writeShort(wanted.length);
        for (int info : wanted) {
            data.writeShort(info);
        }
        return bytes.toByteArray();
    }

    static byte[] metaQuery(String export, String... queries) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream data = new DataOutputStream(bytes);
        byte[] name = export.getBytes(StandardCharsets.UTF_8);
        data.writeInt(name.length);
        data.write(name);
        data.writeInt(queries.length);
        for (String query : queries) {
            byte[] text = query.getBytes(StandardCharsets.UTF_8);
            data.writeInt(text.length);
            data.write(text);
        }
        return bytes.toByteArray();
    }

    void go(String export) throws IOException {
        option(7, infoRequest(export));
        for (OptionReply reply : optionReplies()) {
            if (reply.type() == 3) {
                DataInputStream data = new DataInputStream(new java.io.ByteArrayInputStream(reply.data()));
                expect(0, data.readUnsignedShort());
                size = data.readLong();
                flags = data.readUnsignedShort();
            } else {
                expect(1, reply.type());
            }
        }
    }

    /** Sends a request without waiting; returns its cookie. */
    long send(int command, int commandFlags, long offset, long length, byte[] payload) throws IOException {
        long cookie = nextCookie++;
        out.writeInt(0x25609513);
        out.writeShort(commandFlags);
        out.writeShort(command);
        out.writeLong(cookie);
        out.writeLong(offset);
        out.writeInt((int) length);
        out.write(payload);
        out.flush();
        return cookie;
    }

    long send(int command, int commandFlags, long offset, long length) throws IOException {
        return send(command, commandFlags, offset, length, new byte[0]);
    }

    /** Reads a reply; {@code readLength} is what a successful simple read reply carries. */
    Reply reply(int readLength) throws IOException {
        int magic = in.readInt();
        if (magic == 0x67446698) {
            int error = in.readInt();
            long cookie = in.readLong();
            byte[] data = new byte[error == 0 && !structured ? readLength : 0];
            in.readFully(data);
            return new Reply(-1, 1, cookie, error, data);
        }
        expect(0x668e33ef, magic);
        int replyFlags = in.readUnsignedShort();
        int type = in.readUnsignedShort();
        long cookie = in.readLong();
        byte[] data = new byte[in.readInt()];
        in.readFully(data);
        int error = (type & 0x8000) != 0 ? new DataInputStream(new java.io.ByteArrayInputStream(data)).readInt() : 0;
        return new Reply(type, replyFlags, cookie, error, data);
    }

    /** Sends a request and returns the error of its answer, 0 for success. */
    int error(int command, int commandFlags, long offset, long length, byte... payload) throws IOException {
        long cookie = send(command, commandFlags, offset, length, payload);
        Reply reply = reply(command == 0 ? (int) length : 0);
        expect(cookie, reply.cookie());
        return reply.error();
    }

    byte[] read(long offset, int length) throws IOException {
        long cookie = send(0, 0, offset, length);
        Reply reply = reply(length);
        expect(cookie, reply.cookie());
        expect(0, reply.error());
        if (!structured) {
            return reply.data();
        }
        expect(1, reply.type());
        expect(1, reply.flags());
        DataInputStream data = new DataInputStream(new java.io.ByteArrayInputStream(reply.data()));
        expect(offset, data.readLong());
        return data.readAllBytes();
    }

    /** Whether the server has closed the connection, after whatever it still sent. */
    boolean closedByServer() throws IOException {
        try {
            while (in.read() >= 0) {
                // What was still on its way does not matter here.
            }
            return true;
        } catch (EOFException | SocketException e) {
            return true;
        } catch (java.net.SocketTimeoutException e) {
            return false;
        }
    }

    void shutdownOutput() throws IOException {
        socket.shutdownOutput();
    }

    /** Goes away without a word, so that the server sees a reset. */
    void reset() throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
