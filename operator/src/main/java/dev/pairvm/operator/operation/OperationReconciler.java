package dev.pairvm.operator.operation;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.v1alpha1.ConditionType;
import dev.pairvm.api.v1alpha1.ProtectedVMOperation;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationSpec.OperationType;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Evidence;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Phase;
import dev.pairvm.operator.protectedvm.EventRecorder;
import dev.pairvm.operator.protectedvm.MachineReader;
import dev.pairvm.operator.runtime.pod.MirrorAddress;
import dev.pairvm.operator.runtime.pod.MirrorClient;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConditionBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The loop of an operation: look, decide by {@link OperationStep}, record, act. Finished ones are left alone, or deleted when their time is up. */
@ControllerConfiguration(name = "protectedvmoperation", fieldManager = "pairvm-operator")
public final class OperationReconciler implements Reconciler<ProtectedVMOperation> {
    private static final Logger LOG = LoggerFactory.getLogger(OperationReconciler.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    /** While something is going on; operations are few and short. */
    private static final Duration SOON = Duration.ofMillis(500);

    private static final ProtectedVMOperationStatus NEW =
            new ProtectedVMOperationStatus(null, null, null, null, null, List.of(), null);
    private static final PatchContext APPLY = new PatchContext.Builder()
            .withPatchType(PatchType.SERVER_SIDE_APPLY)
            .withFieldManager("pairvm-operator")
            .withForce(true)
            .build();

    private final KubernetesClient client;
    private final MachineReader machines;
    private final MirrorClient mirrors;
    private final EventRecorder events;
    private final InstantSource clock;

    /** Wires the parts; no thread is started. */
    public OperationReconciler(
            KubernetesClient client,
            MachineReader machines,
            MirrorClient mirrors,
            EventRecorder events,
            InstantSource clock) {
        this.client = client;
        this.machines = machines;
        this.mirrors = mirrors;
        this.events = events;
        this.clock = clock;
    }

    @Override
    public UpdateControl<ProtectedVMOperation> reconcile(
            ProtectedVMOperation cached, Context<ProtectedVMOperation> context) {
        // Fresh: what was recorded decides whether an order may be given.
        ProtectedVMOperation operation = client.resource(cached).get();
        if (operation == null) {
            return UpdateControl.noUpdate();
        }
        ProtectedVMOperationStatus status = Objects.requireNonNullElse(operation.getStatus(), NEW);
        if (status.phase() == Phase.Succeeded || status.phase() == Phase.Failed) {
            return expire(operation, status);
        }
        Instant now = clock.instant();
        String startTime = status.startTime();
        String started = startTime == null ? now.truncatedTo(ChronoUnit.SECONDS).toString() : startTime;
        Optional<MachineReader.Snapshot> machine = machines.read(
                operation.getMetadata().getNamespace(), operation.getSpec().protectedVMName());
        OperationStep.Step step = OperationStep.next(known(operation, status, machine, started, now));
        switch (step) {
            case OperationStep.Step.Wait wait -> {
                Phase phase = status.phase() == Phase.Running ? Phase.Running : Phase.Pending;
                write(operation, status, phase, started, null, wait.message(), status.evidence());
            }
            case OperationStep.Step.Watch watch ->
                write(operation, status, Phase.Running, started, null, watch.message(), watch.evidence());
            case OperationStep.Step.Begin begin -> {
                // Durable before the act: from here on only this order, at this epoch, may be given.
                write(
                        operation,
                        status,
                        Phase.Running,
                        started,
                        null,
                        "ordered copy " + begin.active()
                                + switch (operation.getSpec().type()) {
                                    case Switchover -> " to hand over to copy ";
                                    case Verify -> " to compare itself with copy ";
                                }
                                + begin.to(),
                        begin.evidence());
                order(operation, machine, begin.epoch(), begin.active(), begin.to());
            }
            case OperationStep.Step.Order order ->
                order(operation, machine, order.epoch(), order.active(), order.to())
                        .ifPresent(why -> write(
                                operation,
                                status,
                                Phase.Running,
                                started,
                                null,
                                "copy " + order.active() + " refuses, and is asked again: " + why,
                                status.evidence()));
            case OperationStep.Step.Finish finish -> {
                write(
                        operation,
                        status,
                        finish.phase(),
                        started,
                        now.truncatedTo(ChronoUnit.SECONDS).toString(),
                        finish.message(),
                        finish.evidence());
                events.record(
                        operation,
                        finish.phase() == Phase.Failed,
                        finish.phase() == Phase.Failed ? "OperationFailed" : "OperationSucceeded",
                        finish.message());
            }
        }
        return UpdateControl.<ProtectedVMOperation>noUpdate().rescheduleAfter(SOON);
    }

    private OperationStep.Known known(
            ProtectedVMOperation operation,
            ProtectedVMOperationStatus status,
            Optional<MachineReader.Snapshot> machine,
            String started,
            Instant now) {
        String name = operation.getSpec().protectedVMName();
        Optional<String> problem = machine.isEmpty()
                ? Optional.of("there is no ProtectedVM " + name + " in this namespace")
                : machine.filter(MachineReader.Snapshot::deleting)
                        .map(m -> "ProtectedVM " + name + " is being deleted");
        return new OperationStep.Known(
                now,
                instant(started, now),
                status,
                problem,
                machine.flatMap(MachineReader.Snapshot::arbiter),
                machine.map(m -> m.addresses().keySet().stream().sorted().toList())
                        .orElse(List.of()),
                machine.map(MachineReader.Snapshot::reports).orElse(Map.of()),
                machine.map(MachineReader.Snapshot::nodes).orElse(Map.of()),
                firstInLine(operation),
                machine.map(m -> m.machine().spec().running()).orElse(false),
                operation.getSpec().type(),
                operation.getMetadata().getUid());
    }

    private boolean firstInLine(ProtectedVMOperation operation) {
        return client
                .resources(ProtectedVMOperation.class)
                .inNamespace(operation.getMetadata().getNamespace())
                .list()
                .getItems()
                .stream()
                .filter(other -> other.getSpec()
                        .protectedVMName()
                        .equals(operation.getSpec().protectedVMName()))
                // A comparison may take hours, and gives way to whatever moves the guest.
                .filter(other -> other.getSpec().type() != OperationType.Verify
                        || operation.getSpec().type() == OperationType.Verify)
                .filter(other -> other.getStatus() == null
                        || (other.getStatus().phase() != Phase.Succeeded
                                && other.getStatus().phase() != Phase.Failed))
                .noneMatch(other -> before(other, operation));
    }

    private static boolean before(ProtectedVMOperation one, ProtectedVMOperation other) {
        int byTime = one.getMetadata()
                .getCreationTimestamp()
                .compareTo(other.getMetadata().getCreationTimestamp());
        return byTime != 0
                ? byTime < 0
                : one.getMetadata().getUid().compareTo(other.getMetadata().getUid()) < 0;
    }

    /** Gives the order; why it was refused, if it was. */
    private Optional<String> order(
            ProtectedVMOperation operation,
            Optional<MachineReader.Snapshot> machine,
            long epoch,
            CopyId active,
            CopyId to) {
        MirrorAddress address = machine.map(m -> m.addresses().get(active)).orElse(null);
        if (address == null) {
            return Optional.empty();
        }
        MirrorOrder order = switch (operation.getSpec().type()) {
            case Switchover -> new MirrorOrder.Switchover(new Epoch(epoch), to);
            case Verify ->
                new MirrorOrder.Verify(new Epoch(epoch), operation.getMetadata().getUid());
        };
        MirrorClient.OrderAnswer answer = mirrors.order(address, order);
        LOG.info(
                "{}: order {} to copy {}: {} {}", address.machine(), order, active, answer.outcome(), answer.message());
        return Optional.of(answer.message()).filter(why -> answer.outcome() == MirrorClient.OrderOutcome.REFUSED);
    }

    private UpdateControl<ProtectedVMOperation> expire(
            ProtectedVMOperation operation, ProtectedVMOperationStatus status) {
        Duration ttl = operation.getSpec().ttlAfterFinished();
        String completed = status.completionTime();
        if (ttl == null || completed == null) {
            return UpdateControl.noUpdate();
        }
        Duration left = Duration.between(
                clock.instant(), instant(completed, clock.instant()).plus(ttl));
        if (left.isPositive()) {
            return UpdateControl.<ProtectedVMOperation>noUpdate().rescheduleAfter(left.plusMillis(100));
        }
        client.resource(operation).delete();
        return UpdateControl.noUpdate();
    }

    private void write(
            ProtectedVMOperation operation,
            ProtectedVMOperationStatus before,
            Phase phase,
            String started,
            @Nullable String completed,
            String message,
            @Nullable Evidence evidence) {
        ProtectedVMOperationStatus status = new ProtectedVMOperationStatus(
                phase,
                started,
                completed,
                message,
                evidence,
                List.of(succeeded(operation, before, phase, message)),
                operation.getMetadata().getGeneration());
        if (JSON.<JsonNode>valueToTree(status).equals(JSON.<JsonNode>valueToTree(before))) {
            return;
        }
        ProtectedVMOperation patch = new ProtectedVMOperation();
        patch.setSpec(null);
        patch.getMetadata().setName(operation.getMetadata().getName());
        patch.getMetadata().setNamespace(operation.getMetadata().getNamespace());
        // The resourceVersion makes it a compare-and-swap: two operators can not both begin.
        patch.getMetadata().setResourceVersion(operation.getMetadata().getResourceVersion());
        patch.setStatus(status);
        client.resource(patch).subresource("status").patch(APPLY);
    }

    private Condition succeeded(
            ProtectedVMOperation operation, ProtectedVMOperationStatus before, Phase phase, String message) {
        String answer = switch (phase) {
            case Succeeded -> "True";
            case Failed -> "False";
            case Pending, Running -> "Unknown";
        };
        String at = before.conditions().stream()
                .filter(condition -> condition.getType().equals(ConditionType.SUCCEEDED))
                .filter(condition -> condition.getStatus().equals(answer))
                .map(Condition::getLastTransitionTime)
                .findFirst()
                .orElse(clock.instant().truncatedTo(ChronoUnit.SECONDS).toString());
        return new ConditionBuilder()
                .withType(ConditionType.SUCCEEDED)
                .withStatus(answer)
                .withReason(phase.name())
                .withMessage(message)
                .withObservedGeneration(operation.getMetadata().getGeneration())
                .withLastTransitionTime(at)
                .build();
    }

    private static Instant instant(String text, Instant otherwise) {
        try {
            return Instant.parse(text);
        } catch (DateTimeException e) {
            return otherwise;
        }
    }
}
