package dev.pairvm.mirror.core.sim;

import dev.pairvm.mirror.core.CountingRules;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Message;
import dev.pairvm.mirror.core.Problem;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** What a set of seeds has met, and what it must have met: a rare branch that no seed takes is not tested. */
final class Coverage {
    /** Only other volumes or machines bring these about, which the single stories of {@code StartTest} do. */
    private static final Set<Problem.Kind> ELSEWHERE = Set.of(Problem.Kind.FOREIGN_DISK, Problem.Kind.DISK_LOST);

    /** Refusals and reasons that a good set of seeds comes by. */
    private static final List<String> REASONS = List.of(
            "refused: I lead",
            "refused: a higher epoch is known",
            "refused: a promotion is in doubt",
            "refused: this copy failed",
            "refused: this copy is STALE",
            "dropped: no beacon",
            "dropped: no beacon from the active",
            "dropped: did not answer the attach",
            "dropped: fenced",
            "dropped: its device failed",
            "dropped: it left",
            "dropped: it said goodbye",
            "dropped: it refused to follow: a higher epoch is known",
            "dropped: not in sync any more",
            "dropped: slow",
            "order: done",
            "order: this side does not lead",
            "order: this side does not serve now",
            "order: the guest could not be moved",
            "order: the peer was lost",
            "order: the in-sync set changed meanwhile",
            "order: a change of the arbiter record is in doubt",
            "order: the arbiter can not be reached");

    private final Map<Fault, Long> faults = new TreeMap<>();
    private final Map<World.Branch, Long> branches = new TreeMap<>();
    private final Map<CountingRules.Rule, Long> rules = new TreeMap<>();
    private final Map<String, Long> kinds = new TreeMap<>();
    private final Map<String, Long> reasons = new TreeMap<>();
    private long simulatedNanos;

    synchronized void add(Sim sim) {
        sim.world.faults.forEach((fault, count) -> faults.merge(fault, count, Long::sum));
        sim.world.branches.forEach((branch, count) -> branches.merge(branch, count, Long::sum));
        sim.world.reasons.forEach((reason, count) -> reasons.merge(reason, count, Long::sum));
        sim.world.kinds.forEach((kind, count) -> kinds.merge(name(kind), count[0], Long::sum));
        sim.rules.counts().forEach((rule, count) -> {
            if (count > 0) {
                rules.merge(rule, count, Long::sum);
            }
        });
        simulatedNanos += sim.world.now();
    }

    double simulatedSeconds() {
        return simulatedNanos / 1e9;
    }

    private static String name(Class<?> kind) {
        return kind.getEnclosingClass().getSimpleName() + "." + kind.getSimpleName();
    }

    /** Met in some runs only: the disks are too small for a resync to last until its pace is at the floor. ResyncPaceTest goes there. */
    private static final Set<String> BY_LUCK = Set.of("Branch." + World.Branch.RESYNC_AT_FLOOR);

    Set<String> missed() {
        Set<String> missed = new TreeSet<>();
        for (Class<?> family : List.of(Effect.class, Event.class, Message.class)) {
            Arrays.stream(family.getPermittedSubclasses()).map(Coverage::name).forEach(missed::add);
        }
        missed.removeAll(kinds.keySet());
        lacking(Fault.values(), faults, missed);
        lacking(World.Branch.values(), branches, missed);
        missed.removeAll(BY_LUCK);
        lacking(CountingRules.Rule.values(), rules, missed);
        for (Problem.Kind kind : Problem.Kind.values()) {
            if (!ELSEWHERE.contains(kind) && !reasons.containsKey("problem: " + kind)) {
                missed.add("problem: " + kind);
            }
        }
        REASONS.stream().filter(reason -> !reasons.containsKey(reason)).forEach(missed::add);
        return missed;
    }

    private static <K extends Enum<K>> void lacking(K[] all, Map<K, Long> met, Set<String> missed) {
        for (K each : all) {
            if (!met.containsKey(each)) {
                missed.add(each.getDeclaringClass().getSimpleName() + "." + each);
            }
        }
    }

    /** A small table. */
    String table() {
        return row("faults", faults)
                + row("branches", branches)
                + row("rules asked", rules)
                + row("events, effects, frames", kinds)
                + row("refusals, reasons, problems", reasons);
    }

    private static String row(String title, Map<?, Long> counts) {
        StringBuilder text = new StringBuilder(title).append(": ");
        int column = text.length();
        for (Map.Entry<?, Long> entry : counts.entrySet()) {
            String cell = entry.getKey() + "=" + entry.getValue() + "  ";
            if (column + cell.length() > 140) {
                text.append("\n    ");
                column = 4;
            }
            text.append(cell);
            column += cell.length();
        }
        return text.append('\n').toString();
    }
}
