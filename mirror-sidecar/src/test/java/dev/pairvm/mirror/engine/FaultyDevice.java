package dev.pairvm.mirror.engine;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;

/**
 * A real block device that fails when told: a loop device on a FUSE file that nbdfuse serves from nbdkit's error and pause filters. Needs
 * root; {@link #close} takes everything down in the reverse order, also what an attempt that failed half way has put up.
 */
final class FaultyDevice implements AutoCloseable {
    private final Path dir;
    private final Deque<Undo> undo = new ArrayDeque<>();
    private String loop = "";

    private interface Undo {
        void run() throws Exception;
    }

    /** In an empty folder; throws {@link IOException}, with everything undone, where that can not be had. */
    FaultyDevice(Path dir, long bytes) throws Exception {
        this.dir = dir;
        try {
            setUp(bytes);
        } catch (Exception e) {
            close();
            throw e;
        }
    }

    private void setUp(long bytes) throws Exception {
        try (RandomAccessFile file = new RandomAccessFile(dir.resolve("backing").toFile(), "rw")) {
            file.setLength(bytes);
        }
        Files.createFile(dir.resolve("device"));
        background(
                dir.resolve("sock"),
                "nbdkit",
                "-f",
                "-U",
                dir.resolve("sock").toString(),
                "--filter=pause",
                "--filter=error",
                "file",
                dir.resolve("backing").toString(),
                "error=EIO",
                "error-pread-rate=100%",
                "error-pread-file=" + dir.resolve("reads-fail"),
                "error-pwrite-rate=100%",
                "error-pwrite-file=" + dir.resolve("writes-fail"),
                "error-zero-rate=100%",
                "error-zero-file=" + dir.resolve("writes-fail"),
                "pause-control=" + dir.resolve("pause"));
        Path mounted = dir.resolve("device");
        undo.push(() -> run("umount", "-l", mounted.toString()));
        background(
                dir.resolve("fuse.pid"),
                "nbdfuse",
                "-P",
                dir.resolve("fuse.pid").toString(),
                mounted.toString(),
                "--unix",
                dir.resolve("sock").toString());
        for (int left = 100; left > 0 && Files.size(mounted) != bytes; left--) {
            Thread.sleep(50);
        }
        String found = run("losetup", "--find", "--show", mounted.toString());
        if (!found.startsWith("/dev/loop")) {
            throw new IOException("no loop device to be had: " + found);
        }
        loop = found;
        undo.push(() -> run("losetup", "--detach", found));
    }

    private void background(Path appears, String... command) throws Exception {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve(command[0] + ".log").toFile())
                .start();
        undo.push(() -> {
            process.destroy();
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        });
        for (int left = 100; left > 0 && !Files.exists(appears); left--) {
            Thread.sleep(50);
        }
        if (!Files.exists(appears)) {
            throw new IOException(command[0] + ": " + Files.readString(dir.resolve(command[0] + ".log")));
        }
    }

    /** What a command says; an exit status other than 0 is left to the caller to see in it. */
    static String run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        process.waitFor();
        return output;
    }

    Path device() {
        return Path.of(loop);
    }

    void writesFail(boolean fail) throws IOException {
        trigger("writes-fail", fail);
    }

    /** Reads of what no cache holds fail; the caches are dropped. */
    void readsFail(boolean fail) throws Exception {
        trigger("reads-fail", fail);
        dropCaches();
    }

    /** What is read next is read from the device. */
    void dropCaches() throws Exception {
        run("blockdev", "--flushbufs", loop);
        run("dd", "if=" + dir.resolve("device"), "iflag=nocache", "count=0");
    }

    /** Whether the device has failed such an operation ({@code pread}, {@code pwrite}) yet. */
    boolean hasFailed(String operation) throws IOException {
        return Files.readString(dir.resolve("nbdkit.log")).contains("injecting EIO error into " + operation);
    }

    private void trigger(String name, boolean on) throws IOException {
        if (on) {
            Files.createFile(dir.resolve(name));
        } else {
            Files.deleteIfExists(dir.resolve(name));
        }
    }

    /** Nothing is answered until {@link #resume}. */
    void stall() throws IOException {
        tell('p');
    }

    void resume() throws IOException {
        tell('r');
    }

    private void tell(char what) throws IOException {
        try (SocketChannel control = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            control.connect(UnixDomainSocketAddress.of(dir.resolve("pause")));
            control.write(ByteBuffer.wrap(new byte[] {(byte) what}));
            ByteBuffer answer = ByteBuffer.allocate(1);
            control.read(answer);
        }
    }

    @Override
    public void close() throws Exception {
        if (Files.exists(dir.resolve("pause"))) {
            resume();
        }
        writesFail(false);
        trigger("reads-fail", false);
        while (!undo.isEmpty()) {
            undo.pop().run();
        }
    }
}
