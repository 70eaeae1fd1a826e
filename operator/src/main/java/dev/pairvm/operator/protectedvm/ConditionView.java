package dev.pairvm.operator.protectedvm;

import static dev.pairvm.operator.protectedvm.Conditions.Answer.False;
import static dev.pairvm.operator.protectedvm.Conditions.Answer.True;
import static dev.pairvm.operator.protectedvm.Conditions.Answer.Unknown;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ConditionType;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.Verification;
import dev.pairvm.api.v1alpha1.VerificationRun;
import dev.pairvm.operator.placement.SpareNodes;
import dev.pairvm.operator.runtime.pod.MirrorFact;
import io.fabric8.kubernetes.api.model.Condition;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** The conditions, each from its own question. Pure. */
final class ConditionView {
    private static final Set<Reason> SPEC_REASONS = EnumSet.of(
            Reason.UnsupportedField, Reason.ClaimBelongsToAnother, Reason.StorageClassMissing, Reason.SourceMissing);

    private final Observation seen;
    private final Plan plan;
    private final Protection protection;
    private final Verification verification;
    private final Conditions conditions;

    ConditionView(Observation seen, Plan plan, Protection protection, Verification verification) {
        this.seen = seen;
        this.plan = plan;
        this.protection = protection;
        this.verification = verification;
        this.conditions =
                new Conditions(seen.before().conditions(), seen.machine().generation(), seen.now());
    }

    List<Condition> conditions() {
        ready();
        specValid();
        levelSupported();
        paired();
        inSync();
        arbiterReachable();
        redundant();
        verified();
        diskGrowth();
        reconciling();
        plan.stuck().ifPresent(stuck -> conditions.put(ConditionType.STALLED, True, stuck.reason(), stuck.message()));
        return conditions.list();
    }

    private void ready() {
        if (plan.stuck().isPresent() && seen.active().isEmpty()) {
            put(
                    ConditionType.READY,
                    False,
                    plan.stuck().get().reason(),
                    plan.stuck().get().message());
            return;
        }
        Optional<MirrorReport> report = seen.active().flatMap(seen::report);
        boolean wished = seen.machine().spec().running();
        if (report.isEmpty()) {
            boolean starting = seen.arbiterRecord()
                    .filter(arbiter -> arbiter.epoch().value() <= 1)
                    .isPresent();
            if (seen.active().isEmpty() || starting) {
                put(ConditionType.READY, False, Reason.Provisioning, "the machine has not started yet");
            } else {
                put(
                        ConditionType.READY,
                        Unknown,
                        Reason.ActiveSilent,
                        "the mirror of the active copy " + seen.active().get() + " does not answer: " + why());
            }
            return;
        }
        switch (report.get().role()) {
            case SUSPENDED ->
                put(
                        ConditionType.READY,
                        False,
                        Reason.Suspended,
                        "the guest's I/O is held until the peer or the arbiter is reachable again"
                                + problem(report.get()));
            case IDLE, STANDBY, RECOVERING ->
                put(
                        ConditionType.READY,
                        False,
                        wished ? startingOrProvisioning() : Reason.Stopped,
                        "copy " + report.get().copy() + " is about to become the active" + problem(report.get()));
            case ACTIVE -> active(report.get(), wished);
        }
    }

    private Reason startingOrProvisioning() {
        return PowerPlanner.offByWish(seen) ? Reason.Starting : Reason.Provisioning;
    }

    private void active(MirrorReport report, boolean wished) {
        switch (report.guest()) {
            case RUNNING -> {
                if (!wished) {
                    put(ConditionType.READY, False, Reason.Stopping, "the guest is asked to switch itself off");
                } else if (protection.shortfall() != null) {
                    put(
                            ConditionType.READY,
                            True,
                            Reason.LevelNotReached,
                            "the guest runs, at level " + protection.effective() + " instead of "
                                    + seen.machine().spec().level() + ": " + protection.why());
                } else {
                    put(ConditionType.READY, True, Reason.Running, "the guest runs at the wished level");
                }
            }
            case CRASHED ->
                put(
                        ConditionType.READY,
                        False,
                        Reason.GuestCrashed,
                        "the guest's kernel panicked; set spec.running to false and to true again to boot it");
            case POWERED_OFF, ABSENT, READY -> {
                if (!wished) {
                    put(ConditionType.READY, False, Reason.Stopped, "the guest is switched off, as wished");
                } else if (PowerPlanner.offByWish(seen)) {
                    put(ConditionType.READY, False, Reason.Starting, "the guest is being started");
                } else if (report.guest() == MirrorReport.Guest.POWERED_OFF) {
                    put(
                            ConditionType.READY,
                            False,
                            Reason.GuestPoweredOff,
                            "the guest switched itself off; set spec.running to false and to true again to boot it");
                } else {
                    put(
                            ConditionType.READY,
                            False,
                            Reason.Provisioning,
                            "the guest is being started" + problem(report));
                }
            }
        }
    }

