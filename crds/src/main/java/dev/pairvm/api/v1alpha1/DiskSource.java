package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/**
 * What a mirrored disk holds at first; exactly one component is set. It is read once, for the machine's first copy; every
 * further copy is filled from a copy that is in sync.
 *
 * @param blank zeroes
 * @param http an image fetched once
 * @param persistentVolumeClaim a volume that exists already, copied once
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
        value = "[has(self.blank), has(self.http), has(self.persistentVolumeClaim)].filter(x, x).size() == 1",
        message = "exactly one of blank, http and persistentVolumeClaim must be given",
        reason = "FieldValueInvalid")
public record DiskSource(
        @JsonPropertyDescription("An empty disk.") @Nullable Blank blank,

        @JsonPropertyDescription("A raw image, fetched once over HTTP or HTTPS.") @Nullable
        Http http,

        @JsonPropertyDescription(
                "A claim of this namespace that holds a raw image: a block volume, or disk.img on a file system. It is copied once and left as it is.")
        @Nullable
        Claim persistentVolumeClaim) {

    /** Zeroes; has no fields. */
    @JsonAutoDetect
    public record Blank() {}

    /**
     * An image to fetch. Exactly one of {@code checksum} and a true {@code insecureSkipChecksum} is given.
     *
     * @param url {@code http://} or {@code https://}
     * @param checksum {@code sha256:} and 64 lower-case hexadecimal digits
     * @param insecureSkipChecksum the user's waiver; true or absent
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    @ValidationRule(
            value = "has(self.checksum) != (has(self.insecureSkipChecksum) && self.insecureSkipChecksum)",
            message = "either checksum must be given, or insecureSkipChecksum: true, which waives it",
            fieldPath = ".checksum",
            reason = "FieldValueInvalid")
    public record Http(
            @Required @JsonPropertyDescription("Where the raw image lies.") @Pattern(Shapes.URL) @Size(max = 2048)
            String url,

            @JsonPropertyDescription("sha256:<64 hex digits> of the image. Required unless waived.")
            @Pattern(Shapes.CHECKSUM)
            @Size(max = 71)
            @Nullable
            String checksum,

            @JsonPropertyDescription("Waives the checksum: whoever answers at the URL decides what the machine boots.")
            @Nullable
            Boolean insecureSkipChecksum) {}

    /** A claim in the machine's namespace, by name. */
    public record Claim(
            @Required
            @JsonPropertyDescription("Name of the claim.")
            @Pattern(Shapes.DNS_SUBDOMAIN)
            @Size(min = 1, max = Shapes.NAME)
            String name) {}
}
