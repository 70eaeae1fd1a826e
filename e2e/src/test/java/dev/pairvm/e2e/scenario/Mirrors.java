package dev.pairvm.e2e.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.pairvm.e2e.hostile.ControlCaller;
import dev.pairvm.e2e.hostile.ForgedAuthority;
import dev.pairvm.e2e.hostile.Papers;
import dev.pairvm.e2e.machine.Machine;
import io.fabric8.kubernetes.api.model.ContainerStatus;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/** The mirrors of a machine: their pods, logs and metrics. */
final class Mirrors {
    private static final String CONTAINER = "mirror";
    private static final int HEALTH_PORT = 9080;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final KubernetesClient client;
    private final Machine machine;

    Mirrors(KubernetesClient client, Machine machine) {
        this.client = client;
        this.machine = machine;
    }

    /** The pods by copy. */
    SortedMap<String, Pod> pods() {
        SortedMap<String, Pod> pods = new TreeMap<>();
        for (Pod pod : client.pods()
                .inNamespace(machine.namespace())
                .withLabel("pairvm.dev/machine", machine.name())
                .list()
                .getItems()) {
            pods.put(pod.getMetadata().getLabels().get("pairvm.dev/copy"), pod);
        }
        return pods;
    }

    Pod pod(String copy) {
        Pod pod = pods().get(copy);
        if (pod == null) {
            throw new AssertionError("copy " + copy + " has no pod");
        }
        return pod;
    }

    InetAddress address(String copy) {
        try {
            return InetAddress.getByName(pod(copy).getStatus().getPodIP());
        } catch (UnknownHostException e) {
            throw new AssertionError("a pod's address is a literal", e);
        }
    }

    /** What the mirror has logged since its container began. */
    String log(String copy) {
        return client.pods()
                .inNamespace(machine.namespace())
                .withName(pod(copy).getMetadata().getName())
                .inContainer(CONTAINER)
                .getLog();
    }

    /** What the copy's mirror says of itself, to who has the operator's papers. */
    JsonNode report(String copy) throws IOException {
        try {
            Papers operator = ForgedAuthority.ofInstallation(client, OperatorAbsence.NAMESPACE)
                    .issue(Optional.of("pairvm://operator"));
            try (ControlCaller caller = new ControlCaller(address(copy), operator)) {
                return JSON.readTree(caller.get("/v1/report").body());
            }
        } catch (GeneralSecurityException e) {
            throw new IOException("no papers for the control port", e);
        }
    }

    /** The part of it that tells of level 3; empty where it tells nothing, or nobody answers. */
    JsonNode twin(String copy) {
        try {
            return report(copy).path("twin");
        } catch (IOException | AssertionError | RuntimeException e) {
            return MissingNode.getInstance();
        }
    }

    /** Lives of the mirrors: another value means that a pod, a container or a process was replaced. */
    SortedMap<String, String> lives() throws IOException {
        SortedMap<String, String> lives = new TreeMap<>();
        for (var entry : pods().entrySet()) {
            Pod pod = entry.getValue();
            lives.put(
                    entry.getKey(),
                    pod.getMetadata().getUid() + ", restarts " + restarts(pod) + ", process began "
                            + metric(pod.getStatus().getPodIP(), "process_start_time_seconds"));
        }
        return lives;
    }

    private static int restarts(Pod pod) {
        return Stream.concat(
                        pod.getStatus().getInitContainerStatuses().stream(),
                        pod.getStatus().getContainerStatuses().stream())
                .mapToInt(ContainerStatus::getRestartCount)
                .sum();
    }

    /** A sample of the copy's mirror; {@code name} with its labels as Prometheus prints them, label order included. */
    double sample(String copy, String name) throws IOException {
        return Double.parseDouble(metric(address(copy).getHostAddress(), name));
    }

    private static String metric(String host, String name) throws IOException {
        try (HttpClient http = HttpClient.newBuilder().connectTimeout(LIMIT).build()) {
            String metrics = http.send(
                            HttpRequest.newBuilder(URI.create("http://" + host + ":" + HEALTH_PORT + "/metrics"))
                                    .timeout(LIMIT)
                                    .build(),
                            HttpResponse.BodyHandlers.ofString())
                    .body();
            return metrics.lines()
                    .filter(line -> line.startsWith(name + " "))
                    .map(line -> line.substring(name.length() + 1))
                    .findFirst()
                    .orElseThrow(() -> new IOException("no metric " + name + " at " + host));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
