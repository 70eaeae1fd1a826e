package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonAnySetter;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What an interface is plugged into; exactly one of {@code pod} and {@code multus} is set.
 *
 * @param name of the interface
 * @param pod the pod network
 * @param multus a network named by a NetworkAttachmentDefinition
 * @param unsupported fields that are refused
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
        value = "has(self.pod) != has(self.multus)",
        message = "exactly one of pod and multus must be given",
        reason = "FieldValueInvalid")
public record Network(
        @Required
        @JsonPropertyDescription("Name of the interface that uses this network.")
        @Pattern(Shapes.DNS_LABEL)
        @Size(min = 1, max = Shapes.LABEL)
        String name,

        @JsonPropertyDescription("The pod network.") @Nullable
        Pod pod,

        @JsonPropertyDescription("A network of Multus.") @Nullable
        Multus multus,

        @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
        implements TemplateNode {

    /** Fills in what may be left out. */
    public Network {
        unsupported = unsupported == null ? Map.of() : unsupported;
    }

    /** No fields of KubeVirt's are supported here. */
    public record Pod(@JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported) implements TemplateNode {
        /** Fills in what may be left out. */
        public Pod {
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }

    /**
     * A network of Multus.
     *
     * @param networkName {@code name} or {@code namespace/name} of the NetworkAttachmentDefinition
     * @param unsupported fields that are refused
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Multus(
            @Required
            @JsonPropertyDescription("NetworkAttachmentDefinition: name or namespace/name.")
            @Pattern(Shapes.NETWORK_ATTACHMENT)
            @Size(min = 1, max = 317)
            String networkName,

            @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
            implements TemplateNode {
        /** Fills in what may be left out. */
        public Multus {
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }
}
