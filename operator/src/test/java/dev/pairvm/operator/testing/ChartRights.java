package dev.pairvm.operator.testing;

import static org.awaitility.Awaitility.await;

import com.marcnuri.helm.Helm;
import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.testing.RealApiServer;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;

/** The operator's account, with the rights that the chart gives and no others. */
public final class ChartRights {
    private static final Duration LIMIT = Duration.ofSeconds(40);

    private final KubernetesClient admin;
    private final String namespace;

    /** Of a release in this namespace. */
    public ChartRights(KubernetesClient admin, String namespace) {
        this.admin = admin;
        this.namespace = namespace;
    }

    /** Applies the chart's rules and waits until the API server goes by them. */
    public void grant() {
        String rendered = new Helm(Path.of("../helm/pairvm"))
                .template()
                .withName("pairvm")
                .withNamespace(namespace)
                .withKubeVersion("v1.36.0")
                .call();
        for (HasMetadata object : admin.load(new ByteArrayInputStream(rendered.getBytes(StandardCharsets.UTF_8)))
                .items()) {
            if (object.getApiVersion().startsWith("rbac.authorization.k8s.io/")) {
                admin.resource(object).forceConflicts().serverSideApply();
            }
        }
        // The API server's authoriser hears of new rules a moment later.
        try (KubernetesClient account = client()) {
            await().atMost(LIMIT)
                    .ignoreExceptions()
                    .until(() -> account.resources(ProtectedVM.class)
                                            .inNamespace(namespace)
                                            .list()
                                    != null
                            && account.nodes().list() != null);
        }
    }

    /** A client that acts as the operator; the caller's to close. */
    public KubernetesClient client() {
        return RealApiServer.shared()
                .clientAs(
                        "system:serviceaccount:" + namespace + ":pairvm-operator",
                        "system:authenticated",
                        "system:serviceaccounts",
                        "system:serviceaccounts:" + namespace);
    }
}
