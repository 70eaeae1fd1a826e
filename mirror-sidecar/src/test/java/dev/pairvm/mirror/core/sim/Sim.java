package dev.pairvm.mirror.core.sim;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.CoreConfig;
import dev.pairvm.mirror.core.CountingRules;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Mutants;
import dev.pairvm.mirror.core.PairCore;
import dev.pairvm.mirror.core.Role;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One simulated machine on two hosts, its invariants, and the end that it must come to once faults stop. */
final class Sim {
    private static final long FAULTS_MILLIS = 7_000;
    private static final long HEAL_MILLIS = 30_000;
    /** With a failed disk the pair does not become whole by itself; the guest is served long before. */
    private static final long SERVED_MILLIS = 8_000;

    /** A disk may stall for five seconds, and another five when its mirror tries again. */
    private static final long ANSWER_MILLIS = 12_000;

    private static final long HAND_OVER_MILLIS = 3_000;

    final World world;
    private final Mutants mutant;
    /** Of both cores, unless a rule is relaxed. */
    final CountingRules rules = new CountingRules();

    final List<Long> diskBytes;
    final int hotExtents;
    final Oracle oracle;
    final List<SimNode> nodes;
    final SimArbiter arbiter;
    final SimNet net;
    final Faults faults;
    final DiskFaults diskFaults;
    boolean calm;
    boolean slowLink;
    boolean diskErrors;
    boolean diskErrorsWere;
    final boolean suspendOnSlowPeer;

    @Nullable
    SimNode slowDisk;

    /** A hand-over in calm is under way. */
    private boolean handingOver;

    private boolean quiet;
    private @Nullable SimGuest moved;
    private final @Nullable Role[] roles = new Role[2];
    /** The copies in sync by the record before. */
    private Set<CopyId> listed = Set.of(new CopyId("a"));

    private int steps;

    Sim(long seed, Mutants mutant, int traceLines) {
        world = new World(seed, traceLines);
        this.mutant = mutant;
        boolean twoDisks = world.oneIn(2);
        long first = (6L << 20) + 3L * SimDisk.CELL;
        diskBytes = twoDisks ? List.of(first, (4L << 20) + SimDisk.CELL) : List.of(first + (4L << 20));
        hotExtents = 2 + world.below(3);
        suspendOnSlowPeer = world.oneIn(6);
        CopyId a = new CopyId("a");
        CopyId b = new CopyId("b");
        nodes = List.of(new SimNode(this, a), new SimNode(this, b));
        oracle = new Oracle(nodes.get(0).disk.cells);
        arbiter = new SimArbiter(world, a, this::recordChanged);
        net = new SimNet(this);
        diskFaults = new DiskFaults(world);
        faults = new Faults(this);
    }

    /** Runs the whole story; throws on a violation. */
    void run() {
        nodes.forEach(SimNode::startMirror);
        runFor(1_200);
        faults.begin();
        runFor(FAULTS_MILLIS);
        faults.end();
        calm = true;
        arbiter.calm = true;
        long until = world.now() + (diskFaults.any() ? SERVED_MILLIS : HEAL_MILLIS) * World.MILLI;
        while (world.now() < until && !whole()) {
            runFor(100);
            faults.repair();
        }
        faults.checkHealed(whole());
        if (whole() && world.oneIn(2)) {
            handOverInCalm();
        }
        diskFaults.checkServed(this);
        quiet = true;
        runFor(1_500);
        long answered = world.now() + ANSWER_MILLIS * World.MILLI;
        while (world.now() < answered && !(whole() && answered())) {
            runFor(100);
        }
        if (whole()) {
            checkAnswered();
            checkEqual();
        }
    }

