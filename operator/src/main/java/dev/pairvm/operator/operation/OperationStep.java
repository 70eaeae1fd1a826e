package dev.pairvm.operator.operation;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationSpec.OperationType;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Evidence;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Phase;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Decides the next step of an operation; of a switchover itself. Pure. The epoch at which the order is given is recorded before it is given: so a restarted
 * operator knows whether it may order (again), or only watches what became of it, and the guest moves once.
 */
final class OperationStep {
    /** How long it may wait for the machine to be ready for it. */
    static final Duration READY_LIMIT = Duration.ofMinutes(10);
    /** How long it may take once ordered: memory has to be copied. */
    static final Duration ORDER_LIMIT = Duration.ofMinutes(10);

    private OperationStep() {}

    /**
     * What is known.
     *
     * @param now the time
     * @param startedAt when the operation was first seen
     * @param status what its status says
     * @param problem why the machine can not be switched over at all: it does not exist, or is being deleted
     * @param arbiter the arbiter's record
     * @param copies the copies of the machine
     * @param reports what the mirrors say
     * @param nodes where the copies are
     * @param firstInLine whether no earlier operation of this machine is unfinished
     * @param running whether the guest is wished to run
     * @param type what to do
     * @param id the operation's uid
     */
    record Known(
            Instant now,
            Instant startedAt,
            ProtectedVMOperationStatus status,
            Optional<String> problem,
            Optional<ArbiterRecord> arbiter,
            List<CopyId> copies,
            Map<CopyId, MirrorReport> reports,
            Map<CopyId, String> nodes,
            boolean firstInLine,
            boolean running,
            OperationType type,
            String id) {}

    /** What to do. */
    sealed interface Step {
        /** Look again later. */
        record Wait(String message) implements Step {}

        /** Look again later, and keep what was seen. */
        record Watch(String message, Evidence evidence) implements Step {}

        /** Record that the order is about to be given, then give it. */
        record Begin(Evidence evidence, long epoch, CopyId active, CopyId to) implements Step {}

        /** Give the recorded order (again). */
        record Order(long epoch, CopyId active, CopyId to) implements Step {}

        /** It is over. */
        record Finish(Phase phase, String message, Evidence evidence) implements Step {}
    }

    static Step next(Known known) {
        Evidence evidence = Objects.requireNonNullElse(
                known.status.evidence(), new Evidence(null, null, null, null, null, null, null));
        if (known.problem.isPresent()) {
            return new Step.Finish(Phase.Failed, known.problem.get(), evidence);
        }
        return switch (known.type) {
            case Switchover ->
                known.status.phase() == Phase.Running ? follow(known, evidence) : prepare(known, evidence);
            case Verify -> VerifyStep.next(known, evidence);
        };
    }

    private static Step prepare(Known known, Evidence evidence) {
        if (known.startedAt.plus(READY_LIMIT).isBefore(known.now)) {
            return new Step.Finish(
                    Phase.Failed,
                    "the machine was not ready for a switchover within " + READY_LIMIT.toMinutes()
                            + " minutes; see its conditions",
                    evidence);
        }
        if (!known.firstInLine) {
            return new Step.Wait("waits for an earlier operation of this machine");
        }
        if (!known.running) {
            return new Step.Finish(Phase.Failed, "the machine is switched off; nothing to move", evidence);
        }
        if (known.arbiter.isEmpty()) {
            return new Step.Wait("waits for the arbiter's record");
        }
        ArbiterRecord arbiter = known.arbiter.get();
        CopyId active = arbiter.active();
        Optional<CopyId> to = known.copies.stream()
                .filter(copy -> !copy.equals(active) && arbiter.inSync().contains(copy))
                .findFirst();
        if (to.isEmpty()) {
            return new Step.Wait("waits for a second copy in sync");
        }
        MirrorReport serving = known.reports.get(active);
        MirrorReport standby = known.reports.get(to.get());
        if (serving == null
                || serving.role() != MirrorReport.Role.ACTIVE
                || serving.guest() != MirrorReport.Guest.RUNNING) {
            return new Step.Wait("waits for the guest to run on copy " + active);
        }
        if (standby == null || standby.role() != MirrorReport.Role.STANDBY || !standby.runner()) {
            return new Step.Wait("waits for copy " + to.get() + " to be able to take the guest");
        }
        if (twinIs(serving, MirrorReport.TwinState.STARTING) || twinIs(serving, MirrorReport.TwinState.ENDING)) {
            return new Step.Wait("waits for the twin of the guest, which is on its way or ends");
        }
        return begin(known, arbiter, to.get());
    }

