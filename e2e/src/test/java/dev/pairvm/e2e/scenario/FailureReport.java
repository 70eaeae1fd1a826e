package dev.pairvm.e2e.scenario;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.LifecycleMethodExecutionExceptionHandler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps what explains a failed test, before the repairs take it away: the machine, its events, and the log of each container go to
 * {@code target/failed/TEST/}; the last lines of each log to the output as well.
 */
final class FailureReport implements AfterTestExecutionCallback, LifecycleMethodExecutionExceptionHandler {
    private static final Logger LOG = LoggerFactory.getLogger(FailureReport.class);
    private static final int LINES_SHOWN = 40;
    private static final int LOG_SECONDS = 5;
    private static final String SYSTEM = "pairvm-system";

    @Override
    public void afterTestExecution(ExtensionContext context) throws IOException {
        if (context.getExecutionException().isPresent()) {
            keepAll(context, context.getRequiredTestMethod().getName());
        }
    }

    @Override
    public void handleBeforeAllMethodExecutionException(ExtensionContext context, Throwable failure) throws Throwable {
        keepAll(context, "beforeAll");
        throw failure;
    }

    @Override
    public void handleBeforeEachMethodExecutionException(ExtensionContext context, Throwable failure) throws Throwable {
        keepAll(context, context.getRequiredTestMethod().getName());
        throw failure;
    }

    private static void keepAll(ExtensionContext context, String when) throws IOException {
        if (!(context.getRequiredTestInstance() instanceof Scenario scenario) || !scenario.hasMachine()) {
            return;
        }
        Path folder = Path.of("target", "failed", context.getRequiredTestClass().getSimpleName() + "." + when);
        Files.createDirectories(folder);
        KubernetesClient client = scenario.world().cluster().client();
        try {
            String namespace = scenario.machine().namespace();
            write(folder, "machine.json", scenario.machine().object().toPrettyString());
            write(
                    folder,
                    "events.yaml",
                    Serialization.asYaml(
                            client.v1().events().inNamespace(namespace).list().getItems()));
            reports(folder, new Mirrors(client, scenario.machine()));
            for (String where : List.of(namespace, SYSTEM)) {
                for (Pod pod : client.pods().inNamespace(where).list().getItems()) {
                    logs(client, folder, pod);
                }
            }
        } catch (RuntimeException e) {
            LOG.warn("the report on a failure is not whole: {}", e.toString()); // the failure itself must be seen
        }
        LOG.info("logs of the failure are in {}", folder.toAbsolutePath());
    }

    private static void reports(Path folder, Mirrors mirrors) throws IOException {
        for (String copy : mirrors.pods().keySet()) {
            try {
                write(folder, "report-" + copy + ".json", mirrors.report(copy).toPrettyString());
            } catch (IOException e) {
                write(folder, "report-" + copy + ".json", "no report: " + e);
            }
        }
    }

    private static void logs(KubernetesClient client, Path folder, Pod pod) throws IOException {
        List<Container> containers = new ArrayList<>(pod.getSpec().getInitContainers());
        containers.addAll(pod.getSpec().getContainers());
        for (Container container : containers) {
            var logs = client.pods().resource(pod).inContainer(container.getName());
            keep(folder, pod, container, "", logs::getLog);
            keep(
                    folder,
                    pod,
                    container,
                    " before its restart",
                    () -> logs.terminated().getLog());
        }
    }

    private static void keep(Path folder, Pod pod, Container container, String life, Supplier<String> log)
            throws IOException {
        String said;
        try {
            // The kubelet of a dead host does not answer, and the API server waits for it.
            said = CompletableFuture.supplyAsync(log).get(LOG_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            said = "no log: " + e;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            said = "no log: interrupted";
        }
        if (said.isEmpty() || !life.isEmpty() && said.startsWith("no log")) {
            return; // it was never restarted
        }
        String name = pod.getMetadata().getName();
        write(folder, name + "." + container.getName() + life.replace(' ', '-') + ".log", said);
        List<String> lines = said.lines().toList();
        LOG.info(
                "{} on {}, {}{}:\n{}",
                name,
                pod.getSpec().getNodeName(),
                container.getName(),
                life,
                String.join("\n", lines.subList(Math.max(0, lines.size() - LINES_SHOWN), lines.size())));
    }

    private static void write(Path folder, String name, String text) throws IOException {
        Files.writeString(folder.resolve(name), text);
    }
}
