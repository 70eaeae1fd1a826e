package dev.pairvm.mirror.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Other people's NBD programs: libnbd's, QEMU's, fio. */
public final class StockTools {
    private final Path directory;

    /** Programs run in, and leave their logs in, this directory. */
    public StockTools(Path directory) {
        this.directory = directory;
    }

    /**
     * The test needs this program. On Linux its absence is a failure: a judge that is not there has not judged. Elsewhere, where these
     * programs are not to be had, the test is skipped.
     */
    public static void needs(String tool) {
        boolean found = List.of(System.getenv("PATH").split(File.pathSeparator)).stream()
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, tool)));
        assumeTrue(found || System.getProperty("os.name").equals("Linux"), () -> tool + " is not installed");
        assertThat(found).as("%s is not installed; make deps brings it", tool).isTrue();
    }

    /** Starts a program; what it says goes to a file beside it. */
    Process start(Path log, String... command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        // nbdsh takes the first python3 of the path; the binding belongs to the distribution's.
        builder.environment().merge("PATH", "/usr/bin:", (old, first) -> first + old);
        return builder.start();
    }

    /** Runs a program and returns what it said; that it fails is an error with that text. */
    public String run(String... command) throws IOException, InterruptedException {
        Result result = attempt(command);
        assertThat(result.status())
                .as("%s: %s", String.join(" ", command), result.said())
                .isZero();
        return result.said();
    }

    /** How a program ended. */
    record Result(int status, String said) {}

    /** Runs a program that may fail. */
    Result attempt(String... command) throws IOException, InterruptedException {
        Path log = Files.createTempFile(directory, "tool", ".log");
        Process process = start(log, command);
        boolean ended = process.waitFor(120, TimeUnit.SECONDS);
        if (!ended) {
            process.destroyForcibly();
        }
        String said = Files.readString(log, StandardCharsets.UTF_8);
        assertThat(ended).as("%s ended: %s", command[0], said).isTrue();
        return new Result(process.exitValue(), said);
    }
}
