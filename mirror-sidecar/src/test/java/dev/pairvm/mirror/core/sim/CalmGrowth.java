package dev.pairvm.mirror.core.sim;

import dev.pairvm.mirror.core.Event;
import java.util.List;

/** With nothing wrong, disks grow to their end, and the pair is redundant at every moment of it. */
final class CalmGrowth {
    private static final long LIMIT_MILLIS = 3_000;

    private final Sim sim;

    CalmGrowth(Sim sim) {
        this.sim = sim;
    }

    /**
     * L5: an order that is sent again and again, as the operator does, lets every disk grow. What an interrupted growth left different is
     * made up for.
     */
    void run() {
        SimNode active = sim.node(sim.arbiter.stored.active());
        long until = sim.world.now() + LIMIT_MILLIS * World.MILLI;
        while (sim.world.now() < until && !grown()) {
            for (int disk = 0; disk < sim.diskBytes.size(); disk++) {
                SimMirror mirror = active.mirror;
                if (mirror != null) {
                    mirror.deliver(new Event.GrowRequested(disk, sim.diskBytes.get(disk)));
                }
            }
            sim.runFor(50);
        }
        Checks.that(grown(), "L5 disks grow in calm", () -> sizes() + " of " + sim.diskBytes);
        sim.world.met(World.Branch.CALM_GROWTH);
    }

    private boolean grown() {
        return inSync().stream()
                .allMatch(node -> node.disk.sizes.equals(sim.diskBytes) && node.served.equals(sim.diskBytes));
    }

    private List<SimNode> inSync() {
        return sim.arbiter.stored.inSync().stream().map(sim::node).toList();
    }

    private List<List<Long>> sizes() {
        return inSync().stream().map(node -> node.disk.sizes).toList();
    }
}
