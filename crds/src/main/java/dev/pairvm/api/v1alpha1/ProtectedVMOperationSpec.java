package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What is to be done; nothing here can change.
 *
 * @param protectedVMName the machine, in the same namespace
 * @param type what to do
 * @param ttlAfterFinished when a finished operation deletes itself; null keeps it
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
        value = "self == oldSelf",
        message = "an operation acts once and can not change; make a new one",
        reason = "FieldValueForbidden")
@ValidationRule(
        value = "!has(self.ttlAfterFinished) || duration(self.ttlAfterFinished) <= duration('8760h')",
        message = "ttlAfterFinished must be at most 8760h",
        fieldPath = ".ttlAfterFinished",
        reason = "FieldValueInvalid")
public record ProtectedVMOperationSpec(
        @Required
        @JsonPropertyDescription("Name of the ProtectedVM, in the same namespace.")
        @Pattern(Shapes.DNS_LABEL)
        @Size(min = 1, max = 50)
        String protectedVMName,

        @Required @JsonPropertyDescription("What to do.") OperationType type,

        @KubernetesDuration.Text
        @JsonPropertyDescription("When the finished operation is deleted. Empty: never.")
        @Nullable
        Duration ttlAfterFinished) {

    /** What can be done. */
    public enum OperationType {
        /** The guest moves to the standby's host, losing nothing. */
        Switchover,
        /** Both copies are compared while the guest works, and the standby's bytes repaired where they differ. */
        Verify
    }
}
