package dev.pairvm.mirror.core.sim;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Role;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What goes wrong, and when it stops. Each seed prefers some faults, so that rare combinations come up. */
final class Faults {
    private static final List<String> PHASES = List.of(
            "CasArbiter",
            "PersistSuperblock",
            "PersistActivityLog",
            "MakeRoom",
            "Grow",
            "Grown",
            "ClearBookkeeping",
            "FlushLocal",
            "HashLocal",
            "SendChunk",
            "StopGranting",
            "SetBeacons",
            "BeginHandOver",
            "StartGuest",
            "KillGuest",
            "FreezeGuest",
            "Hello",
            "Attach",
            "Attached",
            "EpochChanged",
            "HashReply",
            "Seal",
            "Sealed",
            "Outdate",
            "Outdated",
            "HandedOver",
            "FlushAck");

    private static final long REPAIR_NANOS = 4_000 * World.MILLI;

    private final Sim sim;
    private final World world;
    private final Map<Fault, Integer> weights = new EnumMap<>(Fault.class);
    private boolean on;
    private boolean wiped;
    private long repairedAt;

    Faults(Sim sim) {
        this.sim = sim;
        this.world = sim.world;
    }

    void begin() {
        on = true;
        for (Fault fault : Fault.values()) {
            boolean known = world.oneIn(fault.rarity);
            int rare = fault == Fault.DISK_FAULT ? 12 : fault.rarity >= 4 ? 3 : 1;
            weights.put(fault, !known ? 0 : world.oneIn(3) ? Math.max(5, rare) : rare);
        }
        next();
    }

    private void next() {
        world.afterMillis(world.oneIn(4) ? world.between(1, 60) : world.between(60, 900), () -> {
            if (on) {
                strike();
                next();
            }
        });
    }

    private void strike() {
        int pick = world.below(
                weights.values().stream().mapToInt(Integer::intValue).sum());
        for (Map.Entry<Fault, Integer> weight : weights.entrySet()) {
            pick -= weight.getValue();
            if (pick < 0) {
                Fault fault = weight.getKey();
                SimNode node = sim.nodes.get(world.below(sim.nodes.size()));
                if (world.tracing()) {
                    world.say("fault", fault + " at " + node.copy);
                }
                if (strike(fault, node)) {
                    world.struck(fault);
                }
                return;
            }
        }
    }

