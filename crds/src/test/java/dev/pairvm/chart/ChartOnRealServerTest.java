package dev.pairvm.chart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.pairvm.testing.RealApiServer;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.authorization.v1.SelfSubjectAccessReviewBuilder;
import io.fabric8.kubernetes.api.model.coordination.v1.LeaseBuilder;
import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import io.fabric8.kubernetes.api.model.rbac.RoleBindingBuilder;
import io.fabric8.kubernetes.api.model.rbac.RoleBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The chart's objects in a real API server: accepted as they are, and giving the operator the rights it needs and no more. */
class ChartOnRealServerTest {
    private static final String ACCOUNT = "system:serviceaccount:" + Chart.NAMESPACE + ":pairvm-operator";

    private static KubernetesClient admin;
    private static KubernetesClient operator;
    private static List<HasMetadata> objects;

    @BeforeAll
    static void install() {
        admin = RealApiServer.shared().client();
        operator = RealApiServer.shared().clientAs(ACCOUNT, "system:serviceaccounts", "system:authenticated");
        admin.resource(restrictedNamespace()).serverSideApply();
        objects = Chart.render(Map.of("networkPolicy.enabled", true));
        for (HasMetadata object : objects) {
            // As other tests of this JVM may own fields of the definitions.
            assertThatCode(() -> admin.resource(object).forceConflicts().serverSideApply())
                    .as("%s %s", object.getKind(), object.getMetadata().getName())
                    .doesNotThrowAnyException();
        }
    }

    @AfterAll
    static void uninstall() {
        objects.stream()
                .filter(object -> !(object instanceof CustomResourceDefinition))
                .forEach(object -> admin.resource(object).delete());
        operator.close();
        admin.close();
    }

    @Test
    void theOperatorsPodPassesTheRestrictedStandard() {
        var template =
                Chart.one(objects, Deployment.class, "-operator").getSpec().getTemplate();
        Pod pod = new PodBuilder()
                .withNewMetadata()
                .withName("operator-0")
                .withNamespace(Chart.NAMESPACE)
                .withLabels(template.getMetadata().getLabels())
                .endMetadata()
                .withSpec(template.getSpec())
                .build();

        assertThatCode(() -> admin.resource(pod).dryRun().create()).doesNotThrowAnyException();
    }

    @Test
    void theOperatorCanGiveMirrorsTheirOwnLease() {
        String namespace = RealApiServer.shared().newNamespace(admin, "chart");

        assertThatCode(() -> {
                    operator.resource(leaseRole(namespace, "update")).create();
                    operator.resource(leaseBinding(namespace)).create();
                })
                .doesNotThrowAnyException();
    }

    @Test
    void theOperatorCanNotGiveWhatItDoesNotHave() {
        String namespace = RealApiServer.shared().newNamespace(admin, "chart");
        Role greedy = leaseRole(namespace, "deletecollection");

        KubernetesClientException refusal = catchThrowableOfType(
                KubernetesClientException.class, () -> operator.resource(greedy).create());

        assertThat(refusal).isNotNull();
        assertThat(refusal.getMessage()).contains("attempting to grant RBAC permissions not currently held");
    }

    @Test
    void theOperatorLeadsByALeaseOfItsOwnNamespace() {
        var lease = new LeaseBuilder()
                .withNewMetadata()
                .withName("pairvm-operator")
                .withNamespace(Chart.NAMESPACE)
                .endMetadata()
                .build();

        assertThatCode(() -> operator.resource(lease).create()).doesNotThrowAnyException();
        admin.resource(lease).delete();
    }

    @Test
    void theOperatorCanNotReachIntoMachinesNorTheCluster() {
        assertThat(isAllowed("", "pods/exec", "create")).isFalse();
        assertThat(isAllowed("", "nodes", "update")).isFalse();
        assertThat(isAllowed("rbac.authorization.k8s.io", "clusterroles", "create"))
                .isFalse();
        assertThat(isAllowed("pairvm.dev", "protectedvms", "delete")).isFalse();
        assertThat(isAllowed("pairvm.dev", "protectedvms/status", "patch")).isTrue();
    }

    @Test
    void usersHaveWhatTheirRolesSay() {
        // The aggregation itself is done by the controller manager; here the labels it goes by.
        var view = Chart.one(objects, ClusterRole.class, "-view");
        var edit = Chart.one(objects, ClusterRole.class, "-edit");

        assertThat(view.getMetadata().getLabels()).containsEntry("rbac.authorization.k8s.io/aggregate-to-view", "true");
        assertThat(edit.getMetadata().getLabels())
                .containsEntry("rbac.authorization.k8s.io/aggregate-to-edit", "true")
                .containsEntry("rbac.authorization.k8s.io/aggregate-to-admin", "true")
                .doesNotContainKey("rbac.authorization.k8s.io/aggregate-to-view");
    }

    private static boolean isAllowed(String group, String resource, String verb) {
        String[] parts = resource.split("/", 2);
        var review = new SelfSubjectAccessReviewBuilder()
                .withNewSpec()
                .withNewResourceAttributes()
                .withGroup(group)
                .withResource(parts[0])
                .withSubresource(parts.length > 1 ? parts[1] : null)
                .withVerb(verb)
                .withNamespace("default")
                .endResourceAttributes()
                .endSpec()
                .build();
        return operator.resource(review).create().getStatus().getAllowed();
    }

    private static Role leaseRole(String namespace, String verb) {
        return new RoleBuilder()
                .withNewMetadata()
                .withName("pairvm-orders")
                .withNamespace(namespace)
                .endMetadata()
                .addNewRule()
                .withApiGroups("coordination.k8s.io")
                .withResources("leases")
                .withResourceNames("pairvm-orders")
                .withVerbs("get", verb)
                .endRule()
                .build();
    }

    private static RoleBinding leaseBinding(String namespace) {
        return new RoleBindingBuilder()
                .withNewMetadata()
                .withName("pairvm-orders")
                .withNamespace(namespace)
                .endMetadata()
                .withNewRoleRef("rbac.authorization.k8s.io", "Role", "pairvm-orders")
                .addNewSubject()
                .withKind("ServiceAccount")
                .withName("pairvm-orders")
                .withNamespace(namespace)
                .endSubject()
                .build();
    }

    private static Namespace restrictedNamespace() {
        return new NamespaceBuilder()
                .withNewMetadata()
                .withName(Chart.NAMESPACE)
                .addToLabels("pod-security.kubernetes.io/enforce", "restricted")
                .endMetadata()
                .build();
    }
}