    private void specValid() {
        Optional<Plan.Doing> complaint = plan.stuck().filter(stuck -> SPEC_REASONS.contains(stuck.reason()));
        if (complaint.isPresent()) {
            put(
                    ConditionType.SPEC_VALID,
                    False,
                    complaint.get().reason(),
                    complaint.get().message());
        } else {
            put(ConditionType.SPEC_VALID, True, Reason.Valid, "every field can be honoured");
        }
    }

    private void levelSupported() {
        long places = SpareNodes.places(
                seen.nodes(),
                seen.machine().spec().template().spec().nodeSelector(),
                seen.machine().spec().placement().topologyKey());
        long held = seen.memory().copies().stream()
                .filter(copy -> seen.nodeOf(copy).isPresent())
                .count();
        Optional<Plan.Doing> obstacle = new TwinSupport(seen).obstacle();
        if (places < 2 && held < 2) {
            put(
                    ConditionType.LEVEL_SUPPORTED,
                    False,
                    Reason.TooFewNodes,
                    "two places that differ in "
                            + seen.machine().spec().placement().topologyKey() + " are needed, there are " + places);
        } else if (obstacle.isPresent()) {
            put(
                    ConditionType.LEVEL_SUPPORTED,
                    False,
                    obstacle.get().reason(),
                    obstacle.get().message());
        } else {
            put(ConditionType.LEVEL_SUPPORTED, True, Reason.Supported, "the cluster can give the wished level");
        }
    }

    private void paired() {
        Optional<MirrorReport> active = seen.active().flatMap(seen::report);
        if (seen.arbiterRecord().isEmpty()) {
            put(ConditionType.PAIRED, Unknown, Reason.NotObserved, "the arbiter has no record yet");
        } else if (active.isEmpty()) {
            put(ConditionType.PAIRED, Unknown, Reason.ActiveSilent, "the active does not answer");
        } else if (active.get().peer().filter(MirrorReport.Peer::connected).isPresent()) {
            put(ConditionType.PAIRED, True, Reason.Connected, "the copies talk to each other");
        } else {
            put(
                    ConditionType.PAIRED,
                    False,
                    seen.standby().isEmpty() ? Reason.NoStandby : Reason.Disconnected,
                    "the active has no peer" + problem(active.get()));
        }
    }

    private void inSync() {
        if (seen.arbiterRecord().isEmpty()) {
            put(ConditionType.IN_SYNC, Unknown, Reason.NotObserved, "the arbiter has no record yet");
            return;
        }
        List<CopyId> current = seen.current();
        if (current.size() >= 2) {
            put(
                    ConditionType.IN_SYNC,
                    True,
                    Reason.InSync,
                    "copies " + current.stream().map(CopyId::value).collect(Collectors.joining(" and "))
                            + " hold every acknowledged write");
            return;
        }
        boolean syncing = seen.memory().copies().stream()
                .flatMap(copy -> seen.report(copy).stream())
                .anyMatch(report -> report.copyState() == MirrorReport.CopyState.SYNCING);
        put(
                ConditionType.IN_SYNC,
                False,
                syncing ? Reason.Syncing : Reason.NotInSync,
                syncing ? "a copy is being brought up to date" : "one copy alone holds every acknowledged write");
    }

    private void arbiterReachable() {
        Optional<Plan.Doing> useless = plan.stuck()
                .filter(doing -> doing.reason() == Reason.ArbiterLost || doing.reason() == Reason.ArbiterRolledBack);
        if (useless.isPresent()) {
            put(
                    ConditionType.ARBITER_REACHABLE,
                    False,
                    useless.get().reason(),
                    useless.get().message());
            return;
        }
        switch (seen.arbiter()) {
            case ArbiterFact.Missing missing ->
                put(ConditionType.ARBITER_REACHABLE, Unknown, Reason.ArbiterNotProvisioned, "not created yet");
            case ArbiterFact.Damaged damaged ->
                put(ConditionType.ARBITER_REACHABLE, False, Reason.ArbiterDamaged, damaged.why());
            case ArbiterFact.Known known -> {
                boolean refused = seen.active()
                        .flatMap(seen::report)
                        .flatMap(MirrorReport::arbiterReachable)
                        .filter(reachable -> !reachable)
                        .isPresent();
                if (refused) {
                    put(
                            ConditionType.ARBITER_REACHABLE,
                            False,
                            Reason.MirrorCannotReachArbiter,
                            "the active's mirror can not reach the API server; a further fault would have to wait for it");
                } else {
                    put(ConditionType.ARBITER_REACHABLE, True, Reason.Reachable, "the arbiter answers");
                }
            }
        }
    }