    /** Whether it could be done. */
    private boolean strike(Fault fault, SimNode node) {
        switch (fault) {
            case NODE_CRASH -> {
                return crashNode(node, false);
            }
            case BLANK_DISK -> {
                return crashNode(node, true);
            }
            case BOTH_LOSE_POWER -> {
                return List.copyOf(sim.nodes).stream()
                        .map(each -> crashNode(each, false))
                        .reduce(true, Boolean::logicalAnd);
            }
            case PROCESS_CRASH -> {
                return crashProcess(node);
            }
            case KILLED_IN_PHASE -> node.killIn = PHASES.get(world.below(PHASES.size()));
            case STOPPED_IN_ORDER -> {
                return stop(node);
            }
            case GUEST_CRASH -> {
                return sim.guests.crash(node);
            }
            case LINK_CUT -> {
                SimNode other = sim.another(node);
                cut(List.of(new Cut(node, other), new Cut(other, node)));
            }
            case ONE_WAY_CUT -> cut(List.of(new Cut(node, sim.another(node))));
            case LINK_RESET -> sim.net.reset(sim.nodes.get(0), sim.another(sim.nodes.get(0)));
            case SLOW_LINK -> {
                sim.slowLink = true;
                world.afterMillis(world.between(100, 3000), () -> sim.slowLink = false);
            }
            case HOST_ISOLATED -> {
                arbiterOut(node, false);
                cut(sim.nodes.stream()
                        .filter(other -> other != node)
                        .flatMap(other -> Stream.of(new Cut(node, other), new Cut(other, node)))
                        .toList());
            }
            case NODE_PAUSE -> {
                node.pausedUntil = until(20, world.oneIn(5) ? 5_000 : 1_500);
                return node.up;
            }
            case LOOP_STALL -> {
                SimMirror mirror = node.mirror;
                if (mirror != null) {
                    mirror.stall(until(20, world.oneIn(4) ? 3_000 : 900));
                }
                return mirror != null;
            }
            case ARBITER_OUTAGE -> arbiterOut(node, world.oneIn(3));
            case ARBITER_THROTTLED -> mask(SimArbiter.Mask.THROTTLED);
            case ARBITER_MISSING -> mask(SimArbiter.Mask.MISSING);
            case ARBITER_MALFORMED -> mask(SimArbiter.Mask.MALFORMED);
            case ARBITER_REPLACED -> {
                return knownBeyond(1) && mask(SimArbiter.Mask.REPLACED);
            }
            case ARBITER_ROLLED_BACK -> {
                return knownBeyond(sim.arbiter.oldEpoch()) && mask(SimArbiter.Mask.ROLLED_BACK);
            }
            case RECORD_EDITED -> sim.arbiter.edit();
            case ADDRESS_LINE -> sim.arbiter.addressLine(node.copy);
            case LEVEL_CHANGED -> sim.wishTwin(!sim.twinWished);
            case HAND_OVER_ORDER -> {
                return order(node, new Event.HandOverRequested(sim.another(node).copy));
            }
            case LEAVE_ORDER -> {
                return order(node, new Event.LeaveRequested(sim.another(node).copy));
            }
            case VERIFY_ORDER -> {
                return order(node, new Event.VerifyRequested());
            }
            case SILENT_ROT -> sim.rot.strike(node);
            case GROW_ORDER -> {
                int disk = world.below(sim.diskBytes.size());
                long more = (1 + world.below(24)) * (long) SimDisk.CELL;
                long wish = Math.min(sim.diskBytes.get(disk), node.disk.sizes.get(disk) + more);
                return order(node, new Event.GrowRequested(disk, wish));
            }
            case SLOW_DISK -> {
                sim.slowDisk = node;
                world.afterMillis(world.between(100, 2000), () -> sim.slowDisk = null);
            }
            case DISK_STALL -> node.diskStalledUntil = until(100, world.oneIn(4) ? 5_000 : 1_500);
            case DISK_FAULT -> sim.diskFaults.strike(node);
            case WRITE_ERRORS -> {
                sim.diskErrors = true;
                sim.diskErrorsWere = true;
                world.afterMillis(world.between(100, 600), () -> sim.diskErrors = false);
            }
        }
        return true;
    }

    private long until(double fromMillis, double toMillis) {
        return world.now() + (long) (world.between(fromMillis, toMillis) * World.MILLI);
    }

    /** Blank disks only where the record does not need them: losing the last good copy is not survivable. */
    private boolean crashNode(SimNode node, boolean blank) {
        boolean spare = !sim.arbiter.stored.active().equals(node.copy)
                && sim.arbiter.stored.inSync().size() == 2
                && !sim.arbiter.mayBecomeSole(node.copy)
                && sim.diskFaults.good(sim.node(sim.arbiter.stored.active()));
        if (!node.up || blank && (wiped || !spare)) {
            return false;
        }
        node.crash();
        if (blank) {
            wiped = true;
            node.disk.wipe(world);
            node.disk.replaced = true;
        }
        world.afterMillis(world.between(30, 3500), node::powerOn);
        return true;
    }

    /** The process dies of a chosen effect, now and then with its host. */
    void killed(SimNode node) {
        node.killIn = "";
        if (world.oneIn(2)) {
            crashNode(node, false);
        } else {
            crashProcess(node);
        }
    }

    private boolean crashProcess(SimNode node) {
        boolean ran = node.mirror != null;
        node.crashMirror();
        world.afterMillis(world.between(30, 1800), node::startMirror);
        return ran;
    }

