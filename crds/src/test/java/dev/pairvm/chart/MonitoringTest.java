package dev.pairvm.chart;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Alerts and dashboard: well-formed, and about metrics that the operator and the mirrors have. */
class MonitoringTest {
    private static final Pattern METRIC = Pattern.compile("\\b(?:pairvm|reconciliations)_[a-z_]+");
    private static final List<Path> SOURCES =
            List.of(Path.of("../operator/src/main/java"), Path.of("../mirror-sidecar/src/main/java"));

    @Test
    void everyAlertSaysWhatItIsAndWhereToRead() {
        assertThat(rules()).hasSizeGreaterThan(5).allSatisfy(rule -> {
            assertThat(rule.at("/alert").asText()).startsWith("PairVM");
            assertThat(rule.at("/expr").asText()).doesNotContain("JOB", "NAMESPACE", "MIRRORS");
            assertThat(rule.at("/labels/severity").asText()).isIn("warning", "critical");
            assertThat(rule.at("/annotations/summary").asText()).isNotBlank();
            assertThat(rule.at("/annotations/description").asText()).isNotBlank();
            assertThat(rule.at("/annotations/runbook_url").isMissingNode()).isTrue();
        });
    }

    @Test
    void everyAlertIsLinkedToItsSectionWhereTheRunbooksAreToBeRead() throws IOException {
        List<String> sections = Files.readAllLines(Path.of("../docs/runbooks.md"));
        assertThat(rules(Map.of("metrics.prometheusRule.runbookUrl", "https://example.org/runbooks.md")))
                .allSatisfy(rule -> {
                    String alert = rule.at("/alert").asText();
                    assertThat(sections).contains("## " + alert);
                    assertThat(rule.at("/annotations/runbook_url").asText())
                            .isEqualTo("https://example.org/runbooks.md#" + alert.toLowerCase(Locale.ROOT));
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

    @Test
    void theyAskForMetricsThatExist() throws IOException {
        String code = code();
        Set<String> asked = new TreeSet<>();
        for (String file : List.of("alerts.yaml", "dashboard.json")) {
            Matcher metric = METRIC.matcher(Files.readString(Path.of("../helm/pairvm/files", file)));
            while (metric.find()) {
                asked.add(metric.group());
            }
        }

        assertThat(asked).hasSizeGreaterThan(8);
        asked.removeIf(name -> names(name).stream().anyMatch(spelt -> code.contains("\"" + spelt + "\"")));
        assertThat(asked).as("metrics that nobody has").isEmpty();
    }

    /** As the code may spell it: Prometheus adds the suffixes, and the mirror its prefix. */
    private static List<String> names(String metric) {
        String plain = metric.replaceAll("_(bucket|total)$", "");
        return List.of(metric, plain, plain.replace("pairvm_mirror_", ""));
    }

    private static String code() throws IOException {
        StringBuilder code = new StringBuilder();
        for (Path source : SOURCES) {
            try (Stream<Path> files = Files.walk(source)) {
                for (Path file : files.filter(path -> path.toString().endsWith("Metrics.java"))
                        .toList()) {
                    code.append(Files.readString(file));
                }
            }
        }
        return code.toString();
    }

    private static List<JsonNode> rules() {
        return rules(Map.of());
    }

    private static List<JsonNode> rules(Map<String, ?> values) {
        Map<String, Object> enabled = new HashMap<>(values);
        enabled.put("metrics.prometheusRule.enabled", true);
        GenericKubernetesResource rule = Chart.one(Chart.render(enabled), GenericKubernetesResource.class, "-operator");
        JsonNode spec = new ObjectMapper().valueToTree(rule.getAdditionalProperties());
        List<JsonNode> rules = new ArrayList<>();
        spec.at("/spec/groups/0/rules").forEach(rules::add);
        return rules;
    }
}
