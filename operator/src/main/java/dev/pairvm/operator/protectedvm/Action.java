package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorOrder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;

/** One thing to do. A plan's actions are done in order; see {@link Applier} for what happens when one fails. */
public sealed interface Action {
    /** Create the arbiter Lease, once, and remember its uid, before anything can rely on either. */
    record Provision(Lease lease, Memory memory) implements Action {}

    /** Write the memory; durable before what follows. */
    record Remember(Memory memory, String why) implements Action {}

    /** Make the object as it should be, by server-side apply. */
    record Apply(HasMetadata desired) implements Action {}

    /** Issue the copy's certificate. */
    record IssueCertificate(CopyId copy) implements Action {}

    /** Note on the pod that it is about to be replaced: the intent, before the act. */
    record MarkReplacing(PodFact pod) implements Action {}

    /**
     * Delete a pod.
     *
     * @param graceSeconds 0 does not wait for its kubelet
     */
    record DeletePod(PodFact pod, long graceSeconds, String why) implements Action {}

    /** Delete what a copy had, claims included. Done only if a fresh look still says that nobody needs it. */
    record DiscardCopy(CopyId copy) implements Action {}

    /** Send an order to the mirror of a copy. */
    record SendOrder(CopyId to, MirrorOrder order) implements Action {}

    /** Delete the arbiter Lease: the end of the machine. */
    record DeleteLease() implements Action {}
}