    private boolean stop(SimNode node) {
        SimMirror mirror = node.mirror;
        if (mirror == null) {
            return false;
        }
        mirror.deliver(new Event.StopRequested());
        world.afterMillis(1_000, () -> {
            if (node.mirror == mirror) {
                crashProcess(node);
            }
        });
        return true;
    }

    /** It stopped in order; a new life begins soon. */
    void exited(SimNode node) {
        if (!node.discarded) {
            crashProcess(node);
        }
    }

    private record Cut(SimNode from, SimNode to) {}

    private void cut(List<Cut> cuts) {
        cuts.forEach(cut -> cut.from().cutOffFrom(cut.to(), true));
        world.afterMillis(
                world.oneIn(2) ? world.between(20, 400) : world.between(400, 3000),
                () -> cuts.forEach(cut -> cut.from().cutOffFrom(cut.to(), false)));
    }

    private void arbiterOut(SimNode node, boolean both) {
        sim.arbiter.silent = world.oneIn(2);
        for (SimNode each : sim.nodes) {
            if (both || each == node) {
                CopyId copy = each.copy;
                sim.arbiter.cut.put(copy, true);
                world.afterMillis(world.between(100, 3500), () -> sim.arbiter.cut.put(copy, false));
            }
        }
    }

    private boolean mask(SimArbiter.Mask mask) {
        sim.arbiter.mask = mask;
        world.afterMillis(world.between(100, 2500), () -> sim.arbiter.mask = SimArbiter.Mask.NONE);
        return true;
    }

    /** Both copies know the arbiter, and an epoch above this one: what they must not fall for is a lie to them. */
    private boolean knownBeyond(long epoch) {
        return sim.nodes.stream()
                .allMatch(node -> node.disk.superblock != null
                        && !node.disk.superblock.arbiterUid().isEmpty()
                        && node.disk.superblock.maxEpochSeen().value() > epoch);
    }

    private boolean order(SimNode node, Event order) {
        SimMirror mirror = node.mirror;
        if (mirror != null) {
            mirror.deliver(order);
        }
        return mirror != null;
    }

    void end() {
        on = false;
        sim.slowLink = false;
        sim.slowDisk = null;
        sim.diskErrors = false;
        sim.diskFaults.end();
        sim.arbiter.mask = SimArbiter.Mask.NONE;
        for (SimNode node : sim.nodes) {
            node.killIn = "";
            sim.nodes.forEach(other -> node.cutOffFrom(other, false));
            sim.arbiter.cut.put(node.copy, false);
            world.afterMillis(100, () -> {
                node.powerOn();
                node.startMirror();
            });
        }
    }

    /** Only a new life comes back after an order to leave. */
    void repair() {
        for (SimNode node : sim.nodes) {
            boolean left = world.branches.containsKey(World.Branch.LEFT)
                    && !sim.arbiter.stored.active().equals(node.copy)
                    && !sim.arbiter.stored.inSync().contains(node.copy);
            SimMirror mirror = node.mirror;
            if (left && mirror != null && mirror.core.role() == Role.IDLE && world.now() - repairedAt > REPAIR_NANOS) {
                repairedAt = world.now();
                node.crashMirror();
                node.startMirror();
            }
        }
    }

    /** L1: with a copy in sync and the arbiter there, the machine runs and the pair is whole again. */
    void checkHealed(boolean whole) {
        boolean failed = sim.nodes.stream()
                .anyMatch(node -> node.disk.superblock != null && node.disk.superblock.state() == CopyState.FAILED);
        boolean diskFault = failed || sim.diskFaults.any() || sim.diskErrorsSeen();
        Checks.that(
                whole || sim.excused(diskFault),
                "L1 the pair is whole again after faults stop",
                () -> "record " + sim.arbiter.stored + " "
                        + sim.nodes.stream().map(Faults::view).toList());
    }

    private static String view(SimNode node) {
        SimMirror mirror = node.mirror;
        return node.copy + " " + (mirror == null ? "down" : mirror.view().toString());
    }
}
