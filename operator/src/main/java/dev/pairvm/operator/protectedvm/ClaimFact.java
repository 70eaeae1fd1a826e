package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import java.util.Optional;

/**
 * A claim of one of this machine's copies.
 *
 * @param copy whose claim
 * @param disk name of the disk
 * @param name its name
 * @param node the node chosen for its volume, where the class waits for a first consumer
 * @param bound whether it has its volume
 * @param volume how large that is, and whether it can become larger
 */
public record ClaimFact(
        CopyId copy, String disk, String name, Optional<String> node, boolean bound, VolumeFact volume) {

    /**
     * What is known of a claim's volume.
     *
     * @param capacityBytes what its status says, 0 while it says nothing
     * @param expandable whether its storage class allows expansion
     * @param storageClassName its class, empty if it has none
     * @param refusal why the API server last refused to let the claim ask for more, if it did
     */
    public record VolumeFact(
            long capacityBytes, boolean expandable, String storageClassName, Optional<String> refusal) {}
}
