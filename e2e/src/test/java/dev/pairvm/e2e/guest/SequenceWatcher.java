package dev.pairvm.e2e.guest;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/**
 * Listens to the guest's sequence: 1, 2, 3, … on each connection. A number that is missing, comes twice or out of order is a fault, for TCP
 * and the guest's memory together promise that it can not be. Says something itself every second, so that a guest that does not know the
 * connection any more can refuse it.
 */
public final class SequenceWatcher extends ConnectionWatcher {
    /** Port of the sequence in the test guest. */
    public static final int SEQUENCE_PORT = 7001;

    /** Numbers a second: a gap is known to 20 ms. */
    static final int RATE = 50;

    private static final byte[] RATE_LINE = ("rate " + RATE + "\n").getBytes(StandardCharsets.US_ASCII);
    private static final long SPEAK_NANOS = 1_000_000_000L;
    private static final long MOST = Long.MAX_VALUE / 10 - 1;

    private OutputStream out = OutputStream.nullOutputStream();
    private long spoke = System.nanoTime() - SPEAK_NANOS;

    private SequenceWatcher(String name, String host, int port) {
        super(name, host, port);
    }

    /** Begins to listen. */
    public static SequenceWatcher on(String name, String host) {
        return on(name, host, SEQUENCE_PORT);
    }

    static SequenceWatcher on(String name, String host, int port) {
        SequenceWatcher watcher = new SequenceWatcher(name, host, port);
        watcher.begin();
        return watcher;
    }

    @Override
    void converse(Socket socket) throws IOException {
        InputStream in = socket.getInputStream();
        out = socket.getOutputStream();
        byte[] piece = new byte[4096];
        Numbers numbers = new Numbers();
        while (!isClosed()) {
            idle();
            int n = read(in, piece, 0);
            for (int i = 0; i < n; i++) {
                numbers.take(piece[i]);
            }
        }
    }

    @Override
    void idle() throws IOException {
        if (System.nanoTime() - spoke >= SPEAK_NANOS) {
            out.write(RATE_LINE);
            spoke = System.nanoTime();
        }
    }

    private final class Numbers {
        private long expected = 1;
        private long number;
        private int digits;

        void take(byte one) throws IOException {
            if (one >= '0' && one <= '9' && number < MOST) {
                number = number * 10 + one - '0';
                digits++;
            } else if (one == '\n' && digits > 0) {
                judge();
                number = 0;
                digits = 0;
            } else {
                fault("byte " + one + " in the sequence, after number " + (expected - 1));
                throw new IOException("no sequence");
            }
        }

        private void judge() {
            if (number == expected) {
                good();
            } else {
                fault("number " + number + " came where " + expected + " was due");
            }
            expected = number + 1;
        }
    }
}
