package dev.pairvm.e2e.cluster;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs one command to its end, within a time limit; a failure carries the command and its output. */
final class Shell {
    private static final Logger LOG = LoggerFactory.getLogger(Shell.class);

    private Shell() {}

    /** Standard output and error together. */
    static String run(Duration limit, String... command) {
        LOG.debug("running {}", List.of(command));
        try {
            Path out = Files.createTempFile("pairvm-e2e", ".out");
            try {
                Process process = new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
                        .redirectOutput(out.toFile())
                        .start();
                if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                    process.destroyForcibly();
                    throw new IllegalStateException(
                            "no end within " + limit + ": " + List.of(command) + "\n" + read(out));
                }
                if (process.exitValue() != 0) {
                    throw new IllegalStateException(
                            "exit status " + process.exitValue() + " of " + List.of(command) + "\n" + read(out));
                }
                return read(out);
            } finally {
                Files.deleteIfExists(out);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while running " + List.of(command), e);
        }
    }

    private static String read(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    }
}
