package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonAnySetter;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the guest boots with.
 *
 * @param bootloader BIOS or EFI; null is BIOS
 * @param uuid the machine's UUID as the guest sees it; null is the ProtectedVM's uid
 * @param serial the machine's serial number as the guest sees it
 * @param unsupported fields that are refused
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Firmware(
        @JsonPropertyDescription("BIOS or EFI; at most one. Empty: BIOS.") @Nullable
        Bootloader bootloader,

        @JsonPropertyDescription("UUID that the guest sees. Empty: the uid of the ProtectedVM.")
        @Pattern(Shapes.UUID)
        @Size(max = 36)
        @Nullable
        String uuid,

        @JsonPropertyDescription("Serial number that the guest sees.")
        @Pattern(Shapes.QEMU_WORD)
        @Size(min = 1, max = 64)
        @Nullable
        String serial,

        @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
        implements TemplateNode {
    /** BIOS. */
    public static final Firmware DEFAULT = new Firmware(null, null, null, Map.of());

    /** Fills in what may be left out. */
    public Firmware {
        unsupported = unsupported == null ? Map.of() : unsupported;
    }

    /** Whether the guest boots with EFI. */
    public boolean efi() {
        return bootloader != null && bootloader.efi() != null;
    }

    /**
     * At most one of the two.
     *
     * @param bios SeaBIOS
     * @param efi EDK II, without secure boot
     * @param unsupported fields that are refused
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    @ValidationRule(
            value = "!(has(self.bios) && has(self.efi))",
            message = "at most one of bios and efi can be given",
            reason = "FieldValueInvalid")
    public record Bootloader(
            @JsonPropertyDescription("Boot with BIOS.") @Nullable
            Bios bios,

            @JsonPropertyDescription("Boot with EFI, without secure boot.") @Nullable
            Efi efi,

            @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
            implements TemplateNode {
        /** Fills in what may be left out. */
        public Bootloader {
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }

    /** No fields of KubeVirt's are supported here. */
    public record Bios(@JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported) implements TemplateNode {
        /** Fills in what may be left out. */
        public Bios {
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }

    /** No fields of KubeVirt's are supported here. */
    public record Efi(@JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported) implements TemplateNode {
        /** Fills in what may be left out. */
        public Efi {
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }
}
