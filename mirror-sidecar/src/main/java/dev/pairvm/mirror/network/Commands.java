package dev.pairvm.mirror.network;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** Runs {@code ip} and {@code nft}, with a time limit, and says what they said when they fail. Blocking. */
final class Commands {
    /** What a tool may print before it is cut off; a pod has tens of addresses, not thousands. */
    private static final int MAX_OUTPUT_BYTES = 1 << 20;

    private final Duration limit;

    /** Each command may take this long. */
    Commands(Duration limit) {
        this.limit = limit;
    }

    /** Runs it without input and returns what it printed. */
    String run(String... command) throws NetworkException {
        return run("", List.of(command));
    }

    /** Runs it with this on its standard input and returns what it printed. */
    String run(String input, List<String> command) throws NetworkException {
        String shown = String.join(" ", command);
        Process process;
        try {
            process = new ProcessBuilder(command).start();
        } catch (IOException e) {
            throw new NetworkException(
                    "\"" + shown + "\" could not be started; the mirror's image must have " + command.getFirst(), e);
        }
        // Read and written beside each other, so that a full pipe never makes both sides wait.
        CompletableFuture<String> output = read(process.getInputStream());
        CompletableFuture<String> errors = read(process.getErrorStream());
        Thread.ofVirtual().start(() -> write(process, input));
        try {
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new NetworkException("\"" + shown + "\" did not end within " + limit.toMillis() + " ms");
            }
            if (process.exitValue() != 0) {
                throw new NetworkException("\"" + shown + "\" failed with status " + process.exitValue() + ": "
                        + errors.get().strip() + (input.isEmpty() ? "" : "\ninput was:\n" + input));
            }
            return output.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new NetworkException("interrupted while \"" + shown + "\" ran", e);
        } catch (ExecutionException e) {
            throw new NetworkException("what \"" + shown + "\" printed could not be read", e);
        } finally {
            process.destroyForcibly();
        }
    }

    private static CompletableFuture<String> read(InputStream stream) {
        CompletableFuture<String> text = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try (stream) {
                text.complete(new String(stream.readNBytes(MAX_OUTPUT_BYTES), StandardCharsets.UTF_8));
            } catch (IOException e) {
                text.completeExceptionally(e);
            }
        });
        return text;
    }

    private static void write(Process process, String input) {
        try (OutputStream stream = process.getOutputStream()) {
            stream.write(input.getBytes(StandardCharsets.UTF_8));
        } catch (IOException ended) {
            // It ended without reading everything; its status and errors say why.
            assert !ended.toString().isEmpty();
        }
    }
}
