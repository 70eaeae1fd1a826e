package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.operator.desired.Labels;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodStatus;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** Reads what matters of a copy's Pod. */
final class PodFacts {
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
                "runner".equals(annotations.get(Labels.SHAPE)),
                NodeFacts.instant(annotations.get(Labels.REPLACING_SINCE)),
                NodeFacts.instant(pod.getMetadata().getDeletionTimestamp()));
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
