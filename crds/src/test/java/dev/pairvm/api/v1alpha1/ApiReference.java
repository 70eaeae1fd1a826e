package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;

/** Writes the tables of fields in the README from the schema. */
final class ApiReference {
    private ApiReference() {}

    /** One table for the spec of each kind, and one for its status. */
    static String markdown() {
        StringBuilder text = new StringBuilder();
        for (CustomResourceDefinition definition : CrdManifests.definitions().values().stream()
                .sorted((a, b) ->
                        b.getMetadata().getName().compareTo(a.getMetadata().getName()))
                .toList()) {
            JSONSchemaProps root =
                    definition.getSpec().getVersions().getFirst().getSchema().getOpenAPIV3Schema();
            for (String part : List.of("spec", "status")) {
                text.append("\n### ")
                        .append(definition.getSpec().getNames().getKind())
                        .append(" `")
                        .append(part)
                        .append("`\n\n| field | value | default | |\n|---|---|---|---|\n");
                rows("", Objects.requireNonNull(root.getProperties().get(part)), text);
            }
        }
        return text.toString();
    }

    private static void rows(String path, JSONSchemaProps schema, StringBuilder text) {
        List<String> required = schema.getRequired() == null ? List.of() : schema.getRequired();
        if (schema.getProperties() == null) {
            return;
        }
        schema.getProperties().forEach((name, property) -> {
            JSONSchemaProps item =
                    property.getItems() == null ? null : property.getItems().getSchema();
            String field = path + name + (item == null ? "" : "[]");
            text.append("| `")
                    .append(field)
                    .append("` | ")
                    .append(value(property))
                    .append(" | ");
            JsonNode byDefault = property.getDefault();
            text.append(
                    required.contains(name)
                            ? "required"
                            : byDefault == null || byDefault.isContainerNode() ? "" : "`" + byDefault.asText() + "`");
            text.append(" | ")
                    .append(Objects.requireNonNullElse(property.getDescription(), "")
                            .replace("<", "&lt;"))
                    .append(" |\n");
            if (!name.equals("affinity") && !name.equals("tolerations") && !name.equals("conditions")) {
                rows(field + ".", item == null ? property : item, text);
            }
        });
    }

    private static String value(JSONSchemaProps schema) {
        if (schema.getEnum() != null && !schema.getEnum().isEmpty()) {
            return schema.getEnum().stream()
                    .map(value -> "`" + value.asText() + "`")
                    .collect(Collectors.joining(", "));
        }
        if (Boolean.TRUE.equals(schema.getXKubernetesIntOrString())) {
            return "quantity";
        }
        if (Objects.equals(schema.getPattern(), KubernetesDuration.PATTERN)) {
            return "duration";
        }
        if (schema.getMinimum() != null && schema.getMaximum() != null) {
            return "%d to %d"
                    .formatted(
                            schema.getMinimum().longValue(), schema.getMaximum().longValue());
        }
        if (Objects.equals(schema.getFormat(), "date-time")) {
            return "time";
        }
        return schema.getAdditionalProperties() != null ? "map" : schema.getType();
    }
}
