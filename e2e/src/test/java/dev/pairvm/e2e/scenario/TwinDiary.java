package dev.pairvm.e2e.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.pairvm.e2e.hostile.ControlCaller;
import dev.pairvm.e2e.hostile.ForgedAuthority;
import dev.pairvm.e2e.hostile.Papers;
import dev.pairvm.e2e.machine.Machine;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;
import java.net.InetAddress;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks both mirrors about the twin, twice a second, and keeps what became of each start. What happens between two questions, or in a mirror
 * that dies before the next, is not in it. Its own thread, until closed.
 */
final class TwinDiary implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(TwinDiary.class);
    private static final Duration PACE = Duration.ofMillis(500);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Mirrors mirrors;
    private final Papers operator;
    private final Thread thread;
    /** By life of a mirror: its counters begin anew with each. */
    private final Map<String, JsonNode> last = new HashMap<>();

    private final Map<String, Integer> reasons = new TreeMap<>();
    private long started;
    private long failed;
    private long longestPauseMicros;
    private volatile boolean closed;

    TwinDiary(KubernetesClient client, Machine machine) throws GeneralSecurityException {
        this.mirrors = new Mirrors(client, machine);
        this.operator = ForgedAuthority.ofInstallation(client, OperatorAbsence.NAMESPACE)
                .issue(Optional.of("pairvm://operator"));
        this.thread = Thread.ofPlatform().daemon().name("twin-diary").start(this::run);
    }

    private void run() {
        while (!closed) {
            try {
                Map<String, Pod> pods = mirrors.pods();
                for (Map.Entry<String, Pod> entry : pods.entrySet()) {
                    note(entry.getKey(), report(entry.getValue()));
                }
                Thread.sleep(PACE);
            } catch (InterruptedException e) {
                return;
            } catch (RuntimeException e) {
                LOG.debug("the API server does not answer: {}", e.toString());
            }
        }
    }

    private JsonNode report(Pod pod) {
        String address = pod.getStatus().getPodIP();
        if (address == null || address.isEmpty()) {
            return MissingNode.getInstance();
        }
        try (ControlCaller caller = new ControlCaller(InetAddress.getByName(address), operator)) {
            return JSON.readTree(caller.get("/v1/report").body());
        } catch (IOException e) {
            return MissingNode.getInstance();
        }
    }

    private synchronized void note(String copy, JsonNode report) {
        JsonNode twin = report.path("twin");
        if (twin.isMissingNode()) {
            return;
        }
        JsonNode before = last.getOrDefault(copy, MissingNode.getInstance());
        boolean newLife = twin.path("started").asLong() < before.path("started").asLong();
        started += twin.path("started").asLong()
                - (newLife ? 0 : before.path("started").asLong());
        long failures = twin.path("failed").asLong()
                - (newLife ? 0 : before.path("failed").asLong());
        failed += failures;
        longestPauseMicros =
                Math.max(longestPauseMicros, twin.path("longestPauseMicros").asLong());
        String state = twin.path("state").asText();
        String why = twin.path("why").asText();
        if (!state.equals(before.path("state").asText())
                || !why.equals(before.path("why").asText())
                || failures > 0) {
            LOG.info(
                    "copy {} is {}, its twin {}{}{}",
                    copy,
                    report.path("role").asText(),
                    state,
                    why.isEmpty() ? "" : ": " + why,
                    failures > 0 ? " (" + failures + " failed)" : "");
        }
        if (failures > 0) {
            reasons.merge(why.isEmpty() ? "no reason given" : why, Math.toIntExact(failures), Integer::sum);
        }
        last.put(copy, twin);
    }

    /** Starts, how many of them failed, and why. */
    synchronized String summary() {
        return started + " twinnings begun, " + failed + " failed " + new LinkedHashMap<>(reasons)
                + "; longest checkpoint pause " + longestPauseMicros / 1000 + " ms";
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }
}
