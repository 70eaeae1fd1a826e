package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonAnySetter;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;
import java.util.Map;

/**
 * The machine, in the vocabulary of KubeVirt's VirtualMachineInstanceTemplateSpec.
 *
 * @param metadata labels and annotations for the machine's pods
 * @param spec the supported part of VirtualMachineInstanceSpec
 * @param unsupported fields that are refused
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Template(
        @JsonPropertyDescription("Labels and annotations for the machine's pods.")
        TemplateMetadata metadata,

        @Required @JsonPropertyDescription("The machine; the supported part of KubeVirt's VirtualMachineInstanceSpec.")
        TemplateSpec spec,

        @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
        implements TemplateNode {

    /** Fills in what may be left out. */
    public Template {
        metadata = metadata == null ? TemplateMetadata.EMPTY : metadata;
        unsupported = unsupported == null ? Map.of() : unsupported;
    }
}
