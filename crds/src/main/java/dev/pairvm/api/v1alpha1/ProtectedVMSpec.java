package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the user wishes.
 *
 * @param level wished protection; may change at any time
 * @param running wished power state; may change at any time
 * @param template the machine, in KubeVirt's vocabulary
 * @param disks the mirrored disks; each is attached by the template's disk of the same name
 * @param placement where copies may lie
 * @param recovery how failures are noticed and answered
 * @param verify how often the copies are compared
 * @param resync what bringing a copy up to date may cost the guest
 * @param checkpoint how the checkpoints of FaultTolerance go; may change at any time
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
        value = "self.disks.all(d, self.template.spec.domain.devices.disks.exists(t, t.name == d.name))",
        message =
                "every mirrored disk must be attached by a disk of the same name in spec.template.spec.domain.devices.disks",
        fieldPath = ".disks",
        reason = "FieldValueInvalid")
@ValidationRule(
        value =
                "self.template.spec.domain.devices.disks.all(t, self.disks.exists(d, d.name == t.name) || (has(self.template.spec.volumes) && self.template.spec.volumes.exists(v, v.name == t.name)))",
        message =
                "every disk of the template must have the name of an entry of spec.disks or spec.template.spec.volumes",
        fieldPath = ".template.spec.domain.devices.disks",
        reason = "FieldValueInvalid")
@ValidationRule(
        value =
                "!has(self.template.spec.volumes) || self.template.spec.volumes.all(v, !self.disks.exists(d, d.name == v.name))",
        message = "a volume must not have the name of a mirrored disk",
        fieldPath = ".template.spec.volumes",
        reason = "FieldValueInvalid")
@ValidationRule(
        value =
                "self.disks.size() == oldSelf.disks.size() && self.disks.all(d, oldSelf.disks.exists(o, o.name == d.name))",
        message = "disks can neither be added nor removed nor renamed",
        fieldPath = ".disks",
        reason = "FieldValueForbidden")
public record ProtectedVMSpec(
        @Required @JsonPropertyDescription("Wished protection of the machine. May be changed while it runs.")
        Level level,

        @Default("true")
        @JsonPropertyDescription(
                "Wished power state. A guest that switched itself off stays off until this is set to false and true again.")
        Boolean running,

        @Required
        @JsonPropertyDescription(
                "The virtual machine, in the vocabulary of KubeVirt's VirtualMachineInstance. Fields that PairVM can not honour are refused by their path in the condition SpecValid.")
        Template template,

        @Required
        @JsonPropertyDescription(
                "The mirrored disks. Each is attached to the machine by the template's disk of the same name.")
        @Size(min = 1, max = Shapes.FEW)
        List<MirroredDisk> disks,

        @Default("{}") @JsonPropertyDescription("Where the copies of the machine may lie.")
        Placement placement,

        @Default("{}") @JsonPropertyDescription("How failures are noticed and answered.")
        Recovery recovery,

        @Default("{}") @JsonPropertyDescription("How often the copies are compared while the guest works.")
        Verify verify,

        @Default("{}") @JsonPropertyDescription("What bringing a copy up to date may cost the guest.")
        Resync resync,

        @Default("{}")
        @JsonPropertyDescription("How the checkpoints of the level FaultTolerance go. May be changed while it runs.")
        Checkpoint checkpoint) {

    /** Fills in what the schema defaults. */
    public ProtectedVMSpec {
        running = running == null ? Boolean.TRUE : running;
        disks = disks == null ? List.of() : List.copyOf(disks);
        placement = placement == null ? Placement.DEFAULT : placement;
        recovery = recovery == null ? Recovery.DEFAULT : recovery;
        verify = verify == null ? Verify.DEFAULT : verify;
        resync = resync == null ? Resync.DEFAULT : resync;
        checkpoint = checkpoint == null ? Checkpoint.DEFAULT : checkpoint;
    }

    /** The mirrored disk of this name, or null. */
    public @Nullable MirroredDisk disk(String name) {
        return disks.stream()
                .filter(disk -> disk.name().equals(name))
                .findFirst()
                .orElse(null);
    }
}
