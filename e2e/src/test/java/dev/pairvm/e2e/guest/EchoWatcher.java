package dev.pairvm.e2e.guest;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;

/**
 * Sends blocks of bytes that never repeat to the guest's echo, one at a time: each byte must come back once, in order, and nothing else.
 */
public final class EchoWatcher extends ConnectionWatcher {
    /** Port of the echo in the test guest. */
    public static final int ECHO_PORT = 7002;

    private static final int BLOCK_BYTES = 64;
    private static final Duration PACE = Duration.ofMillis(20);
    private static final int SIGNIFICANT_DIGITS = 3;

    private static final long MOST_MICROS = GIVEN_UP.toNanos() / 1000;

    private final Histogram roundTripMicros = new ConcurrentHistogram(MOST_MICROS, SIGNIFICANT_DIGITS);

    private EchoWatcher(String name, String host, int port) {
        super(name, host, port);
    }

    /** Begins to ask. */
    public static EchoWatcher on(String name, String host) {
        return on(name, host, ECHO_PORT);
    }

    static EchoWatcher on(String name, String host, int port) {
        EchoWatcher watcher = new EchoWatcher(name, host, port);
        watcher.begin();
        return watcher;
    }

    @Override
    void converse(Socket socket) throws IOException {
        InputStream in = socket.getInputStream();
        SplittableRandom random = new SplittableRandom(connectionsOpened());
        byte[] sent = new byte[BLOCK_BYTES];
        byte[] came = new byte[BLOCK_BYTES];
        for (long block = 1; !isClosed(); block++) {
            random.nextBytes(sent);
            long began = System.nanoTime();
            socket.getOutputStream().write(sent);
            for (int have = 0; have < BLOCK_BYTES && !isClosed(); ) {
                have += read(in, came, have);
            }
            if (isClosed()) {
                return;
            }
            roundTripMicros.recordValue(Math.min((System.nanoTime() - began) / 1000, MOST_MICROS));
            if (!Arrays.equals(sent, came) || in.available() > 0) {
                fault("block " + block + " came back as others, or more than once");
                throw new IOException("no echo");
            }
            good();
            rest(PACE);
        }
    }

    /** Round trips in the guest's own pace and the network's, as text. */
    public String roundTrips() {
        return String.format(
                Locale.ROOT,
                "round trip p50 %.1f ms, p99 %.1f ms, max %.1f ms",
                roundTripMicros.getValueAtPercentile(50) / 1e3,
                roundTripMicros.getValueAtPercentile(99) / 1e3,
                roundTripMicros.getMaxValue() / 1e3);
    }
}
