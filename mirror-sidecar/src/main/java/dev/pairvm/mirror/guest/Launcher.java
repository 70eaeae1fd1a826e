package dev.pairvm.mirror.guest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The mirror's side of the launcher in QEMU's container: files in a directory that both see, each appearing whole by renaming.
 *
 * <pre>
 * request   number of the run, then one argument of QEMU a line; the launcher renames it to
 * running   while it carries it out
 * pid       "RUN PID" while QEMU runs
 * exit      "RUN STATUS" of the last run that ended
 * </pre>
 *
 * Small files on the pod's own volume; called on the event loop.
 */
final class Launcher {
    /** Name of the launcher's program, as seen among the processes of the pod. */
    static final String PROGRAM = "pairvm-launch";
    /** Exit status of a request that the launcher refused. */
    static final int REFUSED = 253;
    /** Exit status when the container ended under QEMU. */
    static final int CONTAINER_ENDED = 254;

    private static final Logger LOG = LoggerFactory.getLogger(Launcher.class);
    /** What the launcher accepts at most. */
    private static final int MAX_REQUEST_BYTES = 1 << 20;

    private static final int MAX_ANSWER_BYTES = 64;

    private final Path directory;

    Launcher(Path directory) {
        this.directory = directory;
    }

    /**
     * @param run which start of QEMU in this pod
     * @param number its process id, or its exit status
     */
    record Note(long run, int number) {}

    /** Asks for a QEMU. The run's number is one more than any this directory has seen. */
    long request(List<String> arguments) throws GuestException {
        long run = lastRun() + 1;
        StringBuilder text = new StringBuilder().append(run).append('\n');
        for (String argument : arguments) {
            if (argument.indexOf('\n') >= 0 || argument.indexOf('\0') >= 0) {
                throw new IllegalArgumentException("an argument of QEMU can not have a line break: " + argument);
            }
            text.append(argument).append('\n');
        }
        byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_REQUEST_BYTES) {
            throw new GuestException("QEMU's command line has " + bytes.length + " bytes, at most " + MAX_REQUEST_BYTES
                    + " can be handed to the launcher");
        }
        Path next = directory.resolve(".request.new");
        try {
            Files.createDirectories(directory);
            Files.write(next, bytes);
            Files.move(next, directory.resolve("request"), StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new GuestException(directory + " can not be written, so QEMU can not be started", e);
        }
        return run;
    }

    private long lastRun() {
        long last = 0;
        for (String name : List.of("request", "running", "pid", "exit")) {
            last = Math.max(last, read(name).map(Note::run).orElse(0L));
        }
        return last;
    }

    /** Takes back a request that the launcher has not begun. Only then {@code true}. */
    boolean withdraw() {
        try {
            // One of the two renames wins.
            Path withdrawn = directory.resolve(".withdrawn");
            Files.move(directory.resolve("request"), withdrawn, StandardCopyOption.ATOMIC_MOVE);
            Files.deleteIfExists(withdrawn);
            return true;
        } catch (IOException none) {
            return false;
        }
    }

    /** A request that waits for the launcher. */
    boolean isRequested() {
        return Files.exists(directory.resolve("request"));
    }

    /** The run the launcher is carrying out, whether or not QEMU's process exists already. */
    Optional<Long> running() {
        return read("running").map(Note::run);
    }

    /** The run and process that the launcher last started and that it has not seen end. */
    Optional<Note> process() {
        return read("pid");
    }

    /** The status of this run, once it ended. */
    Optional<Integer> exit(long run) {
        return read("exit").filter(note -> note.run == run).map(Note::number);
    }

    /** Whether nothing can start a QEMU: no request, and none begun by a launcher that still lives. */
    boolean isIdle() {
        return !isRequested() && (running().isEmpty() || !QemuProcess.isRunning(PROGRAM));
    }

    /** The first two numbers of the file; the second may be missing (in the first line of a request). */
    private Optional<Note> read(String name) {
        byte[] bytes;
        try (var stream = Files.newInputStream(directory.resolve(name))) {
            bytes = stream.readNBytes(MAX_ANSWER_BYTES);
        } catch (NoSuchFileException absent) {
            return Optional.empty();
        } catch (IOException e) {
            LOG.error("the launcher's file {} can not be read", name, e);
            return Optional.empty();
        }
        String[] words = new String(bytes, StandardCharsets.UTF_8)
                .lines()
                .findFirst()
                .orElse("")
                .split(" ");
        try {
            return Optional.of(new Note(Long.parseLong(words[0]), words.length > 1 ? Integer.parseInt(words[1]) : 0));
        } catch (NumberFormatException e) {
            LOG.error("the launcher's file {} does not begin with numbers", name);
            return Optional.empty();
        }
    }
}
