package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;
import io.fabric8.kubernetes.api.model.Condition;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What was observed; written on a change of meaning only. Numbers that move by themselves are metrics.
 *
 * @param level wished and effective protection
 * @param active the side whose guest counts; null before the first start
 * @param standby the side kept ready; null while there is none
 * @param epoch the arbiter's epoch
 * @param ifHostDiedNow what the death of the active's host would cost at this moment
 * @param lastFailover the last unplanned change of the active
 * @param verification what is known of the copies being equal; null before the first observation
 * @param checkpoints what the checkpoints of the twin cost, told every few minutes; null where there was none
 * @param copies the machine's copies, by name
 * @param conditions see {@link ConditionType}
 * @param observedGeneration the generation of the spec that this status speaks of
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record ProtectedVMStatus(
        @JsonPropertyDescription("Wished and effective protection.") @Nullable
        LevelStatus level,

        @JsonPropertyDescription("The side whose guest counts.") @Nullable
        Side active,

        @JsonPropertyDescription("The side kept ready.") @Nullable
        Side standby,

        @JsonPropertyDescription("The arbiter's epoch; rises with every change of the active or of the copies in sync.")
        @Nullable
        Long epoch,

        @JsonPropertyDescription("What the death of the active's host would cost now.") @Nullable
        IfHostDiedNow ifHostDiedNow,

        @JsonPropertyDescription("The last unplanned change of the active.") @Nullable
        Failover lastFailover,

        @JsonPropertyDescription("What is known of the copies being equal.") @Nullable
        Verification verification,

        @JsonPropertyDescription("What the twin's checkpoints cost. Told every few minutes; metrics are newer.")
        @Nullable
        Checkpoints checkpoints,

        @JsonPropertyDescription("The machine's copies.") List<CopyStatus> copies,

        @JsonPropertyDescription(
                "Ready, SpecValid, LevelSupported, Paired, InSync, ArbiterReachable, Redundant, Verified, DiskGrowth; Reconciling and Stalled where they apply.")
        List<Condition> conditions,

        @JsonPropertyDescription("Generation of the spec that this status speaks of.") @Nullable
        Long observedGeneration) {

    /** Copies the lists. */
    public ProtectedVMStatus {
        copies = copies == null ? List.of() : List.copyOf(copies);
        conditions = conditions == null ? List.of() : List.copyOf(conditions);
    }

    /**
     * Wished and effective protection.
     *
     * @param wanted what the spec asks for
     * @param effective what holds now
     * @param reason in CamelCase, why they differ; null where they do not
     * @param message the same in a sentence; null where there is nothing to add
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record LevelStatus(
            @Required @JsonPropertyDescription("What the spec asks for.")
            Level wanted,

            @Required @JsonPropertyDescription("What holds now.")
            EffectiveLevel effective,

            @JsonPropertyDescription("Why the two differ.") @Nullable
            String reason,

            @JsonPropertyDescription("The same in a sentence, with the field that stands against it.") @Nullable
            String message) {}

    /**
     * One side of the pair.
     *
     * @param copy name of its copy
     * @param node where it is; null while that is not known
     * @param pod its pod; null while there is none
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Side(
            @Required @JsonPropertyDescription("Name of the copy.")
            String copy,

            @JsonPropertyDescription("Node of the copy.") @Nullable
            String node,

            @JsonPropertyDescription("Pod of the copy.") @Nullable
            String pod) {}

    /**
     * A promise derived from what is observed.
     *
     * @param outage time without a running guest, the guest's boot not counted; null: until that host is back
     * @param bytesLost acknowledged bytes that would be lost for good with the host's disk; null: not known
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record IfHostDiedNow(
            @KubernetesDuration.Text
            @JsonPropertyDescription(
                    "Time until the guest boots elsewhere. Absent: it would not, until that host is back.")
            @Nullable
            Duration outage,

            @JsonPropertyDescription("Acknowledged bytes that would be missing. Absent: not known.") @Nullable
            Long bytesLost) {}

    /**
     * An unplanned change of the active.
     *
     * @param at when the new active began, RFC 3339
     * @param from node of the old active
     * @param to node of the new active
     * @param cause in CamelCase
     * @param detected time from the last sign of life to the decision
     * @param outage time from the last sign of life to the running guest
     * @param epoch epoch of the new active
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Failover(
            @Required @JsonPropertyDescription("When the new active began.")
            String at,

            @JsonPropertyDescription("Node of the old active.") @Nullable
            String from,

            @JsonPropertyDescription("Node of the new active.") @Nullable
            String to,

            @Required @JsonPropertyDescription("Why.") String cause,

            @KubernetesDuration.Text @JsonPropertyDescription("From the last sign of life to the decision.") @Nullable
            Duration detected,

            @KubernetesDuration.Text
            @JsonPropertyDescription("From the last sign of life to the running guest.")
            @Nullable
            Duration outage,

            @Required @JsonPropertyDescription("Epoch of the new active.")
            Long epoch) {}

    /**
     * What is known of the copies being equal, by comparing all their bytes.
     *
     * @param identicalAsOf no difference that arose before this time is left between the two copies, RFC 3339; null: not known
     * @param between the two copies that {@code identicalAsOf} speaks of
     * @param next when they are to be compared next, RFC 3339; null: only if an operation asks for it
     * @param lastRun the last comparison; null before the first
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Verification(
            @JsonPropertyDescription(
                    "No difference that arose before this time is left between the copies. It does not say that all bytes were equal at one moment.")
            @Nullable
            String identicalAsOf,

            @JsonPropertyDescription("The copies that identicalAsOf speaks of.")
            List<String> between,

            @JsonPropertyDescription("When they are compared next. Absent: only if an operation asks for it.") @Nullable
            String next,

            @JsonPropertyDescription("The last comparison.") @Nullable
            VerificationRun lastRun) {
        /** Copies the list. */
        public Verification {
            between = between == null ? List.of() : List.copyOf(between);
        }
    }

    /**
     * What the checkpoints of a twin cost the guest, from its beginning on.
     *
     * @param asOf when these figures were taken, RFC 3339
     * @param taken checkpoints of this twin
     * @param early of these: before {@code spec.checkpoint.maxInterval} was over, so because packets differed or an overlay was full
     * @param lastPause how long the guest stood still for the last one
     * @param longestPause for the longest
     * @param totalPause for all
     * @param age from the end of the last one to {@code asOf}
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Checkpoints(
            @Required @JsonPropertyDescription("When these figures were taken.")
            String asOf,

            @Required @JsonPropertyDescription("Checkpoints of this twin.")
            Long taken,

            @Required
            @JsonPropertyDescription(
                    "Of these, before the interval was over: packets differed, or an overlay was full.")
            Long early,

            @KubernetesDuration.Text
            @JsonPropertyDescription("How long the guest stood still for the last one.")
            @Nullable
            Duration lastPause,

            @KubernetesDuration.Text @JsonPropertyDescription("For the longest.") @Nullable
            Duration longestPause,

            @KubernetesDuration.Text @JsonPropertyDescription("For all of them.") @Nullable
            Duration totalPause,

            @KubernetesDuration.Text @JsonPropertyDescription("From the end of the last one to asOf.") @Nullable
            Duration age) {}

    /**
     * A copy of the machine's disks.
     *
     * @param name a letter, never used twice for one machine
     * @param node where it lies; null until its claims are bound
     * @param pod its pod; null while there is none
     * @param lostSince since when it has not been seen, RFC 3339; null while it is
     * @param disks one entry per mirrored disk
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record CopyStatus(
            @Required @JsonPropertyDescription("Name of the copy.")
            String name,

            @JsonPropertyDescription("Node on which it lies.") @Nullable
            String node,

            @JsonPropertyDescription("Pod that serves it.") @Nullable
            String pod,

            @JsonPropertyDescription("Since when the copy has been lost.") @Nullable
            String lostSince,

            @JsonPropertyDescription("Its disks.") List<DiskStatus> disks) {
        /** Copies the list. */
        public CopyStatus {
            disks = disks == null ? List.of() : List.copyOf(disks);
        }
    }

    /**
     * One disk of a copy.
     *
     * @param name as in the spec
     * @param state how current it is
     * @param claim name of its PersistentVolumeClaim
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record DiskStatus(
            @Required @JsonPropertyDescription("Name of the disk.")
            String name,

            @Required @JsonPropertyDescription("How current it is.")
            DiskState state,

            @JsonPropertyDescription("Its PersistentVolumeClaim.") @Nullable
            String claim) {}

    /** How current a disk of a copy is. */
    public enum DiskState {
        /** Nobody has said. */
        Unknown,
        /** Nothing on it yet. */
        Blank,
        /** Being filled, or brought up to date. */
        Syncing,
        /** It lacks acknowledged writes. */
        Stale,
        /** It holds every acknowledged write. */
        InSync,
        /** It can not be read or written. */
        Failed
    }
}
