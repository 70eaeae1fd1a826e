package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.EffectiveLevel;
import dev.pairvm.api.v1alpha1.Level;
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
 */
record Protection(EffectiveLevel effective, @Nullable Reason shortfall) {
    /** From the decision to the first instruction of a guest that is loaded and paused. */
    private static final Duration RESUME = Duration.ofMillis(100);
    /** What a new pod takes on a node that has the images. */
    private static final Duration NEW_POD = Duration.ofSeconds(5);

    static Protection of(Observation seen) {
        Protection best = best(seen);
        boolean enough =
                best.effective.name().equals(seen.machine().spec().level().name());
        if (FailedDisks.servedByPeer(seen) || !enough && FailedDisks.copy(seen).isPresent()) {
            // One disk holds everything: a second one that fails is not survived, wherever the guest runs.
            return new Protection(EffectiveLevel.None, Reason.DiskFailed);
        }
        return enough ? new Protection(best.effective, null) : best;
    }

    private static Protection best(Observation seen) {
        if (seen.active().isEmpty()) {
            return new Protection(EffectiveLevel.None, Reason.NoActive);
        }
        Optional<CopyId> standby = seen.standby();
        if (standby.isEmpty()) {
            return new Protection(EffectiveLevel.None, Reason.NoStandby);
        }
        CopyId copy = standby.get();
        if (!seen.inSync(copy)) {
            return new Protection(EffectiveLevel.None, Reason.NotInSync);
        }
        if (seen.nodeFactOf(copy).filter(NodeFact::ready).isEmpty()) {
            return new Protection(EffectiveLevel.None, Reason.StandbyNodeOut);
        }
        Optional<MirrorReport> report = seen.report(copy);
        if (report.isEmpty()) {
            return new Protection(EffectiveLevel.None, Reason.StandbySilent);
        }
        if (report.get().role() != MirrorReport.Role.STANDBY) {
            return new Protection(EffectiveLevel.None, Reason.StandbyNotReady);
        }
        boolean paused = report.get().runner() && report.get().guest() == MirrorReport.Guest.READY;
        if (paused && seen.machine().spec().level() == Level.ContinuousAvailability) {
            return new Protection(EffectiveLevel.ContinuousAvailability, null);
        }
        return new Protection(EffectiveLevel.HighAvailability, Reason.StandbyNotReady);
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
            case ContinuousAvailability -> new IfHostDiedNow(grace.plus(RESUME), 0L);
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