    /** With nothing wrong, a planned hand-over takes place, and the pair is redundant at every moment of it. */
    private void handOverInCalm() {
        runFor(1_000);
        SimNode to = nodes.get(nodes.get(0).copy.equals(arbiter.stored.active()) ? 1 : 0);
        SimMirror from = other(to).mirror;
        boolean settled = whole()
                && !diskFaults.any()
                && !diskErrorsWere
                && net.sound()
                && nodes.stream()
                        .allMatch(node ->
                                node.mirror != null && !node.mirror.behind() && node.diskStalledUntil < world.now());
        if (!settled || from == null || !from.knows(arbiter.stored)) {
            return;
        }
        handingOver = true;
        from.deliver(new Event.HandOverRequested(to.copy));
        long until = world.now() + HAND_OVER_MILLIS * World.MILLI;
        while (world.now() < until && !(whole() && arbiter.stored.active().equals(to.copy))) {
            runFor(10);
        }
        Checks.that(
                whole() && arbiter.stored.active().equals(to.copy),
                "L2 a hand-over in calm takes place",
                () -> "record " + arbiter.stored);
        runFor(300);
        handingOver = false;
        world.met(World.Branch.CALM_HAND_OVER);
    }

    private void runFor(long millis) {
        world.runUntil(world.now() + millis * World.MILLI, this::checkNow);
    }

    /** Whether writes failed on either disk at random: then both copies may be out. */
    boolean diskErrorsSeen() {
        return diskErrorsWere;
    }

    boolean quiet() {
        return quiet;
    }

    private boolean whole() {
        return arbiter.stored.inSync().size() == 2
                && nodes.stream().anyMatch(node -> node.mirror != null && node.mirror.core.role() == Role.ACTIVE)
                && nodes.stream().anyMatch(node -> node.guest != null && !node.guest.frozen && !node.guest.paused);
    }

    // -------------------------------------------------------------------------------------------------------------
    // checks

    private void checkNow() {
        int open = 0;
        for (SimNode node : nodes) {
            open += node.gateOpen() ? 1 : 0;
        }
        Checks.that(open <= 1, "I5 two gates open", () -> "record " + arbiter.stored);
    }

    /** After each step of a core. */
    void stepped(SimMirror mirror) {
        Role role = mirror.core.role();
        int side = mirror.node == nodes.get(0) ? 0 : 1;
        Role before = roles[side];
        roles[side] = role;
        if (before != role) {
            world.say(mirror.copy().value(), "is " + role);
            if (role == Role.SUSPENDED) {
                world.met(World.Branch.SUSPENDED);
            } else if (before == Role.SUSPENDED && role == Role.ACTIVE) {
                world.met(World.Branch.RESUMED_IN_PLACE);
            } else if (before != null && before.leads() && role == Role.IDLE) {
                world.met(World.Branch.FENCED);
            }
        }
        int actives = 0;
        long now = arbiter.stored.epoch().value();
        for (SimNode node : nodes) {
            SimMirror each = node.mirror;
            if (each != null && each.core.role() == Role.ACTIVE) {
                long epoch = each.core.leadEpoch();
                actives += epoch == now ? 1 : 0;
            }
            if (node.disk.superblock != null) {
                long seen = node.disk.superblock.maxEpochSeen().value();
                Checks.that(seen <= now, "I4 epoch seen is not above the record", () -> seen + " " + arbiter.stored);
            }
        }
        Checks.that(actives <= 1, "I2 two actives", () -> "record " + arbiter.stored);
        if (++steps % 97 == 0) {
            checkCoverage();
        }
    }

    private void recordChanged(ArbiterRecord arbiterRecord) {
        nodes.stream()
                .filter(node -> arbiterRecord.inSync().contains(node.copy) && !listed.contains(node.copy))
                .forEach(node -> Checks.that(
                        node.disk.replaced
                                || node.disk.superblock != null
                                        && node.disk.superblock.state() != CopyState.BLANK
                                        && node.disk.superblock.state() != CopyState.SYNCING,
                        "a copy seals itself before it is listed in sync",
                        () -> node.copy + " has " + node.disk.superblock + " in " + arbiterRecord));
        Checks.that(
                !handingOver || arbiterRecord.inSync().size() == 2,
                "a hand-over in calm keeps both copies in sync",
                arbiterRecord::toString);
        listed = Set.copyOf(arbiterRecord.inSync());
        if (arbiterRecord.inSync().size() == 2) {
            world.met(World.Branch.GROWN);
        } else {
            world.met(World.Branch.SHRUNK);
        }
        nodes.stream()
                .filter(node -> !arbiterRecord.inSync().contains(node.copy))
                .forEach(node -> {
                    node.disk.replaced = false;
                    diskFaults.unlisted(node);
                });
        if (!arbiterRecord.inSync().contains(arbiterRecord.active())) {
            world.met(World.Branch.WITHOUT_DISK);
            nodes.stream()
                    .filter(node -> node.copy.equals(arbiterRecord.active()))
                    .forEach(diskFaults::out);
        }
        for (int cell = 0; cell < oracle.size(); cell++) {
            checkCell(cell, "I1 when the record changed to epoch " + arbiterRecord.epoch());
        }
    }

