package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.ValidationRule;
import java.time.Duration;

/**
 * How the checkpoints of {@link Level#FaultTolerance} go. The guest stands still for each, and is heard outside only up to what the twin
 * has said too, or the last checkpoint covers.
 *
 * @param maxInterval most time from one checkpoint to the next; 10ms to 60s
 * @param maxPause what the guest's pauses may come to, on the average of some seconds, before the level is given up for a time; 1ms to 10s
 * @param compareTimeout how long a packet of the guest waits for the twin's before it counts as different; 10ms to 60s
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
        value = "duration(self.maxInterval) >= duration('10ms') && duration(self.maxInterval) <= duration('60s')",
        message = "maxInterval must be between 10ms and 60s",
        fieldPath = ".maxInterval",
        reason = "FieldValueInvalid")
@ValidationRule(
        value = "duration(self.maxPause) >= duration('1ms') && duration(self.maxPause) <= duration('10s')",
        message = "maxPause must be between 1ms and 10s",
        fieldPath = ".maxPause",
        reason = "FieldValueInvalid")
@ValidationRule(
        value = "duration(self.compareTimeout) >= duration('10ms') && duration(self.compareTimeout) <= duration('60s')",
        message = "compareTimeout must be between 10ms and 60s",
        fieldPath = ".compareTimeout",
        reason = "FieldValueInvalid")
public record Checkpoint(
        @KubernetesDuration.Text
        @Default("500ms")
        @JsonPropertyDescription(
                "Most time from one checkpoint to the next; earlier where the twin's packets differ from the guest's.")
        Duration maxInterval,

        @KubernetesDuration.Text
        @Default("200ms")
        @JsonPropertyDescription(
                "What the guest's pauses for checkpoints may come to, on the average of some seconds; above it the level is given up for a time.")
        Duration maxPause,

        @KubernetesDuration.Text
        @Default("500ms")
        @JsonPropertyDescription("How long a packet of the guest waits for the twin's before it counts as different.")
        Duration compareTimeout) {

    private static final Duration INTERVAL = Duration.ofMillis(500);
    private static final Duration PAUSE = Duration.ofMillis(200);
    private static final Duration COMPARE = Duration.ofMillis(500);

    /** What the schema gives where nothing is said. */
    public static final Checkpoint DEFAULT = new Checkpoint(INTERVAL, PAUSE, COMPARE);

    /** Fills in what the schema defaults. */
    public Checkpoint {
        maxInterval = maxInterval == null ? INTERVAL : maxInterval;
        maxPause = maxPause == null ? PAUSE : maxPause;
        compareTimeout = compareTimeout == null ? COMPARE : compareTimeout;
    }
}
