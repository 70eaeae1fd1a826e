package dev.pairvm.e2e.guest;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A client of the guest that keeps one TCP connection for as long as the guest does, and judges what comes over it. A connection that is
 * lost is counted, and replaced, so that the next one can be judged, too. Its own thread, until closed.
 */
public abstract sealed class ConnectionWatcher implements AutoCloseable
        permits SequenceWatcher, EchoWatcher, HttpWatcher {
    private static final Logger LOG = LoggerFactory.getLogger(ConnectionWatcher.class);

    /** A connection on which nothing comes for so long is lost, whatever TCP thinks of it. */
    static final Duration GIVEN_UP = Duration.ofSeconds(90);

    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(2);
    /** How often a reader looks whether it is to end. */
    private static final Duration LOOK = Duration.ofMillis(250);

    private static final int MAX_FAULTS = 50;

    private final String name;
    private final InetSocketAddress guest;
    private final GapRecorder gaps = new GapRecorder();
    private final AtomicLong heard = new AtomicLong();
    private final AtomicLong opened = new AtomicLong();
    private final AtomicLong lost = new AtomicLong();
    private final List<String> faults = new ArrayList<>();
    private final Thread thread;
    private volatile boolean closed;
    private volatile @Nullable Socket current;

    ConnectionWatcher(String name, String host, int port) {
        this.name = name;
        this.guest = new InetSocketAddress(host, port);
        this.thread = Thread.ofPlatform().daemon().name(name).unstarted(this::run);
    }

    void begin() {
        thread.start();
    }

    private void run() {
        while (!closed) {
            try (Socket socket = new Socket()) {
                socket.connect(guest, Math.toIntExact(CONNECT_LIMIT.toMillis()));
                current = socket;
                socket.setTcpNoDelay(true);
                socket.setSoTimeout(Math.toIntExact(LOOK.toMillis()));
                opened.incrementAndGet();
                converse(socket);
            } catch (IOException e) {
                if (!closed && current != null) {
                    lost.incrementAndGet();
                    LOG.warn(
                            "{}: connection lost after {} ms of silence: {}",
                            name,
                            gaps.silence().toMillis(),
                            e.toString());
                }
                rest(Duration.ofMillis(50));
            } finally {
                current = null;
            }
        }
    }

    /** Talks over a new connection until {@link #isClosed}, or fails when it is lost. */
    abstract void converse(Socket socket) throws IOException;

    boolean isClosed() {
        return closed;
    }

    /** Something came as it had to. */
    void good() {
        heard.incrementAndGet();
        gaps.heard();
    }

    /** What came is not what the guest may ever send. */
    void fault(String what) {
        LOG.error("{}: {}", name, what);
        synchronized (faults) {
            if (faults.size() < MAX_FAULTS) {
                faults.add(name + ": " + what);
            }
        }
    }

    /**
     * Reads what is there, at least one byte, waiting as long as a connection may be silent; 0 only when this watcher was closed. Throws at
     * the end of the stream.
     */
    int read(InputStream in, byte[] into, int offset) throws IOException {
        long began = System.nanoTime();
        while (!closed) {
            try {
                int n = in.read(into, offset, into.length - offset);
                if (n < 0) {
                    throw new IOException("the guest closed the connection");
                }
                return n;
            } catch (SocketTimeoutException e) {
                if (System.nanoTime() - began > GIVEN_UP.toNanos()) {
                    throw new IOException("nothing for " + GIVEN_UP.toSeconds() + " s", e);
                }
                idle();
            }
        }
        return 0;
    }

    /** Called while a reader waits, every now and then. */
    void idle() throws IOException {}

    static void rest(Duration time) {
        try {
            Thread.sleep(time);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** What it is called in reports. */
    public String name() {
        return name;
    }

    /** Silences between good answers. */
    public GapRecorder gaps() {
        return gaps;
    }

    /** Numbers, blocks or answers that came as they had to. */
    public long heard() {
        return heard.get();
    }

    /** Connections that were made. */
    public long connectionsOpened() {
        return opened.get();
    }

    /** Connections that broke, or were silent for 90 s. */
    public long connectionsLost() {
        return lost.get();
    }

    /** What came and must not have; at most the first 50. */
    public List<String> faults() {
        synchronized (faults) {
            return List.copyOf(faults);
        }
    }

    @Override
    public void close() {
        closed = true;
        try {
            thread.join(Duration.ofSeconds(5));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
