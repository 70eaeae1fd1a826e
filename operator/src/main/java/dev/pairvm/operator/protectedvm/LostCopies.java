package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Optional;

/**
 * Which copies are lost: out of the in-sync set and not on their way back. One fault that is being repaired, or a copy that is being
 * filled, is not lost; a copy that never got a node is not either, for it can still go anywhere.
 */
final class LostCopies {
    private LostCopies() {}

    /** Since when the copy is lost; empty while it is not. What the status says already goes on from there. */
    static Optional<Instant> since(Observation seen, CopyId copy) {
        if (seen.arbiterRecord().isEmpty()
                || seen.inSync(copy)
                || seen.nodeOf(copy).isEmpty()
                || onItsWay(seen, copy)) {
            return Optional.empty();
        }
        if (seen.active().filter(copy::equals).isPresent()) {
            return Optional.empty();
        }
        return Optional.of(remembered(seen, copy).orElse(seen.now()));
    }

    private static boolean onItsWay(Observation seen, CopyId copy) {
        if (seen.nodeOut(copy)) {
            return false;
        }
        return seen.report(copy)
                .filter(report -> report.copyState() != MirrorReport.CopyState.FAILED)
                .filter(report -> report.copyState() == MirrorReport.CopyState.SYNCING
                        || report.peer().filter(MirrorReport.Peer::connected).isPresent())
                .isPresent();
    }

    private static Optional<Instant> remembered(Observation seen, CopyId copy) {
        return seen.before().copies().stream()
                .filter(status -> status.name().equals(copy.value()))
                .map(ProtectedVMStatus.CopyStatus::lostSince)
                .filter(since -> since != null)
                .findFirst()
                .flatMap(LostCopies::parse);
    }

    private static Optional<Instant> parse(String since) {
        try {
            return Optional.of(Instant.parse(since));
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }
}
