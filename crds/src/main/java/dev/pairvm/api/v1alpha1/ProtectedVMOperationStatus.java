package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.kubernetes.api.model.Condition;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How far it is.
 *
 * @param phase for humans; the condition {@link ConditionType#SUCCEEDED} says the same to machines
 * @param startTime when it began, RFC 3339
 * @param completionTime when it ended, RFC 3339
 * @param message a sentence
 * @param evidence what was seen
 * @param conditions Succeeded
 * @param observedGeneration the generation of the spec that this status speaks of
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record ProtectedVMOperationStatus(
        @JsonPropertyDescription("How far the operation is.") @Nullable
        Phase phase,

        @JsonPropertyDescription("When it began.") @Nullable String startTime,

        @JsonPropertyDescription("When it ended.") @Nullable String completionTime,

        @JsonPropertyDescription("What happened, in a sentence.") @Nullable
        String message,

        @JsonPropertyDescription("What was seen.") @Nullable Evidence evidence,

        @JsonPropertyDescription("Succeeded.") List<Condition> conditions,

        @JsonPropertyDescription("Generation of the spec that this status speaks of.") @Nullable
        Long observedGeneration) {

    /** Copies the list. */
    public ProtectedVMOperationStatus {
        conditions = conditions == null ? List.of() : List.copyOf(conditions);
    }

    /** How far an operation is; {@code Succeeded} and {@code Failed} are final. */
    public enum Phase {
        /** It waits: for the machine to be in sync, or for another operation. */
        Pending,
        Running,
        Succeeded,
        Failed
    }

    /**
     * What was seen of a change of the active, or of a comparison of the copies.
     *
     * @param fromCopy the old active
     * @param toCopy the new active
     * @param fromNode its node
     * @param toNode its node
     * @param fromEpoch epoch when it began
     * @param toEpoch epoch when it ended
     * @param outage how long the guest stood still
     * @param verification the comparison
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Evidence(
            @JsonPropertyDescription("Copy that was active.") @Nullable
            String fromCopy,

            @JsonPropertyDescription("Copy that is active.") @Nullable
            String toCopy,

            @JsonPropertyDescription("Node that was active.") @Nullable
            String fromNode,

            @JsonPropertyDescription("Node that is active.") @Nullable
            String toNode,

            @JsonPropertyDescription("Epoch at the start.") @Nullable
            Long fromEpoch,

            @JsonPropertyDescription("Epoch at the end.") @Nullable
            Long toEpoch,

            @KubernetesDuration.Text @JsonPropertyDescription("How long the guest stood still.") @Nullable
            Duration outage,

            @JsonPropertyDescription("The comparison of both copies.") @Nullable
            VerificationRun verification) {
        /** Of a switchover. */
        public Evidence(
                @Nullable String fromCopy,
                @Nullable String toCopy,
                @Nullable String fromNode,
                @Nullable String toNode,
                @Nullable Long fromEpoch,
                @Nullable Long toEpoch,
                @Nullable Duration outage) {
            this(fromCopy, toCopy, fromNode, toNode, fromEpoch, toEpoch, outage, null);
        }
    }
}
