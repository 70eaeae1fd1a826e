package dev.pairvm.mirror.core.sim;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Role;
import java.util.Set;

/** What must hold at every moment of the story; I1 to I7 and L3 are the table of the module's README. */
final class Invariants {
    private final Sim sim;
    private final World world;
    /** The copies in sync by the record before. */
    private Set<CopyId> listed = Set.of(new CopyId("a"));

    private int steps;

    Invariants(Sim sim) {
        this.sim = sim;
        this.world = sim.world;
    }

    private ArbiterRecord stored() {
        return sim.arbiter.stored;
    }

    /** After everything that happens. */
    void now() {
        int open = 0;
        for (int i = 0; i < sim.nodes.size(); i++) {
            open += sim.nodes.get(i).gateOpen() ? 1 : 0;
        }
        Checks.that(open <= 1, "I5 two gates open", () -> "record " + stored());
    }

    /** After each step of a core. */
    void stepped(SimMirror mirror) {
        Role role = mirror.core.role();
        Role before = mirror.node.role;
        mirror.node.role = role;
        if (before != role) {
            world.say(mirror.copy().value(), "is " + role);
            if (role == Role.SUSPENDED) {
                world.met(World.Branch.SUSPENDED);
            } else if (role == Role.ACTIVE && mirror.node.number > 1) {
                world.met(World.Branch.NEW_COPY_LEADS);
            } else if (before == Role.SUSPENDED && role == Role.ACTIVE) {
                world.met(World.Branch.RESUMED_IN_PLACE);
            } else if (before != null && before.leads() && role == Role.IDLE) {
                world.met(World.Branch.FENCED);
            }
        }
        int actives = 0;
        long now = stored().epoch().value();
        for (int i = 0; i < sim.nodes.size(); i++) {
            SimNode node = sim.nodes.get(i);
            SimMirror each = node.mirror;
            if (each != null && each.core.role() == Role.ACTIVE) {
                long epoch = each.core.leadEpoch();
                actives += epoch == now ? 1 : 0;
            }
            if (node.disk.superblock != null) {
                long seen = node.disk.superblock.maxEpochSeen().value();
                Checks.that(seen <= now, "I4 epoch seen is not above the record", () -> seen + " " + stored());
            }
        }
        noFollowerIsSmaller("after a step");
        Checks.that(actives <= 1, "I2 two actives", () -> "record " + stored());
        if (++steps % 97 == 0) {
            differencesAreNamed();
            mirror.paced();
        }
    }

    /** I8: no copy in sync is smaller than the active, so whoever is promoted can hold every write. */
    private void noFollowerIsSmaller(String when) {
        SimNode active = sim.node(stored().active());
        if (!stored().inSync().contains(active.copy) || active.disk.replaced) {
            return;
        }
        for (int i = 0; i < sim.nodes.size(); i++) {
            SimNode peer = sim.nodes.get(i);
            if (peer == active || !stored().inSync().contains(peer.copy) || peer.disk.replaced) {
                continue;
            }
            for (int disk = 0; disk < sim.diskBytes.size(); disk++) {
                long here = active.disk.sizes.get(disk);
                long there = peer.disk.sizes.get(disk);
                if (there > here) {
                    world.met(World.Branch.FOLLOWER_LARGER);
                } else if (here > sim.bytesAtFirst.get(disk)) {
                    world.met(World.Branch.DISK_GROWN);
                }
                Checks.that(
                        there >= here,
                        "I8 an in-sync copy is smaller than the active " + when,
                        () -> active.copy + " has " + active.disk.sizes + ", " + peer.copy + " " + peer.disk.sizes);
            }
        }
    }

    void recordChanged(ArbiterRecord arbiterRecord) {
        sim.nodes.stream()
                .filter(node -> arbiterRecord.inSync().contains(node.copy) && !listed.contains(node.copy))
                .forEach(node -> Checks.that(
                        node.disk.replaced
                                || node.disk.superblock != null
                                        && node.disk.superblock.state() != CopyState.BLANK
                                        && node.disk.superblock.state() != CopyState.SYNCING,
                        "a copy seals itself before it is listed in sync",
                        () -> node.copy + " has " + node.disk.superblock + " in " + arbiterRecord));
        sim.nodes.stream()
                .filter(node -> arbiterRecord.inSync().contains(node.copy) && !listed.contains(node.copy))
                .forEach(this::joined);
        if (arbiterRecord.mode() == ArbiterRecord.Mode.FT
                && arbiterRecord.inSync().size() == 1) {
            world.met(World.Branch.HANDED_TO_TWIN);
            sim.handingOver = false; // the old active's copy catches up
        }
        Checks.that(
                !sim.handingOver || arbiterRecord.inSync().size() == 2,
                "hand-over and growth in calm keep both copies in sync",
                arbiterRecord::toString);
        noFollowerIsSmaller("when the record changed");
        Checks.that(
                arbiterRecord.inSync().size() == 1
                        || sim.nodes.stream()
                                .noneMatch(node -> node.uncommitted
                                        && arbiterRecord.inSync().contains(node.copy)),
                "I1 who is in sync does not lack what lies in another's overlays",
                arbiterRecord::toString);
        listed = Set.copyOf(arbiterRecord.inSync());
        if (arbiterRecord.inSync().size() == 2) {
            world.met(World.Branch.GROWN);
        } else {
            world.met(World.Branch.SHRUNK);
        }
        sim.nodes.stream()
                .filter(node -> !arbiterRecord.inSync().contains(node.copy))
                .forEach(node -> {
                    node.disk.replaced = false;
                    sim.diskFaults.unlisted(node);
                });
        if (!arbiterRecord.inSync().contains(arbiterRecord.active())) {
            world.met(World.Branch.WITHOUT_DISK);
            sim.nodes.stream()
                    .filter(node -> node.copy.equals(arbiterRecord.active()))
                    .forEach(sim.diskFaults::out);
        }
        for (int cell = 0; cell < sim.oracle.size(); cell++) {
            cell(cell, "I1 when the record changed to epoch " + arbiterRecord.epoch());
        }
    }

