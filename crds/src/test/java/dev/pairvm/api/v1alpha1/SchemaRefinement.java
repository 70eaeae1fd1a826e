package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.databind.node.TextNode;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceColumnDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Adds to a generated definition what the generator can not say: list types, bounds inside of Condition, formats, which objects
 * keep unknown fields. Walks the schema by the names of its fields.
 */
final class SchemaRefinement {
    /** The order in which {@code kubectl get} shows what the generator sorts by path. */
    private static final List<String> COLUMNS = List.of(
            "Level",
            "Effective",
            "Active",
            "Standby",
            "InSync",
            "Machine",
            "Type",
            "Phase",
            "Age",
            "Ready",
            "Reason",
            "Message",
            "Epoch",
            "Identical-As-Of");

    private static final Set<String> DURATIONS = Set.of(
            "lease",
            "grace",
            "replaceLostCopyAfter",
            "outage",
            "detected",
            "ttlAfterFinished",
            "interval",
            "maxInterval",
            "maxPause",
            "compareTimeout",
            "lastPause",
            "longestPause",
            "totalPause",
            "age");
    private static final Set<String> TIMES = Set.of(
            "at",
            "asOf",
            "lostSince",
            "startTime",
            "completionTime",
            "lastTransitionTime",
            "startedAt",
            "endedAt",
            "identicalAsOf",
            "next");
    private static final Set<String> COUNTS = Set.of(
            "epoch",
            "fromEpoch",
            "toEpoch",
            "observedGeneration",
            "bytesLost",
            "bytesTotal",
            "bytesCompared",
            "mismatches",
            "repaired",
            "unreadableBytes",
            "taken",
            "early",
            "offset");
    /** Lists whose entries are told apart by these fields, for server-side apply and for rules that look at the old value. */
    private static final Map<String, List<String>> LIST_KEYS = Map.of(
            "disks", List.of("name"),
            "interfaces", List.of("name"),
            "networks", List.of("name"),
            "volumes", List.of("name"),
            "ports", List.of("port", "protocol"),
            "copies", List.of("name"),
            "conditions", List.of("type"));

    private static final long LONGEST_MESSAGE = 32_768;

    private SchemaRefinement() {}

    static CustomResourceDefinition refine(CustomResourceDefinition definition) {
        definition.getSpec().getNames().setCategories(List.of("pairvm"));
        var version = definition.getSpec().getVersions().getFirst();
        List<CustomResourceColumnDefinition> columns = version.getAdditionalPrinterColumns();
        columns.sort(Comparator.comparingInt(column -> position(column.getName())));
        JSONSchemaProps root = version.getSchema().getOpenAPIV3Schema();
        root.setRequired(List.of("spec"));
        property(root, "spec").setDescription("What the user wishes; never written by PairVM.");
        property(root, "status").setDescription("What was observed; written by PairVM only.");
        refine("", root, false);
        return definition;
    }

    private static int position(String column) {
        int position = COLUMNS.indexOf(column);
        if (position < 0) {
            throw new IllegalStateException("column " + column + " has no place");
        }
        return position;
    }

    private static JSONSchemaProps property(JSONSchemaProps schema, String name) {
        return Objects.requireNonNull(schema.getProperties().get(name), name);
    }

    private static void refine(String name, JSONSchemaProps schema, boolean inTemplate) {
        if (name.equals("affinity") || name.equals("tolerations")) {
            return; // Kubernetes' own; pods are checked against them
        }
        boolean template = inTemplate || name.equals("template");
        if (name.equals("conditions")) {
            refineCondition(schema.getItems().getSchema());
        }
        if (LIST_KEYS.containsKey(name) && Objects.equals(schema.getType(), "array")) {
            schema.setXKubernetesListType("map");
            schema.setXKubernetesListMapKeys(LIST_KEYS.get(name));
            if (schema.getMaxItems() == null) {
                schema.setMaxItems(Shapes.FEW);
            }
            refine("", schema.getItems().getSchema(), template);
        }
        if (Boolean.TRUE.equals(schema.getXKubernetesIntOrString())) {
            schema.setPattern(Shapes.BYTES);
            schema.setMaxLength(24L);
        }
        if (Objects.equals(schema.getType(), "string")) {
            refineString(name, schema);
        }
        if (Objects.equals(schema.getType(), "integer") && COUNTS.contains(name)) {
            schema.setFormat("int64");
            schema.setMinimum(0.0);
        }
        if (Objects.equals(schema.getType(), "object")) {
            refineObject(name, schema, template);
        }
    }

    private static void refineObject(String name, JSONSchemaProps schema, boolean inTemplate) {
        if (schema.getAdditionalProperties() != null) {
            schema.getAdditionalProperties()
                    .getSchema()
                    .setMaxLength(name.equals("annotations") ? LONGEST_MESSAGE : Shapes.LABEL);
            return;
        }
        if (inTemplate) {
            // Kept, so that the operator can refuse them by their path.
            schema.setXKubernetesPreserveUnknownFields(true);
        }
        if (schema.getProperties() != null) {
            schema.getProperties().forEach((field, property) -> refine(field, property, inTemplate));
        }
    }

    private static void refineString(String name, JSONSchemaProps schema) {
        if (DURATIONS.contains(name)) {
            schema.setPattern(KubernetesDuration.PATTERN);
            schema.setMaxLength(32L);
        } else if (TIMES.contains(name)) {
            schema.setFormat("date-time");
        } else if (schema.getMaxLength() == null && schema.getEnum().isEmpty()) {
            schema.setMaxLength(name.equals("message") ? LONGEST_MESSAGE : Shapes.NAME);
        }
    }

    /** As {@code metav1.Condition}. */
    private static void refineCondition(JSONSchemaProps condition) {
        condition.setRequired(List.of("lastTransitionTime", "message", "reason", "status", "type"));
        property(condition, "type").setPattern(Shapes.LABEL_KEY);
        property(condition, "type").setMaxLength(316L);
        property(condition, "status")
                .setEnum(List.of(TextNode.valueOf("True"), TextNode.valueOf("False"), TextNode.valueOf("Unknown")));
        property(condition, "reason").setPattern("^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$");
        property(condition, "reason").setMinLength(1L);
        property(condition, "reason").setMaxLength(1024L);
    }
}
