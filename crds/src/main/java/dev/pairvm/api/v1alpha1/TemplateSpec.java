package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonAnySetter;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
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
@ValidationRule(
        value = "self.domain.devices.interfaces.all(i, self.networks.exists(n, n.name == i.name))",
        message = "every interface must have the name of an entry of spec.template.spec.networks",
        fieldPath = ".domain.devices.interfaces",
        reason = "FieldValueInvalid")
@ValidationRule(
        value = "self.networks.all(n, self.domain.devices.interfaces.exists(i, i.name == n.name))",
        message = "every network must be used by an interface of the same name",
        fieldPath = ".networks",
        reason = "FieldValueInvalid")
@ValidationRule(
        value =
                "self.domain.devices.interfaces.all(i, !has(i.masquerade) || !self.networks.exists(n, n.name == i.name && !has(n.pod)))",
        message = "masquerade is for the pod network only; use bridge on a network of Multus",
        fieldPath = ".domain.devices.interfaces",
        reason = "FieldValueInvalid")
@ValidationRule(
        value = "self.networks.filter(n, has(n.pod)).size() <= 1",
        message = "at most one network can be the pod network",
        fieldPath = ".networks",
        reason = "FieldValueInvalid")
@ValidationRule(
        value = "!has(self.volumes) || self.volumes.all(v, self.domain.devices.disks.exists(d, d.name == v.name))",
        message = "every volume must be attached by a disk of the same name",
        fieldPath = ".volumes",
        reason = "FieldValueInvalid")
@ValidationRule(
        value = "self.domain == oldSelf.domain",
        message = "the domain can not change; make a new ProtectedVM with the disks of this one",
        fieldPath = ".domain",
        reason = "FieldValueForbidden")
@ValidationRule(
        value = "self.networks == oldSelf.networks",
        message = "networks can not change",
        fieldPath = ".networks",
        reason = "FieldValueForbidden")
@ValidationRule(
        value = "has(self.volumes) == has(oldSelf.volumes) && (!has(self.volumes) || self.volumes == oldSelf.volumes)",
        message = "volumes can not change",
        fieldPath = ".volumes",
        reason = "FieldValueForbidden")
@ValidationRule(
        value =
                "has(self.hostname) == has(oldSelf.hostname) && (!has(self.hostname) || self.hostname == oldSelf.hostname)",
        message = "hostname can not change",
        fieldPath = ".hostname",
        reason = "FieldValueForbidden")
@ValidationRule(
        value = "self.terminationGracePeriodSeconds == oldSelf.terminationGracePeriodSeconds",
        message = "terminationGracePeriodSeconds can not change",
        fieldPath = ".terminationGracePeriodSeconds",
        reason = "FieldValueForbidden")
public record TemplateSpec(
        @Required @JsonPropertyDescription("Processors, memory, firmware and devices.")
        Domain domain,

        @Required
        @JsonPropertyDescription("Networks, each used by the interface of the same name.")
        @Size(min = 1, max = Shapes.FEW)
        List<Network> networks,

        @JsonPropertyDescription("Volumes beside the mirrored disks: at most one, of kind cloudInitNoCloud.")
        @Size(max = 1)
        List<Volume> volumes,

        @JsonPropertyDescription("Host name of the guest. Empty: the name of the ProtectedVM.")
        @Pattern(Shapes.DNS_LABEL)
        @Size(min = 1, max = Shapes.LABEL)
        @Nullable
        String hostname,

        @JsonPropertyDescription("Labels that a node must have to hold a copy.") @Size(max = 64)
        Map<String, String> nodeSelector,

        @JsonPropertyDescription("Further wishes for the nodes of both copies.") @Nullable
        Affinity affinity,

        @JsonPropertyDescription("Taints that the machine's pods bear.") @Size(max = 64)
        List<Toleration> tolerations,

        @Default("30")
        @JsonPropertyDescription("How long the guest may take to switch itself off before it is stopped.")
        @Min(0)
        @Max(86_400)
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
