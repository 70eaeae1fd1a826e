package dev.pairvm.operator.operation;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Evidence;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Phase;
import dev.pairvm.api.v1alpha1.VerificationRun;
import dev.pairvm.operator.operation.OperationStep.Known;
import dev.pairvm.operator.operation.OperationStep.Step;
import dev.pairvm.operator.protectedvm.VerificationView;
import java.util.Optional;

/**
 * Decides the next step of a comparison of both copies. Pure. The mirror knows the comparison by the operation's uid: ordering it again
 * begins nothing new, and what it says of another one is not taken for this one's.
 */
final class VerifyStep {
    private VerifyStep() {}

    static Step next(Known known, Evidence evidence) {
        return known.status().phase() == Phase.Running ? follow(known, evidence) : prepare(known, evidence);
    }

    private static Step prepare(Known known, Evidence evidence) {
        Optional<MirrorReport> other = running(known);
        if (other.isPresent()) {
            return new Step.Wait("waits for the end of a comparison that is under way");
        }
        if (!known.firstInLine()) {
            return new Step.Wait("waits for an earlier operation of this machine");
        }
        if (known.startedAt().plus(OperationStep.READY_LIMIT).isBefore(known.now())) {
            return new Step.Finish(
                    Phase.Failed,
                    "the copies could not be compared within " + OperationStep.READY_LIMIT.toMinutes()
                            + " minutes; see the machine's conditions",
                    evidence);
        }
        if (known.arbiter().isEmpty()) {
            return new Step.Wait("waits for the arbiter's record");
        }
        ArbiterRecord arbiter = known.arbiter().get();
        CopyId active = arbiter.active();
        Optional<CopyId> standby = known.copies().stream()
                .filter(copy -> !copy.equals(active) && arbiter.inSync().contains(copy))
                .findFirst();
        if (standby.isEmpty()) {
            return new Step.Wait("waits for a second copy in sync");
        }
        MirrorReport serving = known.reports().get(active);
        if (serving == null || serving.role() != MirrorReport.Role.ACTIVE) {
            return new Step.Wait("waits for copy " + active + " to serve");
        }
        return new Step.Begin(
                new Evidence(
                        active.value(),
                        standby.get().value(),
                        known.nodes().get(active),
                        known.nodes().get(standby.get()),
                        arbiter.epoch().value(),
                        null,
                        null),
                arbiter.epoch().value(),
                active,
                standby.get());
    }

    private static Step follow(Known known, Evidence evidence) {
        Long epoch = evidence.fromEpoch();
        String active = evidence.fromCopy();
        String standby = evidence.toCopy();
        if (epoch == null || active == null || standby == null) {
            return new Step.Finish(Phase.Failed, "the evidence of the order was removed from the status", evidence);
        }
        Optional<VerificationRun> mine = known.reports().values().stream()
                .filter(report -> report.verify()
                        .filter(run -> run.id().equals(known.id()))
                        .isPresent())
                .findFirst()
                .flatMap(VerificationView::run);
        if (mine.isPresent()) {
            return watch(mine.get(), told(evidence, mine.get()));
        }
        if (known.reports().get(new CopyId(active)) == null) {
            return new Step.Wait("waits for the mirror of copy " + active + " to answer");
        }
        if (evidence.verification() != null) {
            return new Step.Finish(
                    Phase.Failed,
                    "the mirror of copy " + active + " was restarted; what it had found until then is in the evidence",
                    evidence);
        }
        if (known.arbiter().isEmpty()) {
            return new Step.Wait("waits for the arbiter's record");
        }
        if (known.arbiter().get().epoch().value() != epoch) {
            return new Step.Finish(
                    Phase.Failed,
                    "the machine changed meanwhile: epoch " + epoch + " became "
                            + known.arbiter().get().epoch() + "; the copies were not compared",
                    evidence);
        }
        if (running(known).isPresent()) {
            return new Step.Wait("waits for the end of a comparison that is under way");
        }
        if (known.startedAt()
                .plus(OperationStep.READY_LIMIT)
                .plus(OperationStep.ORDER_LIMIT)
                .isBefore(known.now())) {
            return new Step.Finish(
                    Phase.Failed,
                    "copy " + active + " did not begin to compare within " + OperationStep.ORDER_LIMIT.toMinutes()
                            + " minutes; its mirror may be of a release that can not",
                    evidence);
        }
        return new Step.Order(epoch, new CopyId(active), new CopyId(standby));
    }

    private static Step watch(VerificationRun run, Evidence evidence) {
        return switch (run.outcome()) {
            case Running ->
                new Step.Watch(
                        "compared " + percent(run) + " %" + (run.mismatches() == 0 ? "" : "; " + differed(run)),
                        evidence);
            case Aborted ->
                new Step.Finish(Phase.Failed, "aborted after " + percent(run) + " %: " + run.message(), evidence);
            case Complete -> {
                if (run.proves()) {
                    yield new Step.Finish(
                            Phase.Succeeded,
                            run.mismatches() == 0
                                    ? "the copies are equal"
                                    : differed(run) + "; see the runbook: a disk that does that once does it again",
                            evidence);
                }
                yield new Step.Finish(
                        Phase.Failed,
                        differed(run) + ", " + run.unreadableBytes() + " bytes could not be read on the active",
                        evidence);
            }
        };
    }

    private static String differed(VerificationRun run) {
        return run.mismatches() + (run.mismatches() == 1 ? " place" : " places") + " differed, " + run.repaired()
                + " repaired from copy " + run.activeCopy();
    }

    private static long percent(VerificationRun run) {
        return run.bytesTotal() == 0 ? 0 : run.bytesCompared() * 100 / run.bytesTotal();
    }

    private static Evidence told(Evidence evidence, VerificationRun run) {
        return new Evidence(
                evidence.fromCopy(),
                evidence.toCopy(),
                evidence.fromNode(),
                evidence.toNode(),
                evidence.fromEpoch(),
                evidence.toEpoch(),
                null,
                run);
    }

    /** A mirror that serves and compares, whoever asked for it. */
    private static Optional<MirrorReport> running(Known known) {
        return known.reports().values().stream()
                .filter(report -> report.verify()
                        .filter(run -> run.state() == MirrorReport.VerifyState.RUNNING)
                        .isPresent())
                .findFirst();
    }
}
