package dev.pairvm.operator;

import dev.pairvm.operator.metrics.HttpEndpoint;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.prometheus.client.CollectorRegistry;
import io.prometheus.client.Gauge;
import io.prometheus.client.hotspot.DefaultExports;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code pairvm-operator}: starts here, wired top to bottom. */
@Command(
        name = "pairvm-operator",
        mixinStandardHelpOptions = true,
        description = "Runs virtual machines as pairs on two hosts: places, repairs and explains them.")
public final class OperatorMain implements Callable<Integer> {
    private static final Logger LOG = LoggerFactory.getLogger(OperatorMain.class);
    /** Less than Kubernetes' customary grace of 30 s; every pass can be cut off anywhere. */
    private static final Duration STOP_LIMIT = Duration.ofSeconds(15);

    @Mixin
    private OperatorOptions options = new OperatorOptions();

    private OperatorMain() {}

    /** Runs until the process is told to stop. */
    public static void main(String[] args) {
        CommandLine command = new CommandLine(new OperatorMain()).setCaseInsensitiveEnumValuesAllowed(true);
        System.exit(command.execute(args));
    }

    @Override
    public Integer call() throws Exception {
        String version =
                Objects.requireNonNullElse(OperatorMain.class.getPackage().getImplementationVersion(), "development");
        LOG.info("PairVM operator {} starts", version);
        CollectorRegistry registry = CollectorRegistry.defaultRegistry;
        DefaultExports.initialize();
        Gauge.build("pairvm_operator_build_info", "Which build this is; always 1.")
                .labelNames("version")
                .register(registry)
                .labels(version)
                .set(1);

        try (KubernetesClient client = new KubernetesClientBuilder().build();
                PairVmOperator operator = new PairVmOperator(
                        client,
                        options.installation(),
                        options.watchNamespaces(),
                        options.podName(),
                        options.leaderElection(),
                        registry,
                        InstantSource.system(),
                        OperatorMain::lostTheLead);
                HttpEndpoint http =
                        new HttpEndpoint(options.httpPort(), registry, operator::healthy, operator::healthy)) {
            CountDownLatch stopping = new CountDownLatch(1);
            CountDownLatch stopped = new CountDownLatch(1);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(stopping, stopped), "shutdown"));
            LOG.info("health and metrics on port {}", http.port());
            try {
                operator.start();
                stopping.await();
                LOG.info("stopping");
                operator.close();
            } finally {
                // Also when it never started: the hook would wait for ever, and the process with it.
                stopped.countDown();
            }
        }
        return 0;
    }

    /**
     * At once and without clean-up: the loops of this process must not act beside the new leader's. Mirrors check epochs besides, so
     * that even an order sent in this moment does no harm.
     */
    private static void lostTheLead() {
        LOG.error("lost the leadership; the process ends and starts anew as a follower");
        Runtime.getRuntime().halt(1);
    }

    /** The JVM ends when its hooks do: this one waits for the orderly end, which a start that finds no API server never reaches. */
    private static void stop(CountDownLatch stopping, CountDownLatch stopped) {
        stopping.countDown();
        try {
            if (!stopped.await(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.warn("not stopped in order within {} s, ending all the same", STOP_LIMIT.toSeconds());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
