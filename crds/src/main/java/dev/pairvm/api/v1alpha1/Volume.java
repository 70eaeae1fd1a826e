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
 * What is attached to the machine beside its mirrored disks.
 *
 * @param name of the template's disk that attaches it
 * @param cloudInitNoCloud the one kind there is
 * @param unsupported fields that are refused
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Volume(
        @Required
        @JsonPropertyDescription("Name of the template's disk that attaches it.")
        @Pattern(Shapes.DNS_LABEL)
        @Size(min = 1, max = Shapes.DISK_NAME)
        String name,

        @Required @JsonPropertyDescription("A read-only disk for cloud-init.")
        CloudInitNoCloud cloudInitNoCloud,

        @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
        implements TemplateNode {

    /** Fills in what may be left out. */
    public Volume {
        unsupported = unsupported == null ? Map.of() : unsupported;
    }

    /**
     * Data for cloud-init; at most one of the first three is set, and at least one of all.
     *
     * @param userData user data, as text
     * @param userDataBase64 the same, encoded
     * @param secretRef a Secret of this namespace with the keys {@code userdata} and, perhaps, {@code networkdata}
     * @param networkData network configuration, as text
     * @param unsupported fields that are refused
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    @ValidationRule(
            value = "[has(self.userData), has(self.userDataBase64), has(self.secretRef)].filter(x, x).size() <= 1",
            message = "at most one of userData, userDataBase64 and secretRef can be given",
            reason = "FieldValueInvalid")
    @ValidationRule(
            value = "has(self.userData) || has(self.userDataBase64) || has(self.secretRef) || has(self.networkData)",
            message = "userData, userDataBase64, secretRef or networkData must be given",
            reason = "FieldValueInvalid")
    public record CloudInitNoCloud(
            @JsonPropertyDescription("User data, as text.") @Size(max = Shapes.CLOUD_INIT) @Nullable
            String userData,

            @JsonPropertyDescription("User data, base64.")
            @Pattern(Shapes.BASE64)
            @Size(max = Shapes.CLOUD_INIT)
            @Nullable
            String userDataBase64,

            @JsonPropertyDescription("Secret of this namespace with the keys userdata and, optionally, networkdata.")
            @Nullable
            SecretRef secretRef,

            @JsonPropertyDescription("Network configuration, as text.") @Size(max = Shapes.CLOUD_INIT) @Nullable
            String networkData,

            @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
            implements TemplateNode {
        /** Fills in what may be left out. */
        public CloudInitNoCloud {
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }

    /** A Secret of the machine's namespace. */
    public record SecretRef(
            @Required
            @JsonPropertyDescription("Name of the Secret.")
            @Pattern(Shapes.DNS_SUBDOMAIN)
            @Size(min = 1, max = Shapes.NAME)
            String name,

            @JsonAnySetter @JsonAnyGetter Map<String, Object> unsupported)
            implements TemplateNode {
        /** Fills in what may be left out. */
        public SecretRef {
            unsupported = unsupported == null ? Map.of() : unsupported;
        }
    }
}
