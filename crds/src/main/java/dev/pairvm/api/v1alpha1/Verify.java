package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.ValidationRule;
import java.time.Duration;

/**
 * How often the copies are compared while the guest works.
 *
 * @param interval longest time between the beginnings of two comparisons; zero: never by itself
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
        value =
                "duration(self.interval) == duration('0s') || duration(self.interval) >= duration('1h') && duration(self.interval) <= duration('8760h')",
        message = "interval must be 0s, which is never, or between 1h and 8760h",
        fieldPath = ".interval",
        reason = "FieldValueInvalid")
public record Verify(
        @KubernetesDuration.Text
        @Default("168h")
        @JsonPropertyDescription(
                "How often both copies are compared, and the standby's repaired where they differ. 0s: only by a ProtectedVMOperation.")
        Duration interval) {

    /** A week. */
    private static final Duration WEEK = Duration.ofDays(7);

    /** What the schema gives where nothing is said. */
    public static final Verify DEFAULT = new Verify(WEEK);

    /** Fills in what the schema defaults. */
    public Verify {
        interval = interval == null ? WEEK : interval;
    }
}
