package dev.pairvm.e2e.guest;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens to the guest's write log and remembers the highest record that was announced. An announced record is one that the guest
 * wrote and flushed before it said so: it may never be missing again. Reconnects for ever, until closed; its own thread.
 */
public final class WriteLogWatcher implements AutoCloseable {
    /** Port of the announcement stream in the test guest. */
    public static final int LOG_PORT = 7003;

    private static final Logger LOG = LoggerFactory.getLogger(WriteLogWatcher.class);
    private static final Duration SILENCE = Duration.ofSeconds(2);

    private final String host;
    private final Thread thread;
    private final AtomicBoolean closed = new AtomicBoolean();
    private final AtomicLong announced = new AtomicLong(-1);
    private final AtomicLong count = new AtomicLong();
    private final AtomicLong lastNanos = new AtomicLong(System.nanoTime());
    private final AtomicLong longestGapNanos = new AtomicLong();
    private final AtomicLong ioErrors = new AtomicLong();
    private final AtomicLong backwards = new AtomicLong();

    /** Starts to listen to the guest at this address. */
    public WriteLogWatcher(String host) {
        this.host = host;
        thread = Thread.ofPlatform().daemon().name("write-log-" + host).start(this::run);
    }

    private void run() {
        while (!closed.get()) {
            try (LineClient client = new LineClient(host, LOG_PORT, SILENCE)) {
                while (!closed.get()) {
                    accept(client.readLine());
                }
            } catch (IOException e) {
                LOG.debug("write log of {} is silent: {}", host, e.toString());
                pause();
            }
        }
    }

    private void accept(String line) {
        if (line.startsWith("IOERROR") || line.startsWith("LOST")) {
            ioErrors.incrementAndGet();
            LOG.error("guest reports {}", line);
            return;
        }
        if (line.isEmpty() || !Character.isDigit(line.charAt(0))) {
            return;
        }
        long n = Long.parseLong(line.strip());
        long now = System.nanoTime();
        longestGapNanos.accumulateAndGet(now - lastNanos.getAndSet(now), Math::max);
        if (n <= announced.get()) {
            backwards.incrementAndGet();
        }
        announced.accumulateAndGet(n, Math::max);
        count.incrementAndGet();
    }

    private void pause() {
        try {
            Thread.sleep(Duration.ofMillis(20));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            closed.set(true);
        }
    }

    /** Highest announced record, -1 before the first. */
    public long announced() {
        return announced.get();
    }

    /** How many announcements were heard. */
    public long count() {
        return count.get();
    }

    /** Longest silence between two announcements since the last {@link #resetGap}. */
    public Duration longestGap() {
        return Duration.ofNanos(longestGapNanos.get());
    }

    /** Begins a new measurement of the longest silence. */
    public void resetGap() {
        longestGapNanos.set(0);
    }

    /** Time since the last announcement. */
    public Duration silence() {
        return Duration.ofNanos(System.nanoTime() - lastNanos.get());
    }

    /** I/O errors and lost records that the guest itself noticed; must stay 0. */
    public long ioErrors() {
        return ioErrors.get();
    }

    /** Announcements of a number that had been announced before: the log went back in time. */
    public long backwards() {
        return backwards.get();
    }

    @Override
    public void close() {
        closed.set(true);
        thread.interrupt();
    }
}
