package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.operator.desired.PodShape;
import java.time.Instant;
import java.util.Optional;

/**
 * A copy's pod as the API server has it.
 *
 * @param copy whose pod
 * @param name its name
 * @param uid its uid; deletions name it, so that a successor of the same name is safe
 * @param node where it is bound; empty while it is not
 * @param address its IP; empty while it has none
 * @param phase its phase
 * @param kind what it can do
 * @param overlays whether its containers see the directory for a twin's overlays; pods of earlier releases do not
 * @param shortOfMemory what the scheduler says, if no node has the memory that it asks for
 * @param noRoomSince since when there has been no room for the larger pod that this one stands in for
 * @param replacingSince since when the operator has been about to replace it
 * @param deletingSince since when it has been terminating
 */
public record PodFact(
        CopyId copy,
        String name,
        String uid,
        Optional<String> node,
        Optional<String> address,
        Phase phase,
        PodShape.Kind kind,
        boolean overlays,
        Optional<String> shortOfMemory,
        Optional<Instant> noRoomSince,
        Optional<Instant> replacingSince,
        Optional<Instant> deletingSince) {

    /** Phases of a pod. */
    public enum Phase {
        PENDING,
        RUNNING,
        /** Ended, for good: evicted by its kubelet, or left behind by a node's shutdown. */
        ENDED,
        UNKNOWN
    }

    /** Whether it can run the guest. */
    public boolean runner() {
        return kind.runner();
    }

    /** Whether somebody has deleted it and it is still there. */
    public boolean deleting() {
        return deletingSince.isPresent();
    }
}
