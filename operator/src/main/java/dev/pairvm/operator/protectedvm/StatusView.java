package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.CopyStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.DiskState;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.DiskStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.Failover;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.LevelStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.Side;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.Verification;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The status that an observation and the plan made from it amount to. Pure. Holds no figure that moves by itself. */
final class StatusView {
    /** The kind of {@link MirrorReport.Transition} that nobody asked for. */
    private static final String PROMOTED = "PROMOTED";
    /** The same by a twin (level 3). */
    private static final String TAKEN_OVER = "TAKEN_OVER";
    /** Why it happened, as far as the survivor can tell: the other side fell silent. */
    private static final String CAUSE = "ActiveLost";

    private final Observation seen;
    private final Plan plan;

    StatusView(Observation seen, Plan plan) {
        this.seen = seen;
        this.plan = plan;
    }

    ProtectedVMStatus status() {
        Protection protection = Protection.of(seen);
        Optional<CopyId> active = seen.active();
        Verification verification = VerificationView.of(seen);
        return new ProtectedVMStatus(
                new LevelStatus(
                        seen.machine().spec().level(),
                        protection.effective(),
                        protection.shortfall() == null
                                ? null
                                : protection.shortfall().name(),
                        protection.message()),
                active.map(this::side).orElse(null),
                seen.standby().map(this::side).orElse(null),
                seen.arbiterRecord().map(arbiter -> arbiter.epoch().value()).orElse(null),
                Protection.ifHostDiedNow(seen, protection),
                lastFailover(),
                verification,
                CheckpointView.of(seen, protection),
                memoryCopies(),
                new ConditionView(seen, plan, protection, verification).conditions(),
                seen.machine().generation());
    }

    private Side side(CopyId copy) {
        return new Side(
                copy.value(),
                seen.nodeOf(copy).orElse(null),
                seen.pod(copy).map(PodFact::name).orElse(null));
    }

    private List<CopyStatus> memoryCopies() {
        return seen.memory().lease().isEmpty()
                ? List.of()
                : seen.memory().copies().stream().map(this::copyStatus).toList();
    }

    private CopyStatus copyStatus(CopyId copy) {
        return new CopyStatus(
                copy.value(),
                seen.nodeOf(copy).orElse(null),
                seen.pod(copy).map(PodFact::name).orElse(null),
                LostCopies.since(seen, copy)
                        .map(since -> since.truncatedTo(ChronoUnit.SECONDS).toString())
                        .orElse(null),
                seen.machine().spec().disks().stream()
                        .map(disk -> diskStatus(copy, disk))
                        .toList());
    }

    private DiskStatus diskStatus(CopyId copy, MirroredDisk disk) {
        return new DiskStatus(disk.name(), diskState(copy), seen.machine().claimName(copy, disk.name()));
    }

    /** The arbiter's word counts for "in sync"; for the rest the copy's own mirror's. */
    private DiskState diskState(CopyId copy) {
        Optional<MirrorReport> report = seen.report(copy);
        if (report.filter(said -> said.copyState() == MirrorReport.CopyState.FAILED)
                .isPresent()) {
            return DiskState.Failed;
        }
        if (seen.inSync(copy)) {
            return DiskState.InSync;
        }
        return report.map(said -> switch (said.copyState()) {
                    case BLANK -> DiskState.Blank;
                    case SYNCING -> DiskState.Syncing;
                    case STALE -> DiskState.Stale;
                    case IN_SYNC -> DiskState.Syncing;
                    case FAILED -> DiskState.Failed;
                })
                .orElse(DiskState.Unknown);
    }

    /** From the new active's own account; an older account, or one of a planned change, leaves what was known. */
    private @Nullable Failover lastFailover() {
        Failover known = seen.before().lastFailover();
        Optional<MirrorReport> active = seen.servingActive();
        Optional<MirrorReport.Transition> transition = active.flatMap(MirrorReport::lastTransition);
        if (active.isEmpty() || transition.isEmpty()) {
            return known;
        }
        MirrorReport.Transition told = transition.get();
        Optional<CopyId> from = told.from();
        // A twin also takes over by order; only one that noticed a loss tells when.
        boolean failover = told.kind().equals(PROMOTED) || told.kind().equals(TAKEN_OVER) && told.detectedMillis() >= 0;
        if (!failover || from.isEmpty() || from.get().equals(active.get().copy())) {
            return known;
        }
        if (known != null && known.epoch() > told.epoch().value()) {
            return known;
        }
        // The same failover again is only news when its outage has become known: the guest ran after the first account
        // of it.
        if (known != null
                && known.epoch() == told.epoch().value()
                && (known.outage() != null || told.guestRunningMillis() < 0)) {
            return known;
        }
        return new Failover(
                timestamp(told.at()),
                seen.nodeOf(from.get()).orElse(null),
                seen.nodeOf(active.get().copy()).orElse(null),
                CAUSE,
                millis(told.detectedMillis()),
                millis(told.guestRunningMillis()),
                told.epoch().value());
    }

    private String timestamp(String at) {
        try {
            return Instant.parse(at).toString();
        } catch (DateTimeException e) {
            return seen.now().truncatedTo(ChronoUnit.SECONDS).toString();
        }
    }

    private static @Nullable Duration millis(long millis) {
        return millis < 0 ? null : Duration.ofMillis(millis);
    }
}
