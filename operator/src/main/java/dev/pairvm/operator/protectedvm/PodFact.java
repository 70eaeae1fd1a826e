package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
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
 * @param runner whether it can run the guest
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
        boolean runner,
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

    /** Whether somebody has deleted it and it is still there. */
    public boolean deleting() {
        return deletingSince.isPresent();
    }
}
