package dev.pairvm.operator;

import dev.pairvm.operator.desired.Installation;
import dev.pairvm.operator.metrics.MachineMetrics;
import dev.pairvm.operator.metrics.OperatorMetrics;
import dev.pairvm.operator.operation.OperationReconciler;
import dev.pairvm.operator.pki.TrustStore;
import dev.pairvm.operator.protectedvm.EventRecorder;
import dev.pairvm.operator.protectedvm.MachineReader;
import dev.pairvm.operator.protectedvm.ProtectedVMReconciler;
import dev.pairvm.operator.runtime.pod.MirrorAddress;
import dev.pairvm.operator.runtime.pod.MirrorClient;
import dev.pairvm.operator.runtime.pod.MirrorDirectory;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderCallbacks;
import io.javaoperatorsdk.operator.Operator;
import io.javaoperatorsdk.operator.RuntimeInfo;
import io.javaoperatorsdk.operator.api.config.ControllerConfigurationOverrider;
import io.javaoperatorsdk.operator.api.config.LeaderElectionConfigurationBuilder;
import io.javaoperatorsdk.operator.processing.retry.GenericRetry;
import io.prometheus.client.CollectorRegistry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.UnaryOperator;

/** The operator as an object, wired by hand; {@link OperatorMain} makes one, and so do tests. */
public final class PairVmOperator implements AutoCloseable {
    /** Name of the Lease by which the replicas agree who works. */
    private static final String LEADER_LEASE = "pairvm-operator";

    private static final Duration STOP_LIMIT = Duration.ofSeconds(10);
    private static final int THREADS = 16;

    private final MirrorClient mirrorClient;
    private final MirrorDirectory mirrors;
    private final Operator operator;
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * Wires everything; nothing runs before {@link #start}.
     *
     * @param client used throughout; the caller's to close
     * @param namespaces to watch; empty: all
     * @param identity of this process among the replicas
     * @param leaderElection whether to work only while leading
     * @param onLostLead called when another replica may lead from now on; must end this process, for its loops still run
     */
    public PairVmOperator(
            KubernetesClient client,
            Installation installation,
            Set<String> namespaces,
            String identity,
            boolean leaderElection,
            CollectorRegistry registry,
            InstantSource clock,
            Runnable onLostLead) {
        this(
                client,
                installation,
                namespaces,
                identity,
                leaderElection,
                registry,
                clock,
                onLostLead,
                UnaryOperator.identity());
    }

    /** The same where pod addresses lead elsewhere: in tests, there is no pod network. */
    PairVmOperator(
            KubernetesClient client,
            Installation installation,
            Set<String> namespaces,
            String identity,
            boolean leaderElection,
            CollectorRegistry registry,
            InstantSource clock,
            Runnable onLostLead,
            UnaryOperator<MirrorAddress> route) {
        TrustStore trust = new TrustStore(client, installation.namespace(), clock);
        mirrorClient = new MirrorClient(trust::trust, clock, route);
        mirrors = new MirrorDirectory(mirrorClient, clock);
        EventRecorder events = new EventRecorder(client, identity, clock);
        OperatorMetrics metrics = new OperatorMetrics(registry);
        operator = new Operator(overrider -> {
            overrider
                    .withKubernetesClient(client)
                    .withCloseClientOnStop(false)
                    .withMetrics(metrics)
                    .withConcurrentReconciliationThreads(THREADS)
                    .withReconciliationTerminationTimeout(STOP_LIMIT);
            if (leaderElection) {
                overrider.withLeaderElectionConfiguration(
                        LeaderElectionConfigurationBuilder.aLeaderElectionConfiguration(LEADER_LEASE)
                                .withLeaseNamespace(installation.namespace())
                                .withIdentity(identity)
                                // Being told to stop is no reason for exit code 1; losing the lead is, see lostTheLead.
                                .withExitOnStopLeading(false)
                                .withLeaderCallbacks(
                                        new LeaderCallbacks(() -> {}, () -> lostTheLead(onLostLead), leader -> {}))
                                .build());
            }
        });
        operator.register(
                new ProtectedVMReconciler(
                        client,
                        installation,
                        trust,
                        mirrorClient,
                        mirrors,
                        events,
                        new MachineMetrics(registry),
                        clock),
                configuration -> configure(configuration, namespaces));
        operator.register(
                new OperationReconciler(client, new MachineReader(client, mirrors), mirrorClient, events, clock),
                configuration -> configure(configuration, namespaces));
    }

    /** Fast at first, for most failures are a cache that lags; never giving up, for nobody else would try. */
    private static void configure(ControllerConfigurationOverrider<?> configuration, Set<String> namespaces) {
        configuration.withRetry(new GenericRetry()
                .setInitialInterval(200)
                .setIntervalMultiplier(2)
                .setMaxInterval(Duration.ofSeconds(30).toMillis())
                .withoutMaxAttempts());
        if (!namespaces.isEmpty()) {
            configuration.settingNamespaces(namespaces);
        }
    }

    /** Starts the loops; with leader election this returns at once and they run while leading. */
    public void start() {
        operator.start();
    }

    private void lostTheLead(Runnable onLostLead) {
        if (!closed.get()) {
            onLostLead.run();
        }
    }

    /** Whether the informers are healthy; true for a replica that does not lead. */
    public boolean healthy() {
        RuntimeInfo info = operator.getRuntimeInfo();
        return !info.isStarted() || info.allEventSourcesAreHealthy();
    }

    /** Stops the loops, lets go of the leadership, closes the connections to the mirrors. */
    @Override
    public void close() {
        if (closed.getAndSet(true)) {
            return;
        }
        operator.stop();
        mirrors.close();
        mirrorClient.close();
    }
}
