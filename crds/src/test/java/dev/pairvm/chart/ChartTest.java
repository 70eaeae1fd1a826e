package dev.pairvm.chart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.marcnuri.helm.LintResult;
import dev.pairvm.api.v1alpha1.CrdManifests;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.fabric8.kubernetes.api.model.rbac.PolicyRule;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ChartTest {
    private static final Map<String, ?> EVERYTHING = Map.of(
            "metrics.serviceMonitor.enabled", true,
            "metrics.prometheusRule.enabled", true,
            "metrics.dashboard.enabled", true,
            "networkPolicy.enabled", true,
            "machines.kvmDeviceResource", "devices.kubevirt.io/kvm");

    @Test
    void lintsStrictly() {
        LintResult result = Chart.helm().lint().strict().call();

        assertThat(result.isFailed())
                .as(String.join("\n", result.getMessages()))
                .isFalse();
    }

    @Test
    void carriesTheDefinitionsAndKeepsThem() {
        Map<String, CustomResourceDefinition> made = CrdManifests.definitions();

        List<CustomResourceDefinition> rendered = Chart.render(Map.of()).stream()
                .filter(CustomResourceDefinition.class::isInstance)
                .map(CustomResourceDefinition.class::cast)
                .toList();

        assertThat(rendered)
                .allSatisfy(definition -> assertThat(definition.getMetadata().getAnnotations())
                        .containsEntry("helm.sh/resource-policy", "keep"));
        assertThat(specs(rendered)).isEqualTo(specs(made.values()));
    }

    @Test
    void definitionsCanBeLeftOutAndLeftToHelm() {
        assertThat(Chart.text(Map.of("crds.install", false))).doesNotContain("CustomResourceDefinition");
        assertThat(Chart.text(Map.of("crds.keep", false)))
                .contains("CustomResourceDefinition")
                .doesNotContain("resource-policy");
    }

    @Test
    void theOperatorRunsTwiceAndRestricted() {
        Deployment operator = Chart.one(Chart.render(Map.of()), Deployment.class, "-operator");
        var pod = operator.getSpec().getTemplate().getSpec();
        Container container = pod.getContainers().getFirst();

        assertThat(operator.getSpec().getReplicas()).isEqualTo(2);
        assertThat(container.getImage()).isEqualTo("pairvm/operator:dev");
        assertThat(container.getImagePullPolicy()).isEqualTo("IfNotPresent");
        assertThat(pod.getSecurityContext().getRunAsNonRoot()).isTrue();
        assertThat(pod.getSecurityContext().getSeccompProfile().getType()).isEqualTo("RuntimeDefault");
        assertThat(container.getSecurityContext().getAllowPrivilegeEscalation()).isFalse();
        assertThat(container.getSecurityContext().getReadOnlyRootFilesystem()).isTrue();
        assertThat(container.getSecurityContext().getCapabilities().getDrop()).containsExactly("ALL");
    }

    @Test
    void theOperatorIsToldHowMachinesAreMade() {
        assertThat(environment(Map.of()))
                .containsEntry("PAIRVM_MIRROR_IMAGE", "pairvm/mirror:dev")
                .containsEntry("PAIRVM_QEMU_IMAGE", "pairvm/qemu:dev")
                .containsEntry("PAIRVM_IMAGE_PULL_POLICY", "IfNotPresent")
                .containsEntry("PAIRVM_ACCELERATOR", "tcg")
                .containsEntry("PAIRVM_KVM_RESOURCE", "")
                .containsEntry("PAIRVM_WATCH_NAMESPACES", "")
                .containsEntry("PAIRVM_HTTP_PORT", "8080");
    }

    @Test
    void aDeviceResourceMeansHardware() {
        Map<String, String> environment = environment(EVERYTHING);

        assertThat(environment).containsEntry("PAIRVM_ACCELERATOR", "kvm");
        assertThat(environment).containsEntry("PAIRVM_KVM_RESOURCE", "devices.kubevirt.io/kvm");
    }

    @Test
    void theAcceleratorCanBeChosenAgainstThat() {
        assertThat(environment(Map.of("machines.accelerator", "kvm"))).containsEntry("PAIRVM_ACCELERATOR", "kvm");
    }

    @Test
    void aDigestWinsOverATag() {
        String digest = "sha256:" + "0123456789abcdef".repeat(4);

        assertThat(environment(Map.of("machines.qemuImage.tag", "v1", "machines.qemuImage.digest", digest)))
                .containsEntry("PAIRVM_QEMU_IMAGE", "pairvm/qemu@" + digest);
    }

    @Test
    void noRightIsAWildcard() {
        assertThat(rules(Chart.render(Map.of("watchNamespaces[0]", "shop"))))
                .isNotEmpty()
                .allSatisfy(rule -> {
                    assertThat(rule.getApiGroups()).doesNotContain("*");
                    assertThat(rule.getResources()).isNotEmpty().doesNotContain("*");
                    assertThat(rule.getVerbs()).doesNotContain("*", "escalate", "bind", "impersonate");
                });
    }

    @Test
    void namedNamespacesGetRolesAndTheClusterRoleNothingButReading() {
        List<HasMetadata> objects = Chart.render(Map.of("watchNamespaces[0]", "shop", "watchNamespaces[1]", "office"));

        assertThat(objects.stream()
                        .filter(Role.class::isInstance)
                        .map(object -> object.getMetadata().getNamespace()))
                .containsExactlyInAnyOrder(Chart.NAMESPACE, "shop", "office");
        assertThat(Chart.one(objects, ClusterRole.class, "-operator").getRules())
                .allSatisfy(rule -> assertThat(rule.getVerbs()).containsExactly("get", "list", "watch"));
    }

    @Test
    void aSingleReplicaHasNoDisruptionBudgetThatWouldBlockDrains() {
        assertThat(Chart.render(Map.of("replicas", 1))).noneMatch(PodDisruptionBudget.class::isInstance);
    }

    @Test
    void everySwitchRenders() {
        assertThat(Chart.text(EVERYTHING))
                .contains("kind: ServiceMonitor", "kind: PodMonitor", "kind: PrometheusRule", "kind: NetworkPolicy");
    }

    @ParameterizedTest
    @CsvSource({
        "replicas,0,replicas",
        "machines.accelerator,xen,accelerator",
        "machines.kvmDeviceResource,kvm,kvmDeviceResource",
        "image.pullPolicy,Sometimes,pullPolicy",
        "image.digest,latest,digest",
        "replica,3,replica",
        "watchNamespaces[0],Shop,watchNamespaces"
    })
    void aWrongValueIsRefusedByItsName(String value, String content, String named) {
        assertThatThrownBy(() -> Chart.text(Map.of(value, content)))
                .hasMessageContaining("schema")
                .hasMessageContaining(named);
    }

    private static Map<String, String> specs(Collection<CustomResourceDefinition> definitions) {
        KubernetesSerialization json = new KubernetesSerialization();
        return definitions.stream()
                .collect(Collectors.toMap(
                        definition -> definition.getMetadata().getName(),
                        definition -> json.asJson(definition.getSpec())));
    }

    private static Map<String, String> environment(Map<String, ?> values) {
        return Chart.one(Chart.render(values), Deployment.class, "-operator")
                .getSpec()
                .getTemplate()
                .getSpec()
                .getContainers()
                .getFirst()
                .getEnv()
                .stream()
                .filter(variable -> variable.getValueFrom() == null)
                .collect(Collectors.toMap(
                        EnvVar::getName, variable -> variable.getValue() == null ? "" : variable.getValue()));
    }

    private static List<PolicyRule> rules(List<HasMetadata> objects) {
        return objects.stream()
                .flatMap(object -> switch (object) {
                    case ClusterRole role -> role.getRules().stream();
                    case Role role -> role.getRules().stream();
                    default -> Stream.<PolicyRule>empty();
                })
                .toList();
    }
}
