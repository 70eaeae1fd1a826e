package dev.pairvm.operator.protectedvm;

import dev.pairvm.operator.placement.NodeFact;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.NodeCondition;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Reads what matters of a Node. */
final class NodeFacts {
    private NodeFacts() {}

    static NodeFact of(Node node) {
        List<NodeCondition> conditions =
                node.getStatus() == null || node.getStatus().getConditions() == null
                        ? List.of()
                        : node.getStatus().getConditions();
        Optional<NodeCondition> ready = conditions.stream()
                .filter(condition -> "Ready".equals(condition.getType()))
                .findFirst();
        NodeFact.Health health = ready.map(NodeCondition::getStatus)
                .map(status -> switch (status) {
                    case "True" -> NodeFact.Health.READY;
                    case "False" -> NodeFact.Health.NOT_READY;
                    default -> NodeFact.Health.UNKNOWN;
                })
                .orElse(NodeFact.Health.UNKNOWN);
        boolean cordoned =
                node.getSpec() != null && Boolean.TRUE.equals(node.getSpec().getUnschedulable());
        boolean going = node.getMetadata().getDeletionTimestamp() != null;
        Map<String, String> labels = node.getMetadata().getLabels();
        return new NodeFact(
                node.getMetadata().getName(),
                health,
                ready.flatMap(condition -> instant(condition.getLastTransitionTime()))
                        .orElse(Instant.EPOCH),
                !cordoned && !going,
                Objects.requireNonNullElse(labels, Map.of()));
    }

    static Optional<Instant> instant(@Nullable String time) {
        try {
            return time == null ? Optional.empty() : Optional.of(Instant.parse(time));
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }
}
