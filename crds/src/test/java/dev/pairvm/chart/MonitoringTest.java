package dev.pairvm.chart;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Alerts and dashboard: well-formed, and about metrics that the operator and the mirrors have. */
class MonitoringTest {
    @Test
    void everyAlertSaysWhatItIsAndWhereToRead() {
        assertThat(rules()).hasSizeGreaterThan(5).allSatisfy(rule -> {
            assertThat(rule.at("/alert").asText()).startsWith("PairVM");
            assertThat(rule.at("/expr").asText()).doesNotContain("JOB", "NAMESPACE", "MIRRORS");
            assertThat(rule.at("/labels/severity").asText()).isIn("warning", "critical");
            assertThat(rule.at("/annotations/summary").asText()).isNotBlank();
            assertThat(rule.at("/annotations/description").asText()).isNotBlank();
            assertThat(rule.at("/annotations/runbook_url").asText())
                    .isEqualTo(
                            "https://pairvm.dev/runbooks/" + rule.at("/alert").asText());
        });
    }

    @Test
    void alertsKeepTheTemplatesOfPrometheus() {
        assertThat(rules())
                .anySatisfy(rule ->
                        assertThat(rule.at("/annotations/summary").asText()).contains("{{ $labels.machine }}"));
    }

    @Test
    void theDashboardIsGrafanas() throws IOException {
        JsonNode dashboard = new ObjectMapper()
                .readTree(Chart.one(
                                Chart.render(Map.of("metrics.dashboard.enabled", true)), ConfigMap.class, "-dashboard")
                        .getData()
                        .get("pairvm.json"));

        assertThat(dashboard.at("/title").asText()).isEqualTo("PairVM");
        assertThat(dashboard.at("/panels"))
                .allSatisfy(panel ->
                        assertThat(panel.at("/targets/0/expr").asText()).isNotBlank());
    }

    private static List<JsonNode> rules() {
        GenericKubernetesResource rule = Chart.one(
                Chart.render(Map.of("metrics.prometheusRule.enabled", true)),
                GenericKubernetesResource.class,
                "-operator");
        JsonNode spec = new ObjectMapper().valueToTree(rule.getAdditionalProperties());
        List<JsonNode> rules = new ArrayList<>();
        spec.at("/spec/groups/0/rules").forEach(rules::add);
        return rules;
    }
}
