package dev.pairvm.mirror.core.sim;

import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Role;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Devices that fail, one of the two: a flush that fails once and drops what it could not write, places that can not be read until they
 * are written anew, and a device that takes nothing any more, metadata included. The other copy is the one that must carry on.
 */
final class DiskFaults {
    private final World world;
    private @Nullable SimNode victim;
    private boolean flushFails;
    private boolean dead;
    private boolean restored;
    private final Set<Integer> badCells = new HashSet<>();
    /** Copies with a write or flush failed: what they have cached is gone as soon as nobody counts on it. */
    private final Set<SimNode> failed = new HashSet<>();
    /** Copies that were put out of a record that still named them active: they miss what no log names. */
    private final Set<SimNode> out = new HashSet<>();

    DiskFaults(World world) {
        this.world = world;
    }

    void strike(SimNode node) {
        if (victim != null && victim != node || dead) {
            return;
        }
        victim = node;
        switch (world.below(4)) {
            case 0 -> flushFails = true;
            case 1 -> {
                dead = true;
                world.met(World.Branch.DEVICE_DIED);
                if (world.oneIn(2)) {
                    // A cable, or a file system that was read-only: it takes writes again, and knows nothing of what it
                    // missed.
                    boolean restarted = world.oneIn(2);
                    world.afterMillis(world.between(20, 1500), () -> {
                        restore();
                        if (restarted && node.mirror != null) {
                            node.crashMirror();
                            world.afterMillis(world.between(30, 300), node::startMirror);
                        }
                    });
                }
            }
            default -> {
                world.met(World.Branch.BAD_PLACE);
                for (int left = 1 + world.below(6); left > 0; left--) {
                    badCells.add(world.oneIn(2) ? world.below(12) : world.below(node.disk.cells));
                }
            }
        }
    }

    private void restore() {
        dead = false;
        restored = true;
    }

    /** Whether a device has failed, so that the pair need not become whole. */
    boolean any() {
        return dead || restored || !failed.isEmpty() || !out.isEmpty() || !badCells.isEmpty();
    }

    /** Whether what is on this node's disk is known to be worth nothing. */
    boolean known(SimNode node) {
        return node == victim && (dead || restored) || failed.contains(node) || out.contains(node);
    }

    void out(SimNode node) {
        out.add(node);
    }

    boolean writeFails(SimNode node) {
        return dead && node == victim;
    }

    boolean metadataFails(SimNode node) {
        return dead && node == victim;
    }

    boolean flushFails(SimNode node) {
        if (node != victim || !dead && !flushFails) {
            return false;
        }
        flushFails = false;
        world.met(World.Branch.FLUSH_ERROR);
        return true;
    }

    boolean readFails(SimNode node, int first, int count) {
        if (node != victim) {
            return false;
        }
        for (int cell = first; cell < first + count; cell++) {
            if (badCells.contains(cell)) {
                return true;
            }
        }
        return dead && world.oneIn(2);
    }

    /** A drive replaces a bad sector when it is written. */
    void rewritten(SimNode node, int cell) {
        if (node == victim && badCells.remove(cell)) {
            world.met(World.Branch.REPAIRED);
        }
    }

    void failed(SimNode node) {
        failed.add(node);
    }

    /** The record does not count on this copy any more. */
    void unlisted(SimNode node) {
        if (failed.contains(node)) {
            node.disk.dropCache();
        }
    }

    /** Its copy is gone, and its disk with it. */
    void removed(SimNode node) {
        failed.remove(node);
        out.remove(node);
        if (node == victim) {
            victim = null;
            dead = false;
            restored = false;
            flushFails = false;
            badCells.clear();
        }
    }

    /** Whether nothing is wrong with its disk, and its host may ask the arbiter. */
    boolean good(SimNode node) {
        return node != victim && !known(node) && !node.discarded;
    }

    void end() {
        flushFails = false;
    }

    /**
     * L1 for a pair with one bad disk: if the record lists a copy whose disk is good, the guest is served. Not one that was ordered to leave
     * and had said so of itself when the other disk failed: it stays as it is until a human decides.
     */
    void checkServed(Sim sim) {
        if (!any() || sim.diskErrorsSeen() || sim.world.faults.containsKey(Fault.BLANK_DISK)) {
            return;
        }
        boolean good = sim.nodes.stream()
                .anyMatch(node -> sim.arbiter.stored.inSync().contains(node.copy)
                        && node != victim
                        && !node.discarded
                        && node.disk.superblock != null
                        && node.disk.superblock.state() == CopyState.IN_SYNC);
        boolean served =
                sim.nodes.stream().anyMatch(node -> node.mirror != null && node.mirror.core.role() == Role.ACTIVE);
        Checks.that(served || !good, "L1 the good copy serves the guest", () -> "record " + sim.arbiter.stored);
    }
}
