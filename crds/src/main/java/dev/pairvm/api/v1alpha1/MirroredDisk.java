package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import io.fabric8.kubernetes.api.model.Quantity;
import java.math.BigDecimal;
import java.math.RoundingMode;
import org.jspecify.annotations.Nullable;

/**
 * A disk that both hosts hold.
 *
 * @param name name of the disk, of the template's disk that attaches it, and of its NBD export; a DNS label
 * @param size what the guest sees, see {@link #sizeBytes()}; may grow
 * @param storageClassName class of the claims; null is the cluster's default class
 * @param volumeMode how the volumes are given to the mirrors
 * @param source what the disk holds at first
 * @param onDelete what becomes of the claims when the ProtectedVM is deleted
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
        value =
                "quantity(string(self.size)).compareTo(quantity('1Mi')) >= 0 && quantity(string(self.size)).compareTo(quantity('64Ti')) <= 0",
        message = "size must be between 1Mi and 64Ti",
        fieldPath = ".size",
        reason = "FieldValueInvalid")
@ValidationRule(
        value = "quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",
        message = "size may grow, but not shrink",
        fieldPath = ".size",
        reason = "FieldValueForbidden")
@ValidationRule(
        value = "self.source == oldSelf.source",
        message = "source can not change: it is read once, for the first copy",
        fieldPath = ".source",
        reason = "FieldValueForbidden")
@ValidationRule(
        value =
                "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
        message = "storageClassName can not change",
        fieldPath = ".storageClassName",
        reason = "FieldValueForbidden")
@ValidationRule(
        value = "self.volumeMode == oldSelf.volumeMode",
        message = "volumeMode can not change",
        fieldPath = ".volumeMode",
        reason = "FieldValueForbidden")
public record MirroredDisk(
        @Required
        @JsonPropertyDescription("Name of the disk and of the template's disk that attaches it.")
        @Pattern(Shapes.DNS_LABEL)
        @Size(min = 1, max = Shapes.DISK_NAME)
        String name,

        @Required @JsonPropertyDescription("Size that the guest sees, rounded up to whole MiB. May grow, never shrink.")
        Quantity size,

        @JsonPropertyDescription("StorageClass of both copies. Empty: the cluster's default class.")
        @Pattern(Shapes.DNS_SUBDOMAIN)
        @Size(min = 1, max = Shapes.NAME)
        @Nullable
        String storageClassName,

        @Default("Filesystem")
        @JsonPropertyDescription("Block: the image lies on a raw block volume. Filesystem: it is a file.")
        VolumeMode volumeMode,

        @Required
        @JsonPropertyDescription("What the disk holds at first; exactly one of blank, http, persistentVolumeClaim.")
        DiskSource source,

        @Default("Retain") @JsonPropertyDescription("What becomes of the claims when the ProtectedVM is deleted.")
        OnDelete onDelete) {

    private static final long MIB = 1L << 20;

    /** Fills in what the schema defaults. */
    public MirroredDisk {
        volumeMode = volumeMode == null ? VolumeMode.Filesystem : volumeMode;
        onDelete = onDelete == null ? OnDelete.Retain : onDelete;
    }

    /**
     * The size that the guest sees, in bytes: {@link #size()} rounded up to whole MiB.
     *
     * @throws ArithmeticException if it does not fit; the schema refuses such sizes
     */
    public long sizeBytes() {
        BigDecimal mib = Quantity.getAmountInBytes(size).divide(BigDecimal.valueOf(MIB), 0, RoundingMode.CEILING);
        return Math.multiplyExact(mib.longValueExact(), MIB);
    }

    /** How a volume is given to a pod. */
    public enum VolumeMode {
        Block,
        Filesystem
    }

    /** What becomes of a disk's claims. */
    public enum OnDelete {
        /** They stay, with their data. */
        Retain,
        /** They are deleted with the machine. */
        Delete
    }
}
