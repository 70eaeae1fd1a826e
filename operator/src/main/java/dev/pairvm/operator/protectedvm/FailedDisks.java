package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import java.util.Optional;

/** Copies whose disks their own mirrors gave up. Pure. */
final class FailedDisks {
    /** The reason in a report, closed set of the mirror. */
    private static final String DISK_FAILED = "DiskFailed";

    private FailedDisks() {}

    /** The first of the machine's copies that is out because a disk of it failed. */
    static Optional<CopyId> copy(Observation seen) {
        return seen.memory().copies().stream()
                .filter(copy -> failed(seen, copy))
                .findFirst();
    }

    private static boolean failed(Observation seen, CopyId copy) {
        return seen.report(copy)
                .filter(report -> report.copyState() == MirrorReport.CopyState.FAILED)
                .isPresent();
    }

    /**
     * Whether the guest runs on a host whose copy is out and is served by the copy in sync elsewhere. That one is the last: nothing may be
     * asked of it but to take the guest over.
     */
    static boolean servedByPeer(Observation seen) {
        return seen.active()
                .filter(active -> !seen.inSync(active) && failed(seen, active))
                .isPresent();
    }

    /** What failed, where, and how it goes on. */
    static String sentence(Observation seen, CopyId copy) {
        String node = seen.nodeOf(copy).map(name -> " on node " + name).orElse("");
        String what = seen.report(copy)
                .flatMap(MirrorReport::problem)
                .filter(problem -> problem.reason().equals(DISK_FAILED))
                .map(problem -> ": " + problem.message())
                .orElse(": its mirror gave it up");
        String then = servedByPeer(seen)
                ? ". The guest runs on and is served by the other copy"
                : ". The copy is replaced on another node";
        return "a disk of copy " + copy + node + " failed" + what + then;
    }
}
