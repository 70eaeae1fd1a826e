package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.EffectiveLevel;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.IfHostDiedNow;
import dev.pairvm.operator.placement.NodeFact;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The protection that holds now, concluded from what is observed and from nothing else.
 *
 * @param effective the level
 * @param shortfall why the standby does not give more; null where it gives the wished level
 * @param message the same in a sentence, where there is more to say than the reason
 */
record Protection(
        EffectiveLevel effective,
        @Nullable Reason shortfall,
        @Nullable String message) {
    /** From the decision to the first instruction of a guest that is loaded and paused. */
    private static final Duration RESUME = Duration.ofMillis(100);
    /** What a new pod takes on a node that has the images. */
    private static final Duration NEW_POD = Duration.ofSeconds(5);

    private static Protection because(EffectiveLevel effective, Reason shortfall) {
        return new Protection(effective, shortfall, null);
    }

    /** The reason, with the sentence where there is one. */
    String why() {
        return shortfall == null ? "" : message == null ? shortfall.name() : shortfall + ": " + message;
    }

    static Protection of(Observation seen) {
        Protection best = best(seen);
        boolean enough = best.effective.covers(seen.machine().spec().level());
        if (FailedDisks.servedByPeer(seen) || !enough && FailedDisks.copy(seen).isPresent()) {
            // One disk holds everything: a second one that fails is not survived, wherever the guest runs.
            return because(EffectiveLevel.None, Reason.DiskFailed);
        }
        return enough ? new Protection(best.effective, null, null) : best;
    }

    private static Protection best(Observation seen) {
        if (seen.active().isEmpty()) {
            return because(EffectiveLevel.None, Reason.NoActive);
        }
        Optional<CopyId> standby = seen.standby();
        if (standby.isEmpty()) {
            return because(EffectiveLevel.None, Reason.NoStandby);
        }
        CopyId copy = standby.get();
        if (!seen.inSync(copy)) {
            return because(EffectiveLevel.None, Reason.NotInSync);
        }
        if (seen.nodeFactOf(copy).filter(NodeFact::ready).isEmpty()) {
            return because(EffectiveLevel.None, Reason.StandbyNodeOut);
        }
        Optional<MirrorReport> report = seen.report(copy);
        if (report.isEmpty()) {
            return because(EffectiveLevel.None, Reason.StandbySilent);
        }
        if (report.get().role() != MirrorReport.Role.STANDBY) {
            return because(EffectiveLevel.None, Reason.StandbyNotReady);
        }
        if (TwinSupport.state(seen) == MirrorReport.TwinState.RUNNING) {
            return new Protection(EffectiveLevel.FaultTolerance, null, null);
        }
        if (!boots(report.get())) {
            return because(EffectiveLevel.HighAvailability, Reason.StandbyNotReady);
        }
        return switch (seen.machine().spec().level()) {
            case HighAvailability -> because(EffectiveLevel.HighAvailability, Reason.StandbyNotReady);
            case ContinuousAvailability -> new Protection(EffectiveLevel.ContinuousAvailability, null, null);
            case FaultTolerance -> withoutTwin(seen);
        };
    }

    /** Whether a standby has a QEMU that can boot the guest at once, be it one that waits to become a twin. */
    private static boolean boots(MirrorReport standby) {
        return standby.runner()
                && (standby.guest() == MirrorReport.Guest.READY
                        || standby.twin()
                                .filter(twin -> twin.state() == MirrorReport.TwinState.STANDING_BY)
                                .isPresent());
    }

    private static Protection withoutTwin(Observation seen) {
        Optional<Plan.Doing> known =
                new TwinSupport(seen).obstacle().or(() -> TwinWish.of(seen).held());
        if (known.isPresent()) {
            return new Protection(
                    EffectiveLevel.ContinuousAvailability,
                    known.get().reason(),
                    known.get().message());
        }
        Optional<MirrorReport.Twin> twin = seen.servingActive().flatMap(MirrorReport::twin);
        if (twin.isEmpty()) {
            return because(EffectiveLevel.ContinuousAvailability, Reason.ActiveSilent);
        }
        if (!twin.get().wished() && !seen.refused(MirrorOrder.SetTwin.class).isEmpty()) {
            return new Protection(
                    EffectiveLevel.ContinuousAvailability,
                    Reason.TwinNotRunning,
                    "the guest is to have a twin" + seen.refused(MirrorOrder.SetTwin.class));
        }
        String why = twin.get().why();
        return new Protection(
                EffectiveLevel.ContinuousAvailability,
                switch (twin.get().state()) {
                    case STARTING -> Reason.TwinStarting;
                    case ENDING -> Reason.TwinEnding;
                    case NONE, RUNNING, STANDING_BY, COMMITTING -> Reason.TwinNotRunning;
                },
                why.isEmpty() ? null : why);
    }

    /** What the death of the active's host would cost now; null while nothing runs. */
    static @Nullable IfHostDiedNow ifHostDiedNow(Observation seen, Protection protection) {
        if (seen.active().isEmpty()) {
            return null;
        }
        Duration grace = seen.machine().spec().recovery().grace();
        if (FailedDisks.servedByPeer(seen)) {
            // All its data are on the other host, which can start it.
            boolean paused = seen.standby()
                    .flatMap(seen::report)
                    .filter(MirrorReport::runner)
                    .isPresent();
            return new IfHostDiedNow(grace.plus(paused ? RESUME : NEW_POD), 0L);
        }
        return switch (protection.effective) {
            case FaultTolerance, ContinuousAvailability -> new IfHostDiedNow(grace.plus(RESUME), 0L);
            case HighAvailability -> new IfHostDiedNow(grace.plus(NEW_POD), 0L);
            case None -> atRisk(bytesAtRisk(seen));
        };
    }

    /** Nothing known is no object: an empty one would be applied as null, which the schema refuses. */
    private static @Nullable IfHostDiedNow atRisk(@Nullable Long bytes) {
        return bytes == null ? null : new IfHostDiedNow(null, bytes);
    }

    /**
     * What the standby lacks, rounded up to a power of two so that the figure moves seldom; null where that is not known. Nothing if it is
     * in sync.
     */
    private static @Nullable Long bytesAtRisk(Observation seen) {
        Optional<CopyId> standby = seen.standby();
        if (standby.filter(seen::inSync).isPresent()) {
            return 0L;
        }
        Optional<MirrorReport> active = seen.servingActive();
        if (active.isEmpty() || standby.isEmpty()) {
            return null;
        }
        long bytes = active.get().disks().stream()
                .mapToLong(MirrorReport.Disk::bytesToResync)
                .sum();
        return bytes <= 1 ? bytes : Long.highestOneBit(bytes - 1) << 1;
    }
}
