package dev.pairvm.operator.metrics;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.javaoperatorsdk.operator.api.monitoring.Metrics;
import io.javaoperatorsdk.operator.api.reconciler.Constants;
import io.javaoperatorsdk.operator.api.reconciler.RetryInfo;
import io.javaoperatorsdk.operator.processing.event.Event;
import io.prometheus.client.CollectorRegistry;
import io.prometheus.client.Counter;
import io.prometheus.client.Gauge;
import io.prometheus.client.Histogram;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The framework's measurements, under the names that its own later releases use, with one bounded label: the controller. Thread-safe.
 */
public final class OperatorMetrics implements Metrics {
    private static final String CONTROLLER = "controller_name";

    private final Gauge active;
    private final Gauge queue;
    private final Histogram duration;
    private final Counter success;
    private final Counter failure;
    private final Counter retries;
    private final Counter events;

    /** Registers the metrics. */
    public OperatorMetrics(CollectorRegistry registry) {
        active = Gauge.build("reconciliations_active", "Passes that run now.")
                .labelNames(CONTROLLER)
                .register(registry);
        queue = Gauge.build("reconciliations_queue", "Passes that wait for a thread.")
                .labelNames(CONTROLLER)
                .register(registry);
        duration = Histogram.build("reconciliations_execution_duration_seconds", "How long passes take.")
                .labelNames(CONTROLLER)
                .buckets(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10)
                .register(registry);
        success = Counter.build("reconciliations_success_total", "Passes that succeeded.")
                .labelNames(CONTROLLER)
                .register(registry);
        failure = Counter.build("reconciliations_failure_total", "Passes that failed.")
                .labelNames(CONTROLLER)
                .register(registry);
        retries = Counter.build("reconciliations_retries_total", "Passes that repeat a failed one.")
                .labelNames(CONTROLLER)
                .register(registry);
        events = Counter.build("events_received_total", "Events that asked for a pass.")
                .labelNames(CONTROLLER)
                .register(registry);
    }

    private static String controller(@Nullable Map<String, Object> metadata) {
        Object name = metadata == null ? null : metadata.get(Constants.CONTROLLER_NAME);
        return name == null ? "unknown" : name.toString();
    }

    @Override
    public void receivedEvent(Event event, Map<String, Object> metadata) {
        events.labels(controller(metadata)).inc();
    }

    @Override
    public void reconcileCustomResource(
            HasMetadata resource, @Nullable RetryInfo retryInfo, Map<String, Object> metadata) {
        queue.labels(controller(metadata)).inc();
        if (retryInfo != null && retryInfo.getAttemptCount() > 0) {
            retries.labels(controller(metadata)).inc();
        }
    }

    @Override
    public void reconciliationExecutionStarted(HasMetadata resource, Map<String, Object> metadata) {
        queue.labels(controller(metadata)).dec();
        active.labels(controller(metadata)).inc();
    }

    @Override
    public void reconciliationExecutionFinished(HasMetadata resource, Map<String, Object> metadata) {
        active.labels(controller(metadata)).dec();
    }

    @Override
    public void finishedReconciliation(HasMetadata resource, Map<String, Object> metadata) {
        success.labels(controller(metadata)).inc();
    }

    @Override
    public void failedReconciliation(HasMetadata resource, Exception exception, Map<String, Object> metadata) {
        failure.labels(controller(metadata)).inc();
    }

    @Override
    public <T> T timeControllerExecution(ControllerExecution<T> execution) throws Exception {
        try (Histogram.Timer timer = duration.labels(execution.controllerName()).startTimer()) {
            return execution.execute();
        }
    }
}
