package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.Level;
import dev.pairvm.operator.desired.PodShape;
import java.util.Optional;

/**
 * Whether the guest shall have a twin at this moment. Pure.
 *
 * @param on whether it shall
 * @param held why not, though the level asks for one
 */
record TwinWish(boolean on, Optional<Plan.Doing> held) {

    static TwinWish of(Observation seen) {
        if (seen.machine().spec().level() != Level.FaultTolerance) {
            return new TwinWish(false, Optional.empty());
        }
        Optional<Plan.Doing> held = growing(seen).or(() -> unfit(seen)).or(() -> obstacle(seen));
        return new TwinWish(held.isEmpty(), held);
    }

    /** What a mirror that starts goes by until it is told otherwise: only what lasts. */
    static boolean inConfiguration(Observation seen) {
        return seen.machine().spec().level() == Level.FaultTolerance
                && unfit(seen).isEmpty()
                && new TwinSupport(seen).lasting().isEmpty();
    }

    /** A twin's image and the guest's grow only together, which nobody can do while both run. */
    private static Optional<Plan.Doing> growing(Observation seen) {
        return SwitchoverPlanner.target(seen).isPresent()
                ? Optional.empty()
                : new DiskGrowth(seen)
                        .state()
                        .filter(state -> state.next().isPresent())
                        .map(state -> new Plan.Doing(state.reason(), state.message() + "; without a twin until then"));
    }

    /** A twin in a pod without the memory for it would be killed, with the guest's standby. */
    private static Optional<Plan.Doing> unfit(Observation seen) {
        return seen.standby()
                .flatMap(seen::pod)
                .filter(pod -> pod.kind() != PodShape.Kind.TWIN)
                .map(pod -> pod.noRoomSince().isPresent()
                        ? new TwinSupport(seen).noMemory(pod)
                        : new Plan.Doing(
                                Reason.ChangingLevel,
                                "pod " + pod.name()
                                        + " of the standby has no memory for a twin; it is to be replaced"));
    }

    /** What stands against beginning is no reason to end a twin that may be on its way. */
    private static Optional<Plan.Doing> obstacle(Observation seen) {
        boolean wished = seen.servingActive()
                .flatMap(MirrorReport::twin)
                .filter(MirrorReport.Twin::wished)
                .isPresent();
        TwinSupport support = new TwinSupport(seen);
        if (!wished) {
            return support.obstacle();
        }
        return TwinSupport.state(seen) == MirrorReport.TwinState.RUNNING ? Optional.empty() : support.lasting();
    }
}
