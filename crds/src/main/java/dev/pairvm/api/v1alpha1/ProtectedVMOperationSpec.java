package dev.pairvm.api.v1alpha1;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import com.fasterxml.jackson.databind.annotation.JsonSerialize;
import io.fabric8.crd.generator.annotation.SchemaFrom;
import io.fabric8.generator.annotation.Required;
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
public record ProtectedVMOperationSpec(
        @Required @JsonPropertyDescription("Name of the ProtectedVM, in the same namespace.")
        String protectedVMName,

        @Required @JsonPropertyDescription("What to do.") OperationType type,

        @SchemaFrom(type = String.class)
        @JsonSerialize(using = KubernetesDuration.Serializer.class)
        @JsonDeserialize(using = KubernetesDuration.Deserializer.class)
        @JsonPropertyDescription("When the finished operation is deleted. Empty: never.")
        @Nullable
        Duration ttlAfterFinished) {

    /** What can be done. */
    public enum OperationType {
        /** The guest moves to the standby's host, losing nothing. */
        Switchover
    }
}
