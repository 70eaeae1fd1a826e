package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One comparison of both copies.
 *
 * @param startedAt when it began, RFC 3339
 * @param endedAt when it ended, RFC 3339; null while it runs
 * @param outcome how far it is
 * @param message why it was aborted; null where it was not
 * @param activeCopy the copy whose bytes count
 * @param standbyCopy the copy that was compared with it
 * @param bytesTotal bytes of all disks
 * @param bytesCompared bytes compared; told in steps
 * @param mismatches places of at most 64 KiB that differed
 * @param repaired of these, places that were written anew on the standby and found equal after that
 * @param unreadableBytes bytes that the active could not read
 * @param found the first mismatches
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record VerificationRun(
        @Required @JsonPropertyDescription("When it began.") String startedAt,

        @JsonPropertyDescription("When it ended.") @Nullable String endedAt,

        @Required @JsonPropertyDescription("How far it is.") Outcome outcome,

        @JsonPropertyDescription("Why it was aborted.") @Nullable
        String message,

        @Required @JsonPropertyDescription("The copy whose bytes count.")
        String activeCopy,

        @Required @JsonPropertyDescription("The copy that was compared with it.")
        String standbyCopy,

        @Required @JsonPropertyDescription("Bytes of all disks.")
        Long bytesTotal,

        @Required @JsonPropertyDescription("Bytes compared; told in steps.")
        Long bytesCompared,

        @Required @JsonPropertyDescription("Places of at most 64 KiB that differed, twice in a row.")
        Long mismatches,

        @Required
        @JsonPropertyDescription(
                "Of these, places that were written anew on the standby from the active, and found equal after that.")
        Long repaired,

        @Required @JsonPropertyDescription("Bytes that the active could not read, so that nothing is known of them.")
        Long unreadableBytes,

        @JsonPropertyDescription("The first mismatches, at most 16.")
        List<Mismatch> found) {
    /** Copies the list. */
    public VerificationRun {
        found = found == null ? List.of() : List.copyOf(found);
    }

    /** How far it is. */
    public enum Outcome {
        Running,
        /** Every byte was compared. */
        Complete,
        /** It ended before that. */
        Aborted
    }

    /** Whether it proves that no difference that arose before it began is left. */
    public boolean proves() {
        return outcome == Outcome.Complete && repaired.equals(mismatches) && unreadableBytes == 0;
    }

    /**
     * A place that differed.
     *
     * @param disk name of the disk
     * @param offset in bytes
     * @param length in bytes
     * @param activeHash SHA-256 of the active's bytes in hexadecimal, or {@code zeroes}
     * @param standbyHash the same of the standby's, or {@code unreadable}
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Mismatch(
            @Required @JsonPropertyDescription("Name of the disk.")
            String disk,

            @Required @JsonPropertyDescription("Where, in bytes.")
            Long offset,

            @Required @JsonPropertyDescription("How many bytes.")
            Integer length,

            @Required @JsonPropertyDescription("SHA-256 of the active's bytes, or zeroes.")
            String activeHash,

            @Required @JsonPropertyDescription("SHA-256 of the standby's bytes as they were, or zeroes, or unreadable.")
            String standbyHash) {}
}
