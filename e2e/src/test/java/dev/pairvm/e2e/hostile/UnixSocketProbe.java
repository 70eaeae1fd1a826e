package dev.pairvm.e2e.hostile;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Base64;

/**
 * Runs inside a pod, alone, on the mirror's own Java run-time, for no tool in the images can speak to a unix socket: sends bytes
 * and tells what came back. Must not use any other class of this project, nor have inner ones: only this file is carried into the pod.
 *
 * <p>Arguments: path of the socket; what to send, base64; how many zeros to send after it; {@code listen} or {@code hangup}; limit in
 * milliseconds. Prints {@code closed}, {@code silent} (nothing ended the connection within the limit) or {@code hangup}, a space, and
 * all bytes received, base64.
 */
public final class UnixSocketProbe {
    private UnixSocketProbe() {}

    /** See above. */
    public static void main(String[] arguments) throws IOException {
        byte[] script = Base64.getDecoder().decode(arguments[1]);
        long zeros = Long.parseLong(arguments[2]);
        boolean hangup = arguments[3].equals("hangup");
        long limitMillis = Long.parseLong(arguments[4]);
        ByteArrayOutputStream received = new ByteArrayOutputStream();
        String end;
        try (SocketChannel socket = SocketChannel.open(UnixDomainSocketAddress.of(arguments[0]))) {
            socket.configureBlocking(false);
            end = converse(socket, script, zeros, hangup, limitMillis, received);
        }
        System.out.println(end + " " + Base64.getEncoder().encodeToString(received.toByteArray()));
    }

    private static String converse(
            SocketChannel socket,
            byte[] script,
            long zeros,
            boolean hangup,
            long limitMillis,
            ByteArrayOutputStream received)
            throws IOException {
        long deadline = System.nanoTime() + limitMillis * 1_000_000;
        ByteBuffer out = ByteBuffer.wrap(script);
        ByteBuffer in = ByteBuffer.allocate(64 << 10);
        long left = zeros;
        boolean deaf = false;
        while (System.nanoTime() < deadline) {
            if (!out.hasRemaining() && left > 0) {
                out = ByteBuffer.allocate((int) Math.min(left, 64 << 10));
                left -= out.remaining();
            }
            int sent = 0;
            if (!deaf && out.hasRemaining()) {
                try {
                    sent = socket.write(out);
                } catch (IOException e) {
                    deaf = true; // the server has closed; what it said before can still be read
                }
            }
            if (hangup && !out.hasRemaining() && left == 0) {
                return "hangup";
            }
            int got;
            try {
                got = socket.read(in.clear());
            } catch (IOException e) {
                return "closed";
            }
            if (got < 0) {
                return "closed";
            }
            received.write(in.array(), 0, got);
            if (sent == 0 && got == 0) {
                Thread.onSpinWait();
                java.util.concurrent.locks.LockSupport.parkNanos(1_000_000);
            }
        }
        return "silent";
    }
}
