package dev.pairvm.operator.placement;

import java.time.Instant;
import java.util.Map;

/**
 * What the API server says of a node.
 *
 * @param name its name
 * @param health what its Ready condition says
 * @param since when the Ready condition last changed
 * @param schedulable whether it takes new pods: neither cordoned nor about to go
 * @param labels its labels
 */
public record NodeFact(String name, Health health, Instant since, boolean schedulable, Map<String, String> labels) {
    /** Copies the labels. */
    public NodeFact {
        labels = Map.copyOf(labels);
    }

    /** What a node's Ready condition says. */
    public enum Health {
        READY,
        /** The kubelet itself says so. */
        NOT_READY,
        /** The kubelet is silent: the node may be dead, or cut off, or its kubelet stopped. */
        UNKNOWN
    }

    /** Whether the node is known to work. */
    public boolean ready() {
        return health == Health.READY;
    }

    /** Whether a copy can be placed here now. */
    public boolean usable() {
        return ready() && schedulable;
    }
}
