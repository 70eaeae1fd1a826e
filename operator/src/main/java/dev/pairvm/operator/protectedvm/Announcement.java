package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.v1alpha1.ConditionType;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.CopyStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.DiskState;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.Verification;
import dev.pairvm.api.v1alpha1.VerificationRun;
import io.fabric8.kubernetes.api.model.Condition;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An event to record, found by comparing the status before and after: so each is said once, whichever leader says it.
 *
 * @param warning whether it is bad news
 * @param reason what happened
 * @param note in a sentence
 */
public record Announcement(boolean warning, Reason reason, String note) {

    /** What has happened between two statuses. */
    static List<Announcement> between(ProtectedVMStatus before, ProtectedVMStatus after) {
        List<Announcement> all = new ArrayList<>();
        failover(before, after, all);
        spec(before, after, all);
        disk(before, after, all);
        mismatch(before, after, all);
        level(before, after, all);
        copies(before, after, all);
        return all;
    }

    private static void failover(ProtectedVMStatus before, ProtectedVMStatus after, List<Announcement> all) {
        ProtectedVMStatus.Failover told = after.lastFailover();
        ProtectedVMStatus.Failover known = before.lastFailover();
        if (told != null && (known == null || known.epoch() < told.epoch())) {
            all.add(new Announcement(
                    true,
                    Reason.FailedOver,
                    "the guest runs on " + told.to() + " since " + told.at() + ", epoch " + told.epoch() + " ("
                            + told.cause() + " of " + told.from() + ")"));
        }
    }

    private static void spec(ProtectedVMStatus before, ProtectedVMStatus after, List<Announcement> all) {
        Optional<Condition> is = Conditions.find(after.conditions(), ConditionType.SPEC_VALID);
        Optional<Condition> was = Conditions.find(before.conditions(), ConditionType.SPEC_VALID);
        if (is.filter(condition -> condition.getStatus().equals("False")).isPresent()
                && was.filter(condition -> condition.getStatus().equals("False")
                                && condition.getMessage().equals(is.get().getMessage()))
                        .isEmpty()) {
            all.add(new Announcement(true, Reason.SpecInvalid, is.get().getMessage()));
        }
    }

    /** A disk that died: said when it becomes the reason, not again when its story changes. */
    private static void disk(ProtectedVMStatus before, ProtectedVMStatus after, List<Announcement> all) {
        Optional<Condition> is = Conditions.find(after.conditions(), ConditionType.REDUNDANT);
        Optional<Condition> was = Conditions.find(before.conditions(), ConditionType.REDUNDANT);
        String reason = Reason.DiskFailed.name();
        if (is.filter(condition -> condition.getReason().equals(reason)).isPresent()
                && was.filter(condition -> condition.getReason().equals(reason)).isEmpty()) {
            all.add(new Announcement(true, Reason.DiskFailed, is.get().getMessage()));
        }
    }

    /** Copies that differ: said when the first place is found, and when it is over. */
    private static void mismatch(ProtectedVMStatus before, ProtectedVMStatus after, List<Announcement> all) {
        Optional<Condition> is = Conditions.find(after.conditions(), ConditionType.VERIFIED)
                .filter(condition -> condition.getStatus().equals("False"));
        Optional<Condition> was = Conditions.find(before.conditions(), ConditionType.VERIFIED);
        if (is.isPresent()
                && (was.filter(condition ->
                                        condition.getReason().equals(is.get().getReason()))
                                .isEmpty()
                        || mismatchedRun(after) != null && !sameRun(before, after))) {
            all.add(new Announcement(
                    true, Reason.valueOf(is.get().getReason()), is.get().getMessage()));
        }
    }

    private static boolean sameRun(ProtectedVMStatus before, ProtectedVMStatus after) {
        return Objects.equals(mismatchedRun(before), mismatchedRun(after));
    }

    /** When the last comparison began, if it found something. */
    private static @Nullable String mismatchedRun(ProtectedVMStatus status) {
        Verification known = status.verification();
        VerificationRun run = known == null ? null : known.lastRun();
        return run == null || run.mismatches() == 0 ? null : run.startedAt();
    }

    private static void level(ProtectedVMStatus before, ProtectedVMStatus after, List<Announcement> all) {
        ProtectedVMStatus.LevelStatus was = before.level();
        ProtectedVMStatus.LevelStatus is = after.level();
        if (was != null && is != null && was.effective() != is.effective()) {
            all.add(new Announcement(
                    is.effective().ordinal() < was.effective().ordinal() && was.wanted() == is.wanted(),
                    Reason.LevelChanged,
                    "effective level " + was.effective() + " -> " + is.effective()
                            + (is.reason() == null ? "" : ": " + is.reason())
                            + (is.message() == null ? "" : ", " + is.message())));
        }
    }

    private static void copies(ProtectedVMStatus before, ProtectedVMStatus after, List<Announcement> all) {
        for (CopyStatus is : after.copies()) {
            Optional<CopyStatus> was = find(before, is.name());
            boolean wasLost = was.map(CopyStatus::lostSince).isPresent();
            if (is.lostSince() != null && !wasLost) {
                all.add(new Announcement(true, Reason.CopyLost, "copy " + is.name() + " on " + is.node() + " is lost"));
            } else if (is.lostSince() == null && wasLost) {
                all.add(new Announcement(
                        false, Reason.CopyReturned, "copy " + is.name() + " on " + is.node() + " is back"));
            }
            DiskState state = state(is);
            DiskState earlier = was.map(Announcement::state).orElse(DiskState.Unknown);
            if (state == DiskState.Syncing && earlier != DiskState.Syncing) {
                all.add(new Announcement(
                        false, Reason.ResyncStarted, "copy " + is.name() + " is being brought up to date"));
            } else if (state == DiskState.InSync && earlier == DiskState.Syncing) {
                all.add(new Announcement(
                        false, Reason.ResyncFinished, "copy " + is.name() + " holds every acknowledged write"));
            }
        }
        for (CopyStatus was : before.copies()) {
            if (find(after, was.name()).isEmpty()) {
                all.add(new Announcement(
                        false, Reason.Replaced, "copy " + was.name() + " on " + was.node() + " is replaced"));
            }
        }
    }

    private static DiskState state(CopyStatus copy) {
        return copy.disks().isEmpty()
                ? DiskState.Unknown
                : copy.disks().getFirst().state();
    }

    private static Optional<CopyStatus> find(ProtectedVMStatus status, String copy) {
        return status.copies().stream()
                .filter(candidate -> Objects.equals(candidate.name(), copy))
                .findFirst();
    }
}