    /** Every copy in sync holds a current value in this cell, or lost power since and holds one that survives. */
    void checkCell(int cell, String when) {
        for (SimNode node : nodes) {
            if (arbiter.stored.inSync().contains(node.copy) && !node.disk.replaced) {
                checkCell(node, cell, when);
            }
        }
    }

    private void checkCell(SimNode node, int cell, String when) {
        long word = node.disk.read(cell);
        if (oracle.current(cell, word)) {
            return;
        }
        SimNode other = other(node);
        boolean copiedSetBack = other.disk.setBack[cell] && other.disk.read(cell) == word;
        node.disk.setBack[cell] |= copiedSetBack;
        Checks.that(
                node.disk.setBack[cell] && oracle.survives(cell, word),
                when,
                () -> "copy " + node.copy + " cell " + cell + " holds " + Long.toHexString(word) + ", history"
                        + oracle.describe(cell));
    }

    void written(SimNode node, int cell) {
        if (arbiter.stored.inSync().contains(node.copy) && !node.disk.replaced) {
            checkCell(node, cell, "I1 when written");
        }
    }

    void checkSurvives(SimNode node, int cell) {
        if (arbiter.stored.inSync().contains(node.copy)) {
            long word = node.disk.read(cell);
            Checks.that(
                    oracle.survives(cell, word),
                    "flushed data survives a power loss",
                    () -> "copy " + node.copy + " cell " + cell + " fell to " + Long.toHexString(word) + ", history"
                            + oracle.describe(cell));
        }
    }

    PairCore core(CoreConfig config) {
        return mutant == Mutants.NONE ? rules.core(config) : mutant.core(config);
    }

    SimNode other(SimNode node) {
        return nodes.get(node == nodes.get(0) ? 1 : 0);
    }

    /** I7: what differs between the copies is named by a log or the bitmap. */
    private void checkCoverage() {
        SimDisk a = nodes.get(0).disk;
        SimDisk b = nodes.get(1).disk;
        long related = a.lineage().current();
        boolean comparable = related != 0
                && (related == b.lineage().current()
                        || related == b.lineage().base()
                        || b.lineage().current() == a.lineage().base());
        if (!comparable
                || diskFaults.known(nodes.get(0))
                || diskFaults.known(nodes.get(1))
                || syncing(a)
                || syncing(b)) {
            return;
        }
        for (int disk = 0; disk < diskBytes.size(); disk++) {
            for (long offset = 0; offset < diskBytes.get(disk); offset += SimDisk.CELL) {
                int cell = a.cell(disk, offset);
                if (a.read(cell) != b.read(cell) && !a.names(disk, offset) && !b.names(disk, offset)) {
                    throw new Checks.Violation(
                            "I7 a difference that no log names: cell " + cell + " disk " + disk + " offset " + offset
                                    + " a " + Long.toHexString(a.read(cell)) + " b " + Long.toHexString(b.read(cell)));
                }
            }
        }
    }

    private static boolean syncing(SimDisk disk) {
        return disk.superblock == null || disk.superblock.state() == CopyState.SYNCING;
    }

    private boolean answered() {
        return nodes.stream().allMatch(node -> node.guest == null || node.guest.drained());
    }

    /** L3: whatever the guest asked before it became quiet has been answered. */
    private void checkAnswered() {
        for (SimNode node : nodes) {
            SimGuest guest = node.guest;
            Checks.that(
                    guest == null || guest.drained(),
                    "L3 the guest's requests are answered once faults stop",
                    () -> "guest on " + node.copy + " waits for " + guest);
        }
    }