    private void redundant() {
        if (seen.arbiterRecord().isEmpty()) {
            put(ConditionType.REDUNDANT, Unknown, Reason.NotObserved, "the arbiter has no record yet");
        } else if (protection.shortfall() == null) {
            put(ConditionType.REDUNDANT, True, Reason.FullyRedundant, "every single fault of the level is survivable");
        } else if (protection.shortfall() == Reason.StandbySilent) {
            put(ConditionType.REDUNDANT, Unknown, Reason.StandbySilent, "the standby's mirror does not answer");
        } else if (protection.shortfall() == Reason.DiskFailed) {
            put(
                    ConditionType.REDUNDANT,
                    False,
                    Reason.DiskFailed,
                    FailedDisks.copy(seen)
                            .map(copy -> FailedDisks.sentence(seen, copy))
                            .orElse("a disk failed"));
        } else {
            put(
                    ConditionType.REDUNDANT,
                    False,
                    protection.shortfall(),
                    "a fault now would find the level " + protection.effective()
                            + (protection.message() == null ? "" : ": " + protection.message()));
        }
    }

    /** False from the first mismatch on until a comparison that finds none: a disk that rotted once is not to be forgotten. */
    private void verified() {
        VerificationRun run = verification.lastRun();
        Optional<Condition> before = Conditions.find(seen.before().conditions(), ConditionType.VERIFIED);
        if (run != null && run.mismatches() > 0) {
            boolean repaired = run.repaired().equals(run.mismatches());
            boolean running = run.outcome() == VerificationRun.Outcome.Running;
            put(
                    ConditionType.VERIFIED,
                    False,
                    running ? Reason.MismatchFound : repaired ? Reason.MismatchRepaired : Reason.MismatchLeft,
                    (run.found().isEmpty() ? "" : place(run.found().getFirst()) + "; ") + run.mismatches() + " in all, "
                            + run.repaired() + " repaired from copy " + run.activeCopy());
        } else if (run != null && run.proves()) {
            put(
                    ConditionType.VERIFIED,
                    True,
                    Reason.Identical,
                    "no difference that arose before " + verification.identicalAsOf() + " is left");
        } else if (before.filter(was -> was.getStatus().equals("False")).isPresent()) {
            // A comparison that came to no end, or is under way, says nothing against what an earlier one found.
            put(
                    ConditionType.VERIFIED,
                    False,
                    Reason.valueOf(before.get().getReason()),
                    before.get().getMessage());
        } else if (verification.identicalAsOf() != null) {
            put(
                    ConditionType.VERIFIED,
                    True,
                    Reason.Identical,
                    "no difference that arose before " + verification.identicalAsOf() + " is left");
        } else {
            put(ConditionType.VERIFIED, Unknown, Reason.NotVerified, "the copies were not compared yet");
        }
    }

    private static String place(VerificationRun.Mismatch place) {
        return "disk " + place.disk() + " at " + place.offset() + ": active " + place.activeHash() + ", standby "
                + place.standbyHash();
    }

    private void diskGrowth() {
        DiskGrowth growth = new DiskGrowth(seen);
        if (!growth.known()) {
            put(
                    ConditionType.DISK_GROWTH,
                    Unknown,
                    Reason.NotObserved,
                    "the active does not say how large its disks are");
            return;
        }
        growth.state()
                .ifPresentOrElse(
                        state -> put(ConditionType.DISK_GROWTH, False, state.reason(), state.message()),
                        () -> put(
                                ConditionType.DISK_GROWTH,
                                True,
                                Reason.AsSpecified,
                                "every disk is as large as the spec asks for"));
    }

    private void reconciling() {
        boolean resyncing = seen.arbiterRecord().isPresent()
                && seen.memory().copies().stream()
                        .flatMap(copy -> seen.report(copy).stream())
                        .anyMatch(report -> report.copyState() == MirrorReport.CopyState.SYNCING);
        if (!plan.doing().isEmpty()) {
            Plan.Doing first = plan.doing().getFirst();
            put(ConditionType.RECONCILING, True, first.reason(), first.message());
        } else if (resyncing) {
            put(ConditionType.RECONCILING, True, Reason.Resyncing, "a copy is being brought up to date");
        }
    }

    private String why() {
        return seen.active()
                .map(seen::mirror)
                .map(fact -> switch (fact) {
                    case MirrorFact.NoAddress none -> "its pod has no address";
                    case MirrorFact.Silent silent -> silent.why();
                    case MirrorFact.Answered answered -> "it has answered";
                })
                .orElse("");
    }

    private static String problem(MirrorReport report) {
        return report.problem().map(problem -> ": " + problem.message()).orElse("");
    }

    private void put(String type, Conditions.Answer answer, Reason reason, String message) {
        conditions.put(type, answer, reason, message);
    }
}
