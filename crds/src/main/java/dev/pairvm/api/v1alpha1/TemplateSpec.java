package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonAnySetter;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Required;
import io.fabric8.kubernetes.api.model.Affinity;
import io.fabric8.kubernetes.api.model.Toleration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The supported part of KubeVirt's VirtualMachineInstanceSpec. What the guest sees can not change; what only places pods may,
 * and holds for pods that are made later.
 *
 * @param domain processors, memory, firmware and devices
 * @param networks what the interfaces are plugged into, matched by name
 * @param volumes what is attached beside the mirrored disks: at most one cloud-init volume
 * @param hostname handed to the guest by cloud-init and DHCP; null is the machine's name
 * @param nodeSelector labels that a node must have to hold a copy
 * @param affinity further wishes for the nodes of both copies
 * @param tolerations taints that the pods bear
 * @param terminationGracePeriodSeconds how long a guest may take to switch itself off before it is stopped
 * @param unsupported fields that are refused
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record TemplateSpec(
        @Required @JsonPropertyDescription("Processors, memory, firmware and devices.")
        Domain domain,

        @Required @JsonPropertyDescription("Networks, each used by the interface of the same name.")
        List<Network> networks,

        @JsonPropertyDescription("Volumes beside the mirrored disks: at most one, of kind cloudInitNoCloud.")
        List<Volume> volumes,

        @JsonPropertyDescription("Host name of the guest. Empty: the name of the ProtectedVM.") @Nullable
        String hostname,

        @JsonPropertyDescription("Labels that a node must have to hold a copy.")
        Map<String, String> nodeSelector,

        @JsonPropertyDescription("Further wishes for the nodes of both copies.") @Nullable
        Affinity affinity,

        @JsonPropertyDescription("Taints that the machine's pods bear.")
        List<Toleration> tolerations,

        @Default("30")
        @JsonPropertyDescription("How long the guest may take to switch itself off before it is stopped.")
        Integer terminationGracePeriodSeconds,

        @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
        implements TemplateNode {

    /** Fills in what may be left out. */
    public TemplateSpec {
        networks = networks == null ? List.of() : List.copyOf(networks);
        volumes = volumes == null ? List.of() : List.copyOf(volumes);
        nodeSelector = nodeSelector == null ? Map.of() : Map.copyOf(nodeSelector);
        tolerations = tolerations == null ? List.of() : List.copyOf(tolerations);
        terminationGracePeriodSeconds = terminationGracePeriodSeconds == null ? 30 : terminationGracePeriodSeconds;
        unsupported = unsupported == null ? Map.of() : unsupported;
    }

    /** The network of this name, or null; the schema sees to it that every interface has one. */
    public @Nullable Network network(String name) {
        return networks.stream()
                .filter(network -> network.name().equals(name))
                .findFirst()
                .orElse(null);
    }

    /** The cloud-init volume, or null. */
    public Volume.@Nullable CloudInitNoCloud cloudInit() {
        return volumes.isEmpty() ? null : volumes.getFirst().cloudInitNoCloud();
    }
}
