package dev.pairvm.e2e.scenario;

import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;

/** The operator scaled to nothing, and back at the end. */
final class OperatorAbsence implements AutoCloseable {
    static final String NAMESPACE = "pairvm-system";
    private static final String PART_OF = "app.kubernetes.io/part-of";

    private static final Duration GONE_LIMIT = Duration.ofMinutes(3);

    private final KubernetesClient client;
    private final Deployment deployment;

    OperatorAbsence(KubernetesClient client) {
        this.client = client;
        this.deployment = client.apps()
                .deployments()
                .inNamespace(NAMESPACE)
                .withLabel(PART_OF, "pairvm")
                .list()
                .getItems()
                .getFirst();
        scale(0);
        try {
            // After an outage of the API server the kubelets come back to their watches one by one.
            Awaitility.await("the operator's pods are gone").atMost(GONE_LIMIT).until(this::isGone);
        } catch (ConditionTimeoutException e) {
            close();
            throw e;
        }
    }

    private boolean isGone() {
        return client.pods()
                .inNamespace(NAMESPACE)
                .withLabelSelector(deployment.getSpec().getSelector())
                .list()
                .getItems()
                .isEmpty();
    }

    private void scale(int replicas) {
        client.apps()
                .deployments()
                .inNamespace(NAMESPACE)
                .withName(deployment.getMetadata().getName())
                .scale(replicas);
    }

    @Override
    public void close() {
        scale(deployment.getSpec().getReplicas());
        client.apps()
                .deployments()
                .inNamespace(NAMESPACE)
                .withName(deployment.getMetadata().getName())
                .waitUntilReady(2, TimeUnit.MINUTES);
    }
}
