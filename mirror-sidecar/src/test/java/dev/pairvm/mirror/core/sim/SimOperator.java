package dev.pairvm.mirror.core.sim;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.CoreView;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Role;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What the operator does of the world's moves: a copy that is lost for long is replaced on another host (join before leave), the one too
 * many goes, a guest leaves a dead disk. It sees each of them a moment ago, acts a moment later, and is away at times. The host of a copy
 * that it discards need not hear of that: such a mirror lives on, and is met again, but the API server knows it no more.
 *
 * <p>It does what {@code CopySetPlanner}, {@code LostCopies} and {@code SwitchoverPlanner} of the operator do, in the same order.
 */
final class SimOperator {
    private static final int MOST_HOSTS = 4;

    private final Sim sim;
    private final World world;
    /** Its memory: the copies that should exist. */
    private final List<SimNode> wanted = new ArrayList<>();

    private final Map<SimNode, Long> lostSince = new IdentityHashMap<>();
    private final long patience;
    private final double pace;
    private final boolean works;

    /** What it knows when it plans. */
    private record Look(ArbiterRecord arbiter, Map<SimNode, CoreView> reports) {
        Optional<CoreView> report(SimNode node) {
            return Optional.ofNullable(reports.get(node));
        }

        boolean inSync(SimNode node) {
            return arbiter.inSync().contains(node.copy);
        }

        boolean active(SimNode node) {
            return arbiter.active().equals(node.copy);
        }

        boolean failed(SimNode node) {
            return report(node)
                    .filter(view -> view.copyState() == CopyState.FAILED)
                    .isPresent();
        }

        boolean serves(SimNode node) {
            return report(node).filter(view -> view.role() == Role.ACTIVE).isPresent();
        }

        /** It does not count, and does not come back by itself. */
        boolean lost(SimNode node) {
            boolean onItsWay = !failed(node)
                    && report(node)
                            .filter(view -> view.copyState() == CopyState.SYNCING
                                    || view.peer().isPresent())
                            .isPresent();
            return !inSync(node) && !active(node) && !onItsWay;
        }
    }

    SimOperator(Sim sim, boolean works) {
        this.sim = sim;
        this.world = sim.world;
        this.works = works;
        patience = works ? (long) (world.between(100, 1_500) * World.MILLI) : 0;
        pace = !works ? 0 : world.oneIn(3) ? world.between(600, 2_500) : world.between(50, 300);
    }

    boolean works() {
        return works;
    }

    void begin() {
        if (!works) {
            return;
        }
        wanted.addAll(sim.nodes);
        if (world.oneIn(3)) {
            add();
        }
        goOn();
    }

    /** The copies that should exist are in sync, and there are no others. */
    boolean settled() {
        return !works || sim.nodes.equals(wanted) && sim.nodes.size() == 2;
    }

    boolean wants(SimNode node) {
        return !works || wanted.contains(node);
    }

    private void goOn() {
        double slow = !sim.calm && world.oneIn(10) ? 5 : 1;
        world.afterMillis(world.between(pace / 2, pace) * slow, () -> {
            Look seen = look();
            world.afterMillis(!sim.calm && world.oneIn(20) ? world.between(100, 900) : world.between(1, 60), () -> {
                plan(seen);
                goOn();
            });
        });
    }

    private Look look() {
        Map<SimNode, CoreView> reports = new IdentityHashMap<>();
        for (SimNode node : sim.nodes) {
            SimMirror mirror = node.mirror;
            if (mirror != null && !mirror.blocked() && !sim.arbiter.hides(node.copy)) {
                reports.put(node, mirror.view());
            }
        }
        if (reports.values().stream()
                                .filter(view -> view.copyState() != CopyState.IN_SYNC && view.role() == Role.IDLE)
                                .count()
                        > 0
                && reports.values().stream().anyMatch(view -> view.copyState() == CopyState.SYNCING)) {
            world.met(World.Branch.TWO_WAIT_TO_BE_FILLED);
        }
        return new Look(sim.arbiter.stored, reports);
    }

    private void plan(Look seen) {
        for (SimNode node : wanted) {
            if (seen.lost(node)) {
                lostSince.putIfAbsent(node, world.now());
            } else {
                lostSince.remove(node);
            }
        }
        if (wanted.size() > 2) {
            surplus(seen).ifPresent(node -> drop(seen, node));
        } else {
            replace(seen);
        }
        leaveTheDeadDisk(seen);
        List.copyOf(sim.nodes).stream().filter(node -> !wanted.contains(node)).forEach(node -> discard(seen, node));
    }

