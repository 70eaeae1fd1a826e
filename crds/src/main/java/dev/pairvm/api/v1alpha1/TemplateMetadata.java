package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonAnySetter;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Size;
import java.util.Map;

/**
 * What the machine's pods carry; changes hold for pods that are made later.
 *
 * @param labels labels; those of {@code pairvm.dev/} are PairVM's own
 * @param annotations annotations
 * @param unsupported fields that are refused
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record TemplateMetadata(
        @JsonPropertyDescription("Labels of the machine's pods.") @Size(max = 64)
        Map<String, String> labels,

        @JsonPropertyDescription("Annotations of the machine's pods.") @Size(max = 64)
        Map<String, String> annotations,

        @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
        implements TemplateNode {
    /** Nothing. */
    public static final TemplateMetadata EMPTY = new TemplateMetadata(Map.of(), Map.of(), Map.of());

    /** Fills in what may be left out. */
    public TemplateMetadata {
        labels = labels == null ? Map.of() : Map.copyOf(labels);
        annotations = annotations == null ? Map.of() : Map.copyOf(annotations);
        unsupported = unsupported == null ? Map.of() : unsupported;
    }
}