    private void joined(SimNode node) {
        SimNode active = sim.node(stored().active());
        if (node.number > 1 && node != active) {
            world.met(World.Branch.NEW_COPY_JOINED);
            if (active.cause == Effect.StartCause.PROMOTED) {
                world.met(World.Branch.NEW_COPY_JOINED_A_PROMOTED);
            }
        }
        if (!sim.operator.wants(node)) {
            world.met(World.Branch.DISCARDED_COPY_FILLED);
        }
    }

    /** Every copy in sync holds a current value in this cell, or lost power since and holds one that survives. */
    void cell(int cell, String when) {
        for (int i = 0; i < sim.nodes.size(); i++) {
            SimNode node = sim.nodes.get(i);
            if (stored().inSync().contains(node.copy) && !node.disk.replaced) {
                cell(node, cell, when);
            }
        }
    }

    void cell(SimNode node, int cell, String when) {
        if (!node.disk.has(cell)) {
            return;
        }
        long word = node.disk.read(cell);
        if (sim.oracle.current(cell, word) || sim.rot.is(word)) {
            return;
        }
        boolean copiedSetBack = false;
        for (SimNode other : sim.nodes) {
            copiedSetBack |= other != node && other.disk.setBack[cell] && other.disk.read(cell) == word;
        }
        node.disk.setBack[cell] |= copiedSetBack;
        Checks.that(
                node.disk.setBack[cell] && sim.oracle.survives(cell, word),
                when,
                () -> "copy " + node.copy + " cell " + cell + " holds " + Long.toHexString(word) + ", history"
                        + sim.oracle.describe(cell));
    }

    void written(SimNode node, int cell) {
        if (stored().inSync().contains(node.copy) && !node.disk.replaced) {
            cell(node, cell, "I1 when written");
        }
    }

    /** After a power loss. */
    void survives(SimNode node, int cell) {
        if (stored().inSync().contains(node.copy) && node.disk.has(cell)) {
            long word = node.disk.read(cell);
            Checks.that(
                    sim.oracle.survives(cell, word) || sim.rot.is(word),
                    "flushed data survives a power loss",
                    () -> "copy " + node.copy + " cell " + cell + " fell to " + Long.toHexString(word) + ", history"
                            + sim.oracle.describe(cell));
        }
    }

    /** I7: what differs between two copies is named by a log or the bitmap. */
    private void differencesAreNamed() {
        for (int i = 0; i < sim.nodes.size(); i++) {
            for (int j = i + 1; j < sim.nodes.size(); j++) {
                differencesAreNamed(sim.nodes.get(i), sim.nodes.get(j));
            }
        }
    }

    private void differencesAreNamed(SimNode one, SimNode two) {
        SimDisk a = one.disk;
        SimDisk b = two.disk;
        long mine = a.lineage().current();
        long theirs = b.lineage().current();
        boolean comparable = mine != 0
                && theirs != 0
                && (mine == theirs
                        || mine == b.lineage().base()
                        || theirs == a.lineage().base());
        if (!comparable || sim.diskFaults.known(one) || sim.diskFaults.known(two) || syncing(a) || syncing(b)) {
            return;
        }
        for (int disk = 0; disk < sim.diskBytes.size(); disk++) {
            for (long offset = 0; offset < sim.diskBytes.get(disk); offset += SimDisk.CELL) {
                int cell = a.cell(disk, offset);
                boolean both = a.has(cell) && b.has(cell);
                if (both
                        && a.read(cell) != b.read(cell)
                        && !a.names(disk, offset)
                        && !b.names(disk, offset)
                        && !sim.rot.in(cell)) {
                    throw new Checks.Violation(
                            "I7 a difference that no log names: cell " + cell + " disk " + disk + " offset " + offset
                                    + " " + one.copy + " " + Long.toHexString(a.read(cell)) + " " + two.copy + " "
                                    + Long.toHexString(b.read(cell)));
                }
            }
        }
    }

    private static boolean syncing(SimDisk disk) {
        return disk.superblock == null || disk.superblock.state() == CopyState.SYNCING;
    }

    /** L3: whatever the guest asked before it became quiet has been answered. */
    void answered() {
        for (SimNode node : sim.nodes) {
            SimGuest guest = node.guest;
            Checks.that(
                    guest == null || guest.drained(),
                    "L3 the guest's requests are answered once faults stop",
                    () -> "guest on " + node.copy + " waits for " + guest);
        }
    }

    /** Whatever is in sync is the same. */
    void equal() {
        var inSync = sim.nodes.stream()
                .filter(node -> stored().inSync().contains(node.copy))
                .toList();
        for (int cell = 0; cell < sim.oracle.size(); cell++) {
            for (SimNode node : inSync) {
                int at = cell;
                Checks.that(
                        !node.disk.has(cell)
                                || !inSync.getFirst().disk.has(cell)
                                || node.disk.read(cell)
                                        == inSync.getFirst().disk.read(cell)
                                || sim.rot.in(cell),
                        "copies are equal when quiet and in sync",
                        () -> "cell " + at);
            }
        }
    }
}