    private boolean lostForLong(SimNode node) {
        return world.now() - lostSince.getOrDefault(node, world.now()) >= patience;
    }

    private void replace(Look seen) {
        boolean served = sim.nodes.stream().anyMatch(node -> seen.active(node) && seen.serves(node));
        for (SimNode node : List.copyOf(wanted)) {
            if (lostForLong(node) && served && sim.nodes.size() < MOST_HOSTS) {
                world.met(seen.failed(node) ? World.Branch.FAILED_COPY_REPLACED : World.Branch.LOST_COPY_REPLACED);
                add();
                return;
            }
        }
    }

    private void add() {
        SimNode fresh = sim.addNode();
        wanted.add(fresh);
        world.say("operator", "adds copy " + fresh.copy);
        fresh.startMirror();
        sim.arbiter.addressLine(fresh.copy);
    }

    private Optional<SimNode> surplus(Look seen) {
        List<SimNode> mayGo = wanted.stream().filter(node -> !seen.active(node)).toList();
        if (wanted.stream().filter(seen::inSync).count() < 2) {
            SimNode newest = wanted.getLast();
            return Optional.of(newest).filter(mayGo::contains).filter(this::lostForLong);
        }
        return mayGo.stream()
                .min(Comparator.<SimNode, Boolean>comparing(seen::inSync)
                        .thenComparing(node -> !lostSince.containsKey(node))
                        .thenComparing(node -> node.number));
    }

    private void drop(Look seen, SimNode node) {
        if (seen.inSync(node)) {
            order(seen, new Event.LeaveRequested(node.copy));
            return;
        }
        world.say("operator", "drops copy " + node.copy);
        if (node == wanted.getLast()) {
            boolean pair = wanted.stream().filter(seen::inSync).count() == 2;
            world.met(pair ? World.Branch.OLD_COPY_CAME_FIRST : World.Branch.NEW_COPY_GIVEN_UP);
        }
        wanted.remove(node);
    }

    private void order(Look seen, Event order) {
        SimMirror active = sim.node(seen.arbiter().active()).mirror;
        if (active != null) {
            active.deliver(order);
        }
    }

    /** The guest is served by the other host's disk: it goes there. */
    private void leaveTheDeadDisk(Look seen) {
        SimNode active = sim.node(seen.arbiter().active());
        if (seen.inSync(active) || !seen.failed(active) || !seen.serves(active)) {
            return;
        }
        wanted.stream()
                .filter(node -> seen.inSync(node)
                        && seen.report(node)
                                .filter(view -> view.role() == Role.STANDBY)
                                .isPresent())
                .findFirst()
                .ifPresent(node -> {
                    world.met(World.Branch.LEAVES_DEAD_DISK);
                    order(seen, new Event.HandOverRequested(node.copy));
                });
    }

    /** What is left of a copy that should not exist goes, but never one that the arbiter lists: about data the arbiter is right. */
    private void discard(Look seen, SimNode node) {
        if (node.discarded) {
            return;
        }
        if (seen.active(node)) {
            wanted.add(node);
        } else if (seen.inSync(node)) {
            order(seen, new Event.LeaveRequested(node.copy));
        } else {
            node.discarded = true;
            SimMirror mirror = node.mirror;
            if (!node.up || node.paused() || sim.arbiter.hides(node.copy)) {
                sim.arbiter.forget(node.copy);
                whenReachable(node);
            } else {
                if (mirror != null) {
                    mirror.deliver(new Event.StopRequested());
                }
                world.afterMillis(world.between(20, 1_000), () -> remove(node));
            }
        }
    }

    /** Its host, when it is back, is told that this copy should not exist. */
    private void whenReachable(SimNode node) {
        world.afterMillis(world.between(50, 1_500), () -> {
            if (node.up && !node.paused() && !node.isolated()) {
                remove(node);
            } else {
                whenReachable(node);
            }
        });
    }

    private void remove(SimNode node) {
        ArbiterRecord arbiter = sim.arbiter.stored;
        boolean last = arbiter.active().equals(node.copy) || arbiter.inSync().equals(java.util.Set.of(node.copy));
        if (last) {
            // It was taken back at the last moment and everything hangs on it: that is beyond what can be survived.
            whenReachable(node);
            return;
        }
        if (arbiter.inSync().contains(node.copy)) {
            world.met(World.Branch.DISCARDED_WHILE_LISTED);
        }
        world.say("operator", "removed copy " + node.copy);
        node.remove();
        sim.nodes.remove(node);
        sim.diskFaults.removed(node);
        lostSince.remove(node);
    }
}
