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
import io.fabric8.kubernetes.api.model.Quantity;
import java.math.BigDecimal;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The virtual hardware; nothing here can change.
 *
 * @param cpu processors
 * @param memory main memory
 * @param machine QEMU's machine type
 * @param firmware what the guest boots with
 * @param devices disks and network cards
 * @param unsupported fields that are refused
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Domain(
        @Default("{}") @JsonPropertyDescription("Virtual processors.")
        Cpu cpu,

        @Required @JsonPropertyDescription("Main memory.") Memory memory,

        @Default("{}") @JsonPropertyDescription("Machine type.")
        Machine machine,

        @Default("{}") @JsonPropertyDescription("Firmware.") Firmware firmware,

        @Required @JsonPropertyDescription("Disks and network cards.")
        Devices devices,

        @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
        implements TemplateNode {

    /** Fills in what the schema defaults. */
    public Domain {
        cpu = cpu == null ? Cpu.DEFAULT : cpu;
        machine = machine == null ? Machine.DEFAULT : machine;
        firmware = firmware == null ? Firmware.DEFAULT : firmware;
        unsupported = unsupported == null ? Map.of() : unsupported;
    }

    /**
     * Virtual processors: {@code sockets x cores x threads}.
     *
     * @param cores cores per socket
     * @param sockets sockets
     * @param threads threads per core
     * @param model QEMU's name, or KubeVirt's {@code host-model} or {@code host-passthrough}; null leaves it to PairVM
     * @param unsupported fields that are refused
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    @ValidationRule(
            value = "self.sockets * self.cores * self.threads <= 254",
            message = "sockets x cores x threads must be at most 254",
            reason = "FieldValueInvalid")
    public record Cpu(
            @Default("1") @JsonPropertyDescription("Cores per socket.") @Min(1) @Max(254)
            Integer cores,

            @Default("1") @JsonPropertyDescription("Sockets.") @Min(1) @Max(254)
            Integer sockets,

            @Default("1") @JsonPropertyDescription("Threads per core.") @Min(1) @Max(8)
            Integer threads,

            @JsonPropertyDescription(
                    "Processor model: QEMU's name for it, or KubeVirt's host-model or host-passthrough. Empty: all that the host can do. A switchover needs hosts that can do the same.")
            @Pattern(Shapes.QEMU_WORD)
            @Size(min = 1, max = 64)
            @Nullable
            String model,

            @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
            implements TemplateNode {
        /** One processor. */
        public static final Cpu DEFAULT = new Cpu(1, 1, 1, null, Map.of());

        /** Fills in what the schema defaults. */
        public Cpu {
            cores = cores == null ? 1 : cores;
            sockets = sockets == null ? 1 : sockets;
            threads = threads == null ? 1 : threads;
            unsupported = unsupported == null ? Map.of() : unsupported;
        }

        /** How many processors the guest sees. */
        public int count() {
            return sockets * cores * threads;
        }
    }

    /**
     * Main memory.
     *
     * @param guest what the guest sees; whole MiB
     * @param unsupported fields that are refused
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    @ValidationRule(
            value =
                    "quantity(string(self.guest)).compareTo(quantity('16Mi')) >= 0 && quantity(string(self.guest)).compareTo(quantity('4Ti')) <= 0",
            message = "guest must be between 16Mi and 4Ti",
            fieldPath = ".guest",
            reason = "FieldValueInvalid")
    @ValidationRule(
            value =
                    "quantity(string(self.guest)).isInteger() && quantity(string(self.guest)).asInteger() % 1048576 == 0",
            message = "guest must be whole Mi",
            fieldPath = ".guest",
            reason = "FieldValueInvalid")
    public record Memory(
            @Required @JsonPropertyDescription("Memory that the guest sees; whole MiB.")
            Quantity guest,

            @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
            implements TemplateNode {
        /** Fills in what may be left out. */
        public Memory {
            unsupported = unsupported == null ? Map.of() : unsupported;
        }

        /**
         * What the guest sees, in MiB.
         *
         * @throws ArithmeticException if that is no whole number; the schema refuses such sizes
         */
        public int guestMib() {
            return Quantity.getAmountInBytes(guest)
                    .divide(BigDecimal.valueOf(1L << 20))
                    .intValueExact();
        }
    }

    /**
     * Machine type.
     *
     * @param type {@code q35} or a version of it
     * @param unsupported fields that are refused
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Machine(
            @Default("q35")
            @JsonPropertyDescription("QEMU's machine type: q35, or one of its versions.")
            @Pattern(Shapes.MACHINE_TYPE)
            @Size(max = 16)
            String type,

            @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
            implements TemplateNode {
        /** The newest q35. */
        public static final Machine DEFAULT = new Machine("q35", Map.of());

        /** Fills in what the schema defaults. */
        public Machine {
            type = type == null ? "q35" : type;
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }
}
