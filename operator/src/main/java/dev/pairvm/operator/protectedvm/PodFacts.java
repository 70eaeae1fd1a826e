package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.operator.desired.Labels;
import dev.pairvm.operator.desired.Overlays;
import dev.pairvm.operator.desired.PodShape;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodCondition;
import io.fabric8.kubernetes.api.model.PodStatus;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Reads what matters of a copy's Pod. */
final class PodFacts {
    private static final String INSUFFICIENT_MEMORY = "Insufficient memory";

    private PodFacts() {}

    static PodFact of(CopyId copy, Pod pod) {
        Map<String, String> annotations =
                Objects.requireNonNullElse(pod.getMetadata().getAnnotations(), Map.of());
        PodStatus status = pod.getStatus();
        return new PodFact(
                copy,
                pod.getMetadata().getName(),
                pod.getMetadata().getUid(),
                Optional.ofNullable(pod.getSpec().getNodeName()),
                Optional.ofNullable(status == null ? null : status.getPodIP()),
                phase(status == null ? "" : Objects.requireNonNullElse(status.getPhase(), "")),
                PodShape.Kind.of(Objects.requireNonNullElse(annotations.get(Labels.SHAPE), "")),
                overlays(pod),
                shortOfMemory(status),
                NodeFacts.instant(annotations.get(Labels.NO_ROOM_SINCE)),
                NodeFacts.instant(annotations.get(Labels.REPLACING_SINCE)),
                NodeFacts.instant(pod.getMetadata().getDeletionTimestamp()));
    }

    private static boolean overlays(Pod pod) {
        return pod.getSpec().getContainers().stream()
                .flatMap(container -> container.getVolumeMounts().stream())
                .anyMatch(mount -> Overlays.DIRECTORY.equals(mount.getSubPath()));
    }

    /** The scheduler's own words: its only way to say which resource is short. */
    private static Optional<String> shortOfMemory(@Nullable PodStatus status) {
        List<PodCondition> conditions =
                status == null || status.getConditions() == null ? List.of() : status.getConditions();
        return conditions.stream()
                .filter(condition -> "PodScheduled".equals(condition.getType())
                        && "False".equals(condition.getStatus())
                        && "Unschedulable".equals(condition.getReason()))
                .map(condition -> Objects.requireNonNullElse(condition.getMessage(), ""))
                .filter(message -> message.contains(INSUFFICIENT_MEMORY))
                .findFirst();
    }

    private static PodFact.Phase phase(String phase) {
        return switch (phase) {
            case "Running" -> PodFact.Phase.RUNNING;
            case "Succeeded", "Failed" -> PodFact.Phase.ENDED;
            case "Pending", "" -> PodFact.Phase.PENDING;
            default -> PodFact.Phase.UNKNOWN;
        };
    }
}
