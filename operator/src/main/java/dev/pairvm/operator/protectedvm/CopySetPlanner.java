package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.operator.placement.SpareNodes;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Which copies should exist. Two, as a rule; a third joins when one has been lost for long, and only when two are in sync again does
 * one leave (join before leave). If the lost one comes back first, the newcomer leaves.
 */
final class CopySetPlanner {
    /** A pair, and one that joins. */
    private static final int MOST_COPIES = 3;

    private final Observation seen;
    private final Draft draft;

    CopySetPlanner(Observation seen, Draft draft) {
        this.seen = seen;
        this.draft = draft;
    }

    /** Plans a change of the set if one is due, and gives the set as it then is. */
    Memory plan() {
        Memory memory = seen.memory();
        if (memory.copies().size() > 2) {
            return surplus().map(copy -> drop(memory, copy)).orElse(memory);
        }
        Optional<CopyId> lost = lostForGood();
        if (lost.isEmpty()) {
            return memory;
        }
        Optional<Instant> since = LostCopies.since(seen, lost.get());
        if (SpareNodes.find(
                        seen.nodes(),
                        seen.machine().spec().template().spec().nodeSelector(),
                        seen.machine().spec().placement().topologyKey(),
                        seen.takenNodes())
                .isEmpty()) {
            draft.stuck(
                    Reason.NoSpareNode,
                    "copy " + lost.get() + " is lost since "
                            + since.map(Instant::toString).orElse("?") + " and no other node can take a new one");
            return memory;
        }
        Memory grown = memory.withNewCopy();
        draft.doing(
                Reason.ReplacingCopy,
                "copy " + lost.get() + " is lost; copy " + grown.last() + " takes its place once it is in sync");
        draft.act(new Action.Remember(grown, "replace lost copy " + lost.get()));
        return grown;
    }

    private Optional<CopyId> lostForGood() {
        Duration patience = seen.machine().spec().recovery().replaceLostCopyAfter();
        for (CopyId copy : seen.memory().copies()) {
            Optional<Instant> since = LostCopies.since(seen, copy);
            if (since.isPresent()) {
                Duration left = patience.minus(Duration.between(since.get(), seen.now()));
                if (left.isPositive()) {
                    draft.lookAgain(left.plusMillis(100));
                } else if (seen.servingActive().isPresent()) {
                    return Optional.of(copy);
                }
            }
        }
        return Optional.empty();
    }

    /** Which of three copies is to leave; empty while nobody may. */
    private Optional<CopyId> surplus() {
        List<CopyId> mayGo = seen.memory().copies().stream()
                .filter(copy -> seen.active().filter(copy::equals).isEmpty())
                .toList();
        if (seen.current().size() < 2) {
            // A newcomer that is lost itself before it was ever in sync helps nobody: make room for another.
            CopyId newest = seen.memory().copies().getLast();
            return mayGo.contains(newest)
                            && seen.memory().copies().size() >= MOST_COPIES
                            && LostCopies.since(seen, newest)
                                    .filter(since -> !since.plus(seen.machine()
                                                    .spec()
                                                    .recovery()
                                                    .replaceLostCopyAfter())
                                            .isAfter(seen.now()))
                                    .isPresent()
                    ? Optional.of(newest)
                    : Optional.empty();
        }
        // Not in sync before in sync; lost before present; then the oldest.
        return mayGo.stream()
                .min(Comparator.<CopyId, Boolean>comparing(seen::inSync)
                        .thenComparing(copy -> LostCopies.since(seen, copy).isEmpty())
                        .thenComparing(Comparator.naturalOrder()));
    }

    private Memory drop(Memory memory, CopyId copy) {
        draft.doing(Reason.DiscardingCopy, "copy " + copy + " is no longer needed");
        if (seen.inSync(copy)) {
            // It leaves the in-sync set first: what is deleted must not be what a write was promised to.
            Optional<CopyId> active = seen.active();
            seen.arbiterRecord()
                    .ifPresent(arbiter -> draft.act(
                            new Action.SendOrder(active.orElseThrow(), new MirrorOrder.Leave(arbiter.epoch(), copy))));
            draft.lookAgain(Planner.SOON);
            return memory;
        }
        Memory shrunk = memory.without(copy);
        draft.act(new Action.Remember(shrunk, "copy " + copy + " is no longer needed"));
        return shrunk;
    }

    /**
     * Deletes what is left of copies that should not exist. Never one that the arbiter lists: if the memory and the arbiter disagree,
     * the arbiter is right about data.
     */
    void discardStrays(Memory memory) {
        Set<CopyId> strays = Stream.concat(
                        seen.pods().keySet().stream(), seen.claims().stream().map(ClaimFact::copy))
                .filter(copy -> !memory.copies().contains(copy))
                .filter(copy -> !seen.inSync(copy))
                .filter(copy -> seen.active().filter(copy::equals).isEmpty())
                .collect(Collectors.toSet());
        if (seen.arbiterRecord().isEmpty()) {
            return;
        }
        for (CopyId copy : strays.stream().sorted().toList()) {
            draft.doing(Reason.DiscardingCopy, "removing what is left of copy " + copy);
            seen.pod(copy)
                    .filter(pod -> !pod.deleting() || seen.nodeOut(copy))
                    .ifPresent(pod -> draft.act(new Action.DeletePod(
                            pod, seen.nodeOut(copy) ? 0 : PodPlanner.STANDBY_GRACE_SECONDS, "its copy is discarded")));
            draft.act(new Action.DiscardCopy(copy));
            draft.lookAgain(Planner.SOON);
        }
    }
}