    private static Step begin(Known known, ArbiterRecord arbiter, CopyId to) {
        CopyId active = arbiter.active();
        return new Step.Begin(
                new Evidence(
                        active.value(),
                        to.value(),
                        known.nodes.get(active),
                        known.nodes.get(to),
                        arbiter.epoch().value(),
                        null,
                        null),
                arbiter.epoch().value(),
                active,
                to);
    }

    private static boolean twinIs(MirrorReport serving, MirrorReport.TwinState state) {
        return serving.twin().filter(twin -> twin.state() == state).isPresent();
    }

    private static Step follow(Known known, Evidence evidence) {
        Long fromEpoch = evidence.fromEpoch();
        String from = evidence.fromCopy();
        String to = evidence.toCopy();
        if (fromEpoch == null || from == null || to == null) {
            return new Step.Finish(Phase.Failed, "the evidence of the order was removed from the status", evidence);
        }
        if (known.arbiter.isEmpty()) {
            return new Step.Wait("waits for the arbiter's record");
        }
        ArbiterRecord arbiter = known.arbiter.get();
        if (arbiter.active().value().equals(to)) {
            MirrorReport serving = known.reports.get(arbiter.active());
            if (serving == null || serving.guest() != MirrorReport.Guest.RUNNING) {
                return late(known)
                        ? new Step.Finish(
                                Phase.Failed, "copy " + to + " is active but its guest does not run", evidence)
                        : new Step.Wait("copy " + to + " is active; waits for its guest to run");
            }
            return new Step.Finish(
                    Phase.Succeeded,
                    "the guest moved from copy " + from + " to copy " + to,
                    new Evidence(
                            from,
                            to,
                            evidence.fromNode(),
                            known.nodes.get(arbiter.active()),
                            fromEpoch,
                            arbiter.epoch().value(),
                            serving.lastTransition()
                                    .map(MirrorReport.Transition::guestRunningMillis)
                                    .filter(millis -> millis >= 0)
                                    .map(Duration::ofMillis)
                                    .orElse(null)));
        }
        if (arbiter.epoch().value() == fromEpoch + 1 && twinCameBetween(known, arbiter, to)) {
            // One epoch is too few for the guest to have moved there and back: the order came before the record, which
            // made it stale.
            return begin(known, arbiter, new CopyId(to));
        }
        if (arbiter.epoch().value() != fromEpoch && endsItsTwin(known, arbiter, to)) {
            // The same order, under way: a twin is withdrawn from the record before the guest moves. It is not given
            // again.
            return late(known)
                    ? new Step.Finish(
                            Phase.Failed,
                            "copy " + from + " ended its twin and did not hand over; see its log",
                            evidence)
                    : new Step.Wait("copy " + from + " ends its twin and hands over to copy " + to);
        }
        if (arbiter.epoch().value() != fromEpoch) {
            return new Step.Finish(
                    Phase.Failed,
                    "the machine changed meanwhile: epoch " + fromEpoch + " became " + arbiter.epoch() + " and copy "
                            + arbiter.active() + " is active; the guest was not moved",
                    evidence);
        }
        if (late(known)) {
            return new Step.Finish(
                    Phase.Failed,
                    "the guest did not move within " + ORDER_LIMIT.toMinutes()
                            + " minutes; it may write memory faster than the link carries it",
                    evidence);
        }
        return new Step.Order(fromEpoch, arbiter.active(), new CopyId(to));
    }

    /** Whether the new epoch is the one by which the twin was recorded. */
    private static boolean twinCameBetween(Known known, ArbiterRecord arbiter, String to) {
        MirrorReport serving = known.reports.get(arbiter.active());
        return arbiter.inSync().contains(new CopyId(to))
                && arbiter.mode() == ArbiterRecord.Mode.FT
                && serving != null
                && serving.epoch().equals(arbiter.epoch())
                && twinIs(serving, MirrorReport.TwinState.RUNNING);
    }

    private static boolean endsItsTwin(Known known, ArbiterRecord arbiter, String to) {
        MirrorReport serving = known.reports.get(arbiter.active());
        return arbiter.inSync().contains(new CopyId(to))
                && serving != null
                && serving.twin().filter(MirrorReport.Twin::wished).isPresent()
                && !twinIs(serving, MirrorReport.TwinState.RUNNING);
    }

    private static boolean late(Known known) {
        return known.startedAt.plus(READY_LIMIT).plus(ORDER_LIMIT).isBefore(known.now);
    }
}
