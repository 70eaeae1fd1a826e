package dev.pairvm.operator.placement;

import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Which nodes could take one more copy. The scheduler has the last word; this only tells whether asking it makes sense. */
public final class SpareNodes {
    private SpareNodes() {}

    /**
     * Usable nodes that match the selector and whose topology value no node in {@code taken} has.
     *
     * @param nodes all nodes known
     * @param selector the template's node selector
     * @param topologyKey label whose values keep copies apart
     * @param taken names of the nodes that hold copies
     */
    public static List<NodeFact> find(
            Map<String, NodeFact> nodes, Map<String, String> selector, String topologyKey, Collection<String> taken) {
        Set<String> places = new HashSet<>();
        for (String name : taken) {
            NodeFact node = nodes.get(name);
            if (node != null) {
                places.add(place(node, topologyKey));
            }
        }
        return nodes.values().stream()
                .filter(NodeFact::usable)
                .filter(node -> !taken.contains(node.name()))
                .filter(node -> node.labels().entrySet().containsAll(selector.entrySet()))
                .filter(node -> !places.contains(place(node, topologyKey)))
                .sorted(Comparator.comparing(NodeFact::name))
                .toList();
    }

    /** How many different places there are for copies, with their nodes usable. */
    public static long places(Map<String, NodeFact> nodes, Map<String, String> selector, String topologyKey) {
        return nodes.values().stream()
                .filter(NodeFact::usable)
                .filter(node -> node.labels().entrySet().containsAll(selector.entrySet()))
                .map(node -> place(node, topologyKey))
                .distinct()
                .count();
    }

    private static String place(NodeFact node, String topologyKey) {
        return Objects.requireNonNullElse(node.labels().get(topologyKey), node.name());
    }
}
