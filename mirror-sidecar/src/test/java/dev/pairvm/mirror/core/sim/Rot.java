package dev.pairvm.mirror.core.sim;

import dev.pairvm.mirror.core.ChunkHash;
import dev.pairvm.mirror.core.VerifyRun;
import java.util.HashSet;
import java.util.Set;

/**
 * Guest data that change by themselves, on one copy, and no error says so. A rotten cell is known by its word, which nobody ever wrote;
 * a copy of it (a resync from the rotten side, a repair) is as rotten. Nothing is promised of such a cell but what a verification
 * promises; of the same cell on the other copy everything is.
 */
final class Rot {
    private final Sim sim;
    private final Set<Long> words = new HashSet<>();
    /** Cells that rotted once, on any copy. */
    private final Set<Integer> cells = new HashSet<>();

    Rot(Sim sim) {
        this.sim = sim;
    }

    void strike(SimNode node) {
        for (int left = 1 + sim.world.below(4); left > 0; left--) {
            int cell = sim.world.oneIn(2) ? sim.world.below(12) : sim.world.below(node.disk.cells);
            if (!node.disk.has(cell)) {
                continue; // nobody's: beyond the disk's end
            }
            long word = sim.world.word();
            words.add(word);
            cells.add(cell);
            node.disk.rot(cell, word);
        }
    }

    /** Whether this is no word of a guest. */
    boolean is(long word) {
        return !words.isEmpty() && words.contains(word);
    }

    /** Whether any copy's cell is rotten. */
    boolean in(int cell) {
        return sim.nodes.stream().anyMatch(node -> is(node.disk.read(cell)));
    }

    /** What a verification tells of is a place that rotted, or one that could not be read; whatever the guest writes meanwhile. */
    void checkTold(VerifyRun.Mismatch told) {
        sim.world.met(World.Branch.MISMATCH);
        int first = sim.nodes.get(0).disk.cell(told.disk(), told.offset());
        boolean rotted = told.standby().equals(ChunkHash.UNREADABLE) && sim.diskFaults.any();
        for (int cell = first; cell < first + told.length() / SimDisk.CELL; cell++) {
            rotted |= cells.contains(cell);
        }
        Checks.that(rotted, "a verification tells of nothing but rot", told::toString);
    }

    /** In calm: whatever differs is found, told, and made as it is on the active, of which nothing is changed. */
    void checkFound(SimNode active, SimNode standby, long[] before, boolean differed, VerifyRun run) {
        Checks.that(run.proves(), "L4 a verification in calm is complete", run::toString);
        Checks.that(
                run.mismatches() > 0 == differed, "a verification finds what differs, and only that", run::toString);
        for (int cell = 0; cell < before.length; cell++) {
            int at = cell;
            if (!active.disk.has(cell)) {
                continue;
            }
            Checks.that(
                    active.disk.read(cell) == before[cell],
                    "a verification leaves the active's data alone",
                    () -> "cell " + at);
            Checks.that(
                    standby.disk.read(cell) == before[cell],
                    "a verification repairs the standby's data",
                    () -> "cell " + at);
        }
    }
}
