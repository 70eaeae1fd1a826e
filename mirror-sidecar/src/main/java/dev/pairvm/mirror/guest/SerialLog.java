package dev.pairvm.mirror.guest;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the last part of what the guest says on its serial console in a file. Has its own thread. What the guest says while no
 * mirror runs is lost; the guest never waits for its console.
 */
public final class SerialLog implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SerialLog.class);
    /** Then the file becomes {@code serial.log.1} and a new one is begun: at most twice this much is kept. */
    private static final long MAX_FILE_BYTES = 1 << 20;

    private static final int RETRY_MILLIS = 100;

    private final GuestFiles files;
    private final Thread thread;
    private volatile boolean closed;

    /** Starts to follow the console; connects again whenever QEMU is started anew. */
    public SerialLog(GuestFiles files) {
        this.files = files;
        this.thread = Thread.ofVirtual().name("serial").start(this::follow);
    }

    private void follow() {
        while (!closed) {
            try (SocketChannel console = SocketChannel.open(StandardProtocolFamily.UNIX)) {
                console.connect(UnixDomainSocketAddress.of(files.serialSocket()));
                copy(console);
            } catch (IOException notThere) {
                LOG.trace("no serial console", notThere);
            }
            LockSupport.parkNanos(RETRY_MILLIS * 1_000_000L);
        }
    }

    private void copy(SocketChannel console) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(8192);
        while (console.read(buffer) >= 0) {
            buffer.flip();
            append(buffer);
            buffer.clear();
        }
    }

    private void append(ByteBuffer text) throws IOException {
        try (FileChannel log = FileChannel.open(
                files.serialLog(), StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND)) {
            while (text.hasRemaining()) {
                log.write(text);
            }
            if (log.size() < MAX_FILE_BYTES) {
                return;
            }
        }
        Files.move(
                files.serialLog(),
                files.serialLog().resolveSibling("serial.log.1"),
                StandardCopyOption.ATOMIC_MOVE,
                StandardCopyOption.REPLACE_EXISTING);
    }

    /** Stops following. */
    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }
}
