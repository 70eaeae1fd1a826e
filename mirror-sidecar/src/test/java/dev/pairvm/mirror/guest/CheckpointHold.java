package dev.pairvm.mirror.guest;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Holds a twin between the moment in which it has taken a checkpoint's memory and the one in which it goes on, and compares the
 * memory of both guests page by page. At that moment both stand still and must be equal: the twin's QEMU has copied everything that
 * either side changed, and the active's waits for its answer.
 *
 * <p>The twin's QEMU is held by its own trace: it says when it has the memory, into a pipe that is full until it is let go. So nothing
 * here knows an address in QEMU's code, and a QEMU without that trace point fails the test instead of passing it.
 */
final class CheckpointHold implements AutoCloseable {
    private static final String LOADED = "colo_flush_ram_cache_end";
    /** What QEMU makes anew at every boot for the firmware to read; no memory of the guest. */
    private static final String FIRMWARE_FILE = "/rom@";

    private static final int PAGE = 4096;
    /** What a pipe holds, pipe(7). */
    private static final int PIPE_PAGES = 16;

    private static final int PART = 1 << 20;
    private static final Pattern BLOCK = Pattern.compile(
            "(\\S+)\\s+\\d+ KiB\\s+0x[0-9a-f]+\\s+0x([0-9a-f]+)\\s+0x[0-9a-f]+\\s+0x([0-9a-f]+)\\s+(ro|rw)");

    /** A part of the guest's memory in a QEMU's address space. */
    private record Block(long address, long bytes) {}

    private final RandomAccessFile pipe;
    private final FileInputStream said;
    private final long activePid;
    private final long twinPid;
    private final Map<String, Block> ofActive;
    private final Map<String, Block> ofTwin;
    private final String pipeName;

    /** @param twin waits for its memory, none has come yet */
    CheckpointHold(Path directory, QemuPod active, long activePid, QemuPod twin, long twinPid) throws Exception {
        this.activePid = activePid;
        this.twinPid = twinPid;
        Path path = directory.resolve("trace" + twinPid);
        assertThat(new ProcessBuilder("mkfifo", path.toString())
                        .inheritIO()
                        .start()
                        .waitFor())
                .isZero();
        pipeName = path.toRealPath().toString();
        pipe = new RandomAccessFile(path.toFile(), "rw");
        said = new FileInputStream(path.toFile());
        ofActive = blocks(active);
        ofTwin = blocks(twin);
        assertThat(ofTwin.keySet()).isEqualTo(ofActive.keySet()).isNotEmpty();
        say(twin, "logfile " + path);
        say(twin, "trace-event " + LOADED + " on");
    }

    private static String say(QemuPod pod, String line) throws Exception {
        return pod.get(() -> pod.guest.execute(
                        "human-monitor-command",
                        JsonNodeFactory.instance.objectNode().put("command-line", line)))
                .asText();
    }

    private static Map<String, Block> blocks(QemuPod pod) throws Exception {
        Map<String, Block> all = new HashMap<>();
        Matcher each = BLOCK.matcher(say(pod, "info ramblock"));
        while (each.find()) {
            if (each.group(1).startsWith(FIRMWARE_FILE)) {
                continue;
            }
            all.put(each.group(1), new Block(Long.parseLong(each.group(3), 16), Long.parseLong(each.group(2), 16)));
        }
        return all;
    }

    /**
     * The next checkpoint will be held. The kernel keeps one page for each whole page written, and for the words of checkpoints that
     * ended since the last was let go: as many pages as are free are filled, one more would block.
     */
    void arm() throws IOException {
        int free = PIPE_PAGES - (said.available() > 0 ? 1 : 0);
        pipe.write(new byte[free * PAGE]);
    }

    void awaitHeld() {
        await().pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(1))
                .atMost(Duration.ofSeconds(60))
                .until(this::isHeld);
    }

    private boolean isHeld() throws IOException {
        try (Stream<Path> threads = Files.list(Path.of("/proc/" + twinPid + "/task"))) {
            for (Path thread : threads.toList()) {
                String[] call = Files.readString(thread.resolve("syscall")).split(" ");
                if (call[0].equals("1") && isPipe(Integer.decode(call[1]))) {
                    return true;
                }
            }
        }
        return false;
    }

    private boolean isPipe(int descriptor) throws IOException {
        Path link = Path.of("/proc/" + twinPid + "/fd/" + descriptor);
        return Files.exists(link) && Files.readSymbolicLink(link).toString().equals(pipeName);
    }

    /** Lets the twin go on; returns when its word has come, so that {@link #arm} finds the pipe as it is. */
    void release() throws IOException {
        said.readNBytes(said.available());
        int next;
        do {
            next = said.read();
        } while (next >= 0 && next != '\n');
    }

    /** Addresses in the guest's memory whose pages differ, while it is held: {@code block+offset}. */
    List<String> differences() throws IOException {
        List<String> all = new ArrayList<>();
        try (RandomAccessFile here = new RandomAccessFile("/proc/" + activePid + "/mem", "r");
                RandomAccessFile there = new RandomAccessFile("/proc/" + twinPid + "/mem", "r")) {
            for (Map.Entry<String, Block> each : ofActive.entrySet()) {
                Block other = requireNonNull(ofTwin.get(each.getKey()));
                assertThat(other.bytes())
                        .as(each.getKey())
                        .isEqualTo(each.getValue().bytes());
                for (long page : differentPages(here, each.getValue(), there, other)) {
                    all.add(each.getKey() + "+0x" + Long.toHexString(page));
                }
            }
        }
        return all;
    }

    private static List<Long> differentPages(RandomAccessFile here, Block one, RandomAccessFile there, Block other)
            throws IOException {
        List<Long> all = new ArrayList<>();
        byte[] left = new byte[(int) Math.min(PART, one.bytes())];
        byte[] right = new byte[left.length];
        for (long at = 0; at < one.bytes(); at += left.length) {
            int length = (int) Math.min(left.length, one.bytes() - at);
            here.seek(one.address() + at);
            here.readFully(left, 0, length);
            there.seek(other.address() + at);
            there.readFully(right, 0, length);
            for (int page = 0; page < length; page += PAGE) {
                int end = Math.min(length, page + PAGE);
                if (!Arrays.equals(left, page, end, right, page, end)) {
                    all.add(at + page);
                }
            }
        }
        return all;
    }

    /** Makes a page of the twin wrong, while it is held: what {@link #differences} must find. */
    void spoil(String block, long offset) throws IOException {
        try (RandomAccessFile memory = new RandomAccessFile("/proc/" + twinPid + "/mem", "rw")) {
            long address = requireNonNull(ofTwin.get(block)).address() + offset;
            memory.seek(address);
            int old = memory.read();
            memory.seek(address);
            memory.write(~old);
        }
    }

    /** The twin must not be held; its trace ends with its process. */
    @Override
    public void close() throws IOException {
        said.close();
        pipe.close();
    }
}
