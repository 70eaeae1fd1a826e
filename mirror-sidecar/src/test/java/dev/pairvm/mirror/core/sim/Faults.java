package dev.pairvm.mirror.core.sim;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Event;

/** What goes wrong, and when it stops. Each seed prefers some faults, so that rare combinations come up. */
final class Faults {
    private final Sim sim;
    private final World world;
    private final int[] weights = new int[17];
    private boolean on;
    private boolean wiped;

    Faults(Sim sim) {
        this.sim = sim;
        this.world = sim.world;
    }

    void begin() {
        on = true;
        for (int i = 0; i < weights.length; i++) {
            weights[i] = world.oneIn(3) ? 5 : 1;
        }
        weights[14] = world.oneIn(10) ? 8 : 0;
        weights[15] = world.oneIn(12) ? 8 : 0;
        weights[16] = world.oneIn(6) ? 6 : 0;
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
        int total = 0;
        for (int weight : weights) {
            total += weight;
        }
        int pick = world.below(total);
        int kind = 0;
        while (pick >= weights[kind]) {
            pick -= weights[kind++];
        }
        strike(kind, sim.nodes.get(world.below(2)));
    }

    private void strike(int kind, SimNode node) {
        int side = sim.nodes.indexOf(node);
        world.say("fault", kind + " at " + node.copy);
        switch (kind) {
            case 0 -> crashNode(node, false);
            case 1 -> crashProcess(node);
            case 2 -> cut(new int[] {0, 1}, World.Branch.LINK_CUT);
            case 3 -> cut(new int[] {side}, World.Branch.ONE_WAY_CUT);
            case 4 -> {
                world.met(World.Branch.LINK_RESET);
                sim.net.reset();
            }
            case 5 -> arbiterOut(node, world.oneIn(3));
            case 6 -> {
                if (node.up) {
                    world.met(World.Branch.NODE_PAUSE);
                    node.pausedUntil = world.now() + (long) (world.between(20, 1500) * World.MILLI);
                }
            }
            case 7 -> {
                SimMirror mirror = node.mirror;
                if (mirror != null) {
                    world.met(World.Branch.LOOP_STALL);
                    mirror.stalledUntil = world.now() + (long) (world.between(20, 900) * World.MILLI);
                }
            }
            case 8 -> sim.arbiter.addressLine(node.copy);
            case 9 -> order(node);
            case 10 -> {
                // Everything at once: the host is cut off from link and arbiter.
                arbiterOut(node, false);
                cut(new int[] {0, 1}, World.Branch.LINK_CUT);
            }
            case 11 -> {
                sim.slowLink = true;
                world.afterMillis(world.between(100, 3000), () -> sim.slowLink = false);
            }
            case 12 -> {
                world.met(World.Branch.DISK_STALL);
                sim.slowDisk = node;
                world.afterMillis(world.between(100, 2000), () -> sim.slowDisk = null);
            }
            case 13 -> {
                crashNode(sim.nodes.get(0), false);
                crashNode(sim.nodes.get(1), false);
            }
            case 14 -> crashNode(node, true);
            case 15 -> {
                sim.diskErrors = true;
                sim.diskErrorsWere = true;
                world.afterMillis(world.between(100, 600), () -> sim.diskErrors = false);
            }
            case 16 -> sim.diskFaults.strike(node);
            default -> throw new IllegalStateException("fault " + kind);
        }
    }

    /** Blank disks only where the record does not need them: losing the last good copy is not survivable. */
    private void crashNode(SimNode node, boolean blank) {
        if (!node.up) {
            return;
        }
        world.met(World.Branch.NODE_CRASH);
        node.crash();
        boolean spare = !sim.arbiter.stored.active().equals(node.copy)
                && sim.arbiter.stored.inSync().size() == 2;
        if (blank && spare && !wiped) {
            wiped = true;
            world.met(World.Branch.BLANK_DISK);
            node.disk.wipe();
            node.disk.replaced = true;
        }
        world.afterMillis(world.between(30, 3500), node::powerOn);
    }

    private void crashProcess(SimNode node) {
        if (node.mirror != null) {
            world.met(World.Branch.PROCESS_CRASH);
            node.crashMirror();
            world.afterMillis(world.between(30, 1800), node::startMirror);
        }
    }

    private void cut(int[] sides, World.Branch branch) {
        world.met(branch);
        for (int side : sides) {
            sim.net.cut[side] = true;
        }
        world.afterMillis(world.oneIn(2) ? world.between(20, 400) : world.between(400, 3000), () -> {
            for (int side : sides) {
                sim.net.cut[side] = false;
            }
        });
    }

    private void arbiterOut(SimNode node, boolean both) {
        world.met(World.Branch.ARBITER_OUTAGE);
        sim.arbiter.silent = world.oneIn(2);
        for (SimNode each : sim.nodes) {
            if (both || each == node) {
                CopyId copy = each.copy;
                sim.arbiter.cut.put(copy, true);
                world.afterMillis(world.between(100, 3500), () -> sim.arbiter.cut.put(copy, false));
            }
        }
    }

    private void order(SimNode node) {
        SimMirror mirror = node.mirror;
        if (mirror != null) {
            CopyId other = sim.nodes.get(node == sim.nodes.get(0) ? 1 : 0).copy;
            mirror.deliver(world.oneIn(4) ? new Event.LeaveRequested(other) : new Event.HandOverRequested(other));
        }
    }

    void end() {
        on = false;
        sim.slowLink = false;
        sim.slowDisk = null;
        sim.diskErrors = false;
        sim.diskFaults.end();
        sim.net.cut[0] = false;
        sim.net.cut[1] = false;
        for (SimNode node : sim.nodes) {
            sim.arbiter.cut.put(node.copy, false);
            world.afterMillis(100, () -> {
                node.powerOn();
                node.startMirror();
            });
        }
    }

    /** L1: with a copy in sync and the arbiter there, the machine runs and the pair is whole again. */
    void checkHealed(boolean whole) {
        boolean failed = sim.nodes.stream()
                .anyMatch(node -> node.disk.superblock != null && node.disk.superblock.state() == CopyState.FAILED);
        boolean diskFault = failed || sim.diskFaults.any() || world.branches.containsKey(World.Branch.DISK_ERROR);
        boolean leftAway = world.branches.containsKey(World.Branch.LEFT);
        boolean copyLost = wiped;
        Checks.that(
                whole || diskFault || leftAway || copyLost,
                "L1 the pair is whole again after faults stop",
                () -> "record " + sim.arbiter.stored + " a "
                        + (sim.nodes.get(0).mirror == null
                                ? null
                                : sim.nodes.get(0).mirror.view()) + " b "
                        + (sim.nodes.get(1).mirror == null
                                ? null
                                : sim.nodes.get(1).mirror.view()));
    }
}
