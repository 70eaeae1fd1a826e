package dev.pairvm.e2e.hostile;

import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.ExecWatch;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Carries {@link UnixSocketProbe} into a mirror's container and lets it speak to the disks' server there. */
public final class PodProbe {
    private static final String NBD = "/run/pairvm/nbd.sock";
    private static final String CONTAINER = "mirror";
    private static final String JAVA = "/usr/lib/pairvm/jre/bin/java";
    private static final String FOLDER = "/tmp/pairvm-probe";
    /** Start of a small JVM on a busy machine, beside the probe's own limit. */
    private static final Duration SLACK = Duration.ofSeconds(60);

    private final KubernetesClient client;
    private final String namespace;
    private final String pod;

    /** For the mirror in this pod. */
    public PodProbe(KubernetesClient client, String namespace, String pod) {
        this.client = client;
        this.namespace = namespace;
        this.pod = pod;
    }

    /**
     * What came back.
     *
     * @param end {@code closed} by the server, {@code silent} until the limit, or {@code hangup} of our own
     * @param received everything the server said
     */
    public record Answer(String end, byte[] received) {}

    /** Sends the bytes and so many zeros after them, and listens until the server closes, {@code limit} at most. */
    public Answer send(byte[] script, long zeros, Duration limit) {
        return run(script, zeros, "listen", limit);
    }

    /** Sends the bytes and is gone. */
    public Answer sendAndHangUp(byte[] script, Duration limit) {
        return run(script, 0, "hangup", limit);
    }

    private Answer run(byte[] script, long zeros, String manner, Duration limit) {
        String name = UnixSocketProbe.class.getName();
        String file = FOLDER + "/" + name.replace('.', '/') + ".class";
        String command = "mkdir -p \"$(dirname " + file + ")\" && echo "
                + Base64.getEncoder().encodeToString(bytecode())
                + " | base64 -d > " + file + " && exec " + JAVA
                + " -Xmx24m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp " + FOLDER + " " + name + " " + NBD + " "
                + Base64.getEncoder().encodeToString(script) + " " + zeros + " " + manner + " " + limit.toMillis();
        String[] words = execute(limit.plus(SLACK), "sh", "-c", command).strip().split(" ", -1);
        return new Answer(words[0], Base64.getDecoder().decode(words.length > 1 ? words[1] : ""));
    }

    private String execute(Duration limit, String... command) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream error = new ByteArrayOutputStream();
        try (ExecWatch watch = client.pods()
                .inNamespace(namespace)
                .withName(pod)
                .inContainer(CONTAINER)
                .writingOutput(out)
                .writingError(error)
                .exec(command)) {
            Integer status = watch.exitCode().get(limit.toMillis(), TimeUnit.MILLISECONDS);
            if (status == null || status != 0) {
                throw new IllegalStateException("the probe in " + pod + " ended with status " + status + ": "
                        + out.toString(StandardCharsets.UTF_8) + error.toString(StandardCharsets.UTF_8));
            }
            return out.toString(StandardCharsets.UTF_8);
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException(
                    "the probe in " + pod + " gave no answer: " + error.toString(StandardCharsets.UTF_8), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }

    private static byte[] bytecode() {
        try (InputStream in = UnixSocketProbe.class.getResourceAsStream("UnixSocketProbe.class")) {
            if (in == null) {
                throw new IllegalStateException("a class has its bytes");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
