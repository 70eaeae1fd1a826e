package dev.pairvm.mirror.engine;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * A script of this package's resources as the first process of a mount and a PID namespace: with it goes everything that it started and
 * mounted, however it ends. Needs root.
 */
final class NamespacedScript implements AutoCloseable {
    private static final Duration LONGEST_WAIT = Duration.ofSeconds(60);

    private final Process process;
    private final Path errors;
    private final Thread reader;
    private final LinkedBlockingQueue<String> lines = new LinkedBlockingQueue<>();

    /** {@code each} sees each line as soon as it is said, on a thread of its own. */
    NamespacedScript(Path script, Path errors, Consumer<String> each, String... arguments) throws IOException {
        this.errors = errors;
        List<String> command = new ArrayList<>(List.of(
                "unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", script.toString()));
        command.addAll(List.of(arguments));
        process = new ProcessBuilder(command).redirectError(errors.toFile()).start();
        reader = Thread.ofPlatform().daemon().name("says").start(() -> read(each));
    }

    /** The scripts as files of a folder. */
    static Path unpack(Path folder) throws IOException {
        Files.createDirectories(folder);
        for (String name :
                List.of("crash-live.sh", "crash-check.sh", "crash-sqlite.sh", "crash-sqlite.py", "crash-postgres.sh")) {
            Path file = folder.resolve(name);
            try (var in = NamespacedScript.class.getResourceAsStream(name)) {
                if (in == null) {
                    throw new IOException("no resource " + name);
                }
                Files.copy(in, file);
            }
            if (!file.toFile().setExecutable(true)) {
                throw new IOException(file + " can not be made executable");
            }
        }
        return folder;
    }

    private void read(Consumer<String> each) {
        try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                each.accept(line);
                lines.add(line);
            }
        } catch (IOException e) {
            lines.add("unreadable: " + e);
        }
        lines.add("ended");
    }

    /** The next line. */
    String next() throws Exception {
        String line = lines.poll(LONGEST_WAIT.toSeconds(), TimeUnit.SECONDS);
        if (line == null || line.equals("ended")) {
            throw new AssertionError((line == null ? "nothing is said any more: " : "the script has ended: ")
                    + Files.readString(errors));
        }
        return line;
    }

    /** Reads on until a line begins so, and returns it. */
    String await(String beginning) throws Exception {
        String line = next();
        while (!line.startsWith(beginning)) {
            line = next();
        }
        return line;
    }

    /** Says a line to the script. */
    void tell(String line) throws IOException {
        process.outputWriter(StandardCharsets.UTF_8).append(line).append('\n').flush();
    }

    /** Ends it where it stands, with all that runs in it, and waits for that. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
        // The pipe is open as long as any of its processes lives.
        reader.join(LONGEST_WAIT.toMillis());
        if (reader.isAlive()) {
            throw new AssertionError("processes of the namespace do not die");
        }
    }

    /** Loop devices that lie on files of this folder. */
    static List<String> loopsOn(Path folder) throws Exception {
        return Stream.of(FaultyDevice.run("losetup", "--all").split("\n"))
                .filter(line -> line.contains(folder.toString()))
                .toList();
    }

    @Override
    public void close() throws InterruptedException {
        kill();
    }
}
