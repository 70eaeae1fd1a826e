package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/**
 * Where copies may lie.
 *
 * @param preferredNode node for the machine's first copy; a wish, not a condition
 * @param topologyKey node label whose values must differ between the two copies
 * @param mirrorNetwork {@code name} or {@code namespace/name} of the NetworkAttachmentDefinition of a second path between the
 *     mirrors; null leaves the pod network alone
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
        value = "self.topologyKey == oldSelf.topologyKey",
        message = "topologyKey can not change: the copies lie where they lie",
        fieldPath = ".topologyKey",
        reason = "FieldValueForbidden")
@ValidationRule(
        value =
                "has(self.mirrorNetwork) == has(oldSelf.mirrorNetwork) && (!has(self.mirrorNetwork) || self.mirrorNetwork == oldSelf.mirrorNetwork)",
        message = "mirrorNetwork can not change",
        fieldPath = ".mirrorNetwork",
        reason = "FieldValueForbidden")
public record Placement(
        @JsonPropertyDescription("Node on which the machine's first copy is placed if it can be.")
        @Pattern(Shapes.DNS_SUBDOMAIN)
        @Size(min = 1, max = Shapes.NAME)
        @Nullable
        String preferredNode,

        @Default(Placement.HOSTNAME)
        @JsonPropertyDescription("Node label whose values must differ between the two copies.")
        @Pattern(Shapes.LABEL_KEY)
        @Size(min = 1, max = 317)
        String topologyKey,

        @JsonPropertyDescription(
                "NetworkAttachmentDefinition, name or namespace/name, that the mirrors use beside the pod network.")
        @Pattern(Shapes.NETWORK_ATTACHMENT)
        @Size(min = 1, max = 317)
        @Nullable
        String mirrorNetwork) {

    /** The label that names a node. */
    public static final String HOSTNAME = "kubernetes.io/hostname";

    /** Two different nodes, any, over the pod network. */
    public static final Placement DEFAULT = new Placement(null, HOSTNAME, null);

    /** Fills in what the schema defaults. */
    public Placement {
        topologyKey = topologyKey == null ? HOSTNAME : topologyKey;
    }
}