    private void checkEqual() {
        for (int cell = 0; cell < oracle.size(); cell++) {
            int at = cell;
            Checks.that(
                    nodes.get(0).disk.read(cell) == nodes.get(1).disk.read(cell),
                    "copies are equal when quiet and in sync",
                    () -> "cell " + at);
        }
    }

    // --------------------------------------------------------------------------------------------------------------
    // guest

    void guestMayRun(SimNode node, Effect.StartGuest effect) {
        switch (effect.cause()) {
            case PROMOTED -> world.met(World.Branch.PROMOTED);
            case STARTED -> world.met(World.Branch.STARTED);
            case HANDED_OVER -> world.met(World.Branch.HANDED_OVER);
        }
        if (node.guest != null) {
            node.guest.paused = false;
            node.guest.moving = false;
            return;
        }
        SimGuest migrated = moved;
        if (effect.cause() == Effect.StartCause.HANDED_OVER && migrated != null && !migrated.dead()) {
            moved = null;
            migrated.node = node;
            migrated.paused = false;
            migrated.moving = false;
            migrated.frozen = false;
            node.guest = migrated;
            return;
        }
        boot(node);
    }

    private void boot(SimNode node) {
        // An active that is out of the record serves its peer's disk.
        SimNode holder = arbiter.stored.inSync().contains(node.copy) ? node : other(node);
        for (int cell = 0; cell < oracle.size(); cell++) {
            checkCell(holder, cell, "I1 and I3 when booted");
            oracle.booted(cell, holder.disk.read(cell));
            holder.disk.setBack[cell] = false;
        }
        for (int cell = 0; cell < oracle.size(); cell++) {
            checkCell(cell, "I3 in-sync peers when booted");
        }
        node.guest = new SimGuest(this, node);
    }

    /** QEMU ends; the mirror notices its closed connection, and a new one boots when the requests of the old have ended. */
    boolean crashGuest(SimNode node) {
        SimGuest guest = node.guest;
        SimMirror mirror = node.mirror;
        if (guest == null || mirror == null || guest.moving || guest.paused) {
            return false;
        }
        guest.die();
        node.guest = null;
        mirror.deliver(new Event.GuestDisconnected());
        reboot(node, mirror);
        return true;
    }

    private void reboot(SimNode node, SimMirror mirror) {
        world.afterMillis(world.between(5, 60), () -> {
            if (node.mirror != mirror
                    || node.guest != null
                    || !mirror.core.role().leads()) {
                return;
            }
            if (mirror.core.role() == Role.ACTIVE && mirror.idle() && !node.paused()) {
                world.met(World.Branch.GUEST_REBOOTED);
                boot(node);
            } else {
                reboot(node, mirror);
            }
        });
    }

    void moveGuest(SimMirror from) {
        SimGuest guest = from.node.guest;
        if (guest == null || !calm && world.oneIn(5)) {
            from.later(world.between(1, 50), new Event.HandOverAbandoned());
            return;
        }
        guest.moving = true;
        world.afterMillis(world.between(5, 60), () -> drain(from, guest, 200));
    }

    private void drain(SimMirror from, SimGuest guest, int patience) {
        if (from.node.mirror != from || guest.dead() || !guest.moving) {
            return;
        }
        guest.paused = true;
        if (guest.drained()) {
            moved = guest;
            from.deliver(new Event.GuestDrained());
        } else if (patience == 0) {
            guest.paused = false;
            guest.moving = false;
            from.deliver(new Event.HandOverAbandoned());
        } else {
            world.afterMillis(5, () -> drain(from, guest, patience - 1));
        }
    }

    boolean movedAway(SimGuest guest) {
        return moved == guest;
    }

    void orderEnded(Effect.OrderEnded e) {
        if (e.order() == Effect.Order.LEAVE && e.refusal().isEmpty()) {
            world.met(World.Branch.LEFT);
        } else if (e.order() == Effect.Order.HAND_OVER && !e.refusal().isEmpty()) {
            world.met(World.Branch.HAND_OVER_LOST);
        }
    }

    String story() {
        return world.story();
    }
}
