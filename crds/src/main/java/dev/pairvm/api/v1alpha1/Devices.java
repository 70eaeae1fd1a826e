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
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Disks and network cards.
 *
 * @param disks each attaches the mirrored disk, or the volume, of the same name
 * @param interfaces each is plugged into the network of the same name
 * @param unsupported fields that are refused
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
        value =
                "self.disks.all(d, !has(d.bootOrder) || self.disks.exists_one(e, has(e.bootOrder) && e.bootOrder == d.bootOrder))",
        message = "two disks can not have the same bootOrder",
        fieldPath = ".disks",
        reason = "FieldValueInvalid")
public record Devices(
        @Required
        @JsonPropertyDescription("Disks; each attaches the mirrored disk or the volume of the same name.")
        @Size(min = 1, max = Shapes.FEW)
        List<Disk> disks,

        @Required
        @JsonPropertyDescription("Network cards; each is plugged into the network of the same name.")
        @Size(min = 1, max = Shapes.FEW)
        List<Interface> interfaces,

        @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
        implements TemplateNode {

    /** Fills in what may be left out. */
    public Devices {
        disks = disks == null ? List.of() : List.copyOf(disks);
        interfaces = interfaces == null ? List.of() : List.copyOf(interfaces);
        unsupported = unsupported == null ? Map.of() : unsupported;
    }

    /**
     * A disk as the guest sees it.
     *
     * @param name of a mirrored disk or a volume
     * @param disk how it is attached
     * @param bootOrder place in the boot order, from 1; null is after those that have one
     * @param serial what the guest reads as the disk's serial number; at most 20 characters, as virtio has it
     * @param unsupported fields that are refused
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Disk(
            @Required
            @JsonPropertyDescription("Name of the mirrored disk or volume.")
            @Pattern(Shapes.DNS_LABEL)
            @Size(min = 1, max = Shapes.DISK_NAME)
            String name,

            @Default("{}") @JsonPropertyDescription("How the disk is attached.")
            DiskTarget disk,

            @JsonPropertyDescription("Place in the boot order, from 1.") @Min(1) @Max(64) @Nullable
            Integer bootOrder,

            @JsonPropertyDescription("Serial number that the guest sees.")
            @Pattern(Shapes.QEMU_WORD)
            @Size(min = 1, max = 20)
            @Nullable
            String serial,

            @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
            implements TemplateNode {
        /** Fills in what the schema defaults. */
        public Disk {
            disk = disk == null ? DiskTarget.DEFAULT : disk;
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }

    /**
     * How a disk is attached.
     *
     * @param bus virtio
     * @param unsupported fields that are refused
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record DiskTarget(
            @Default("virtio") @JsonPropertyDescription("Bus of the disk.")
            Bus bus,

            @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
            implements TemplateNode {
        /** On the virtio bus. */
        public static final DiskTarget DEFAULT = new DiskTarget(Bus.virtio, Map.of());

        /** Fills in what the schema defaults. */
        public DiskTarget {
            bus = bus == null ? Bus.virtio : bus;
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }

    /** Buses of a disk. */
    public enum Bus {
        virtio
    }

    /**
     * A network card; exactly one of {@code bridge} and {@code masquerade} is set.
     *
     * @param name of a network
     * @param bridge the guest is on the same layer-2 network as the pod's interface
     * @param masquerade the guest sits behind address translation
     * @param ports masquerade only: what is forwarded to the guest
     * @param macAddress the machine's address on this network, the same on both hosts; null derives one from the uid
     * @param model virtio
     * @param unsupported fields that are refused
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    @ValidationRule(
            value = "has(self.bridge) != has(self.masquerade)",
            message = "exactly one of bridge and masquerade must be given",
            reason = "FieldValueInvalid")
    @ValidationRule(
            value = "!has(self.ports) || self.ports.size() == 0 || has(self.masquerade)",
            message = "ports are for masquerade only: with bridge the guest is on the network itself",
            fieldPath = ".ports",
            reason = "FieldValueInvalid")
    @ValidationRule(
            value =
                    "!has(self.ports) || self.ports.size() <= 1 || self.ports.all(p, has(p.name) && self.ports.exists_one(q, has(q.name) && q.name == p.name))",
            message = "several ports must each have a name of their own",
            fieldPath = ".ports",
            reason = "FieldValueInvalid")
    public record Interface(
            @Required
            @JsonPropertyDescription("Name of the network.")
            @Pattern(Shapes.DNS_LABEL)
            @Size(min = 1, max = Shapes.LABEL)
            String name,

            @JsonPropertyDescription(
                    "The guest is on the layer-2 network of the pod's interface and keeps MAC and IP across a failover.")
            @Nullable
            Bridge bridge,

            @JsonPropertyDescription(
                    "The guest sits behind address translation; a Service named after the machine follows it.")
            @Nullable
            Masquerade masquerade,

            @JsonPropertyDescription("Ports forwarded to the guest; with masquerade only.") @Size(max = Shapes.FEW)
            List<Port> ports,

            @JsonPropertyDescription("MAC address. Empty: derived from the uid of the ProtectedVM.")
            @Pattern(Shapes.MAC)
            @Size(max = 17)
            @Nullable
            String macAddress,

            @Default("virtio") @JsonPropertyDescription("Model of the card.")
            Model model,

            @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
            implements TemplateNode {
        /** Fills in what may be left out. */
        public Interface {
            ports = ports == null ? List.of() : List.copyOf(ports);
            model = model == null ? Model.virtio : model;
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }

    /** Models of a network card. */
    public enum Model {
        virtio
    }

    /** No fields. */
    public record Bridge(@JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported) implements TemplateNode {
        /** Fills in what may be left out. */
        public Bridge {
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }

    /** No fields. */
    public record Masquerade(@JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported) implements TemplateNode {
        /** Fills in what may be left out. */
        public Masquerade {
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }

    /**
     * A forwarded port.
     *
     * @param name name of the Service's port; null where there is only one
     * @param port 1 to 65535, the same outside and inside
     * @param protocol TCP or UDP
     * @param unsupported fields that are refused
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Port(
            @JsonPropertyDescription("Name of the Service's port; needed where there are several.")
            @Pattern(Shapes.DNS_LABEL)
            @Size(min = 1, max = 15)
            @Nullable
            String name,

            @Required @JsonPropertyDescription("Port, the same outside and inside.") @Min(1) @Max(65_535)
            Integer port,

            @Default("TCP") @JsonPropertyDescription("TCP or UDP.")
            Protocol protocol,

            @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
            implements TemplateNode {
        /** Fills in what the schema defaults. */
        public Port {
            protocol = protocol == null ? Protocol.TCP : protocol;
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }

    /** Protocols that are forwarded. */
    public enum Protocol {
        TCP,
        UDP
    }
}
