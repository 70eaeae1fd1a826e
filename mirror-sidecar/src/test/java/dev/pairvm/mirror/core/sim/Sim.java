package dev.pairvm.mirror.core.sim;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.CopyState;
import dev.pairvm.mirror.core.CoreConfig;
import dev.pairvm.mirror.core.CountingRules;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Mutants;
import dev.pairvm.mirror.core.PairCore;
import dev.pairvm.mirror.core.Role;
import dev.pairvm.mirror.core.VerifyRun;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One simulated machine on two or three hosts, its invariants, and the end that it must come to once faults stop. */
final class Sim {
    /** Of so many seeds one has an operator, which replaces copies: then there are up to three, and what is left of earlier ones. */
    private static final int THIRDS = 3;

    private static final int LETTERS = 26;

    private static final long FAULTS_MILLIS = 7_000;
    private static final long HEAL_MILLIS = 30_000;
    /** With a failed disk the pair does not become whole by itself; the guest is served long before. */
    private static final long SERVED_MILLIS = 8_000;

    /** A disk may stall for five seconds, and another five when its mirror tries again. */
    private static final long ANSWER_MILLIS = 12_000;

    private static final long HAND_OVER_MILLIS = 3_000;
    /** A dozen ranges, and a repair of some of them. */
    private static final long VERIFY_MILLIS = 4_000;

    final World world;
    private final Mutants mutant;
    /** Of both cores, unless a rule is relaxed. */
    final CountingRules rules = new CountingRules();

    /** How large the disks can become. */
    final List<Long> diskBytes;
    /** How large they are at first. */
    final List<Long> bytesAtFirst;

    final int hotExtents;
    final Oracle oracle;
    final Invariants invariants;
    final GuestMoves guests;
    /** The hosts that hold a copy now, in the order in which they came. */
    final List<SimNode> nodes = new ArrayList<>();

    private final Map<CopyId, SimNode> everyNode = new HashMap<>();
    final SimArbiter arbiter;
    final SimNet net;
    final SimOperator operator;
    final Faults faults;
    final DiskFaults diskFaults;
    final Rot rot;
    final SimTwin twin = new SimTwin(this);
    /** The level that the machine shall have: 3. */
    boolean twinWished;

    boolean calm;
    boolean slowLink;
    boolean diskErrors;
    boolean diskErrorsWere;
    final boolean suspendOnSlowPeer;
    /** Most bytes per second of a resync. */
    final long resyncCap;

    @Nullable
    SimNode slowDisk;

    /** A hand-over or a growth in calm is under way. */
    boolean handingOver;

    private boolean quiet;

    Sim(long seed, Mutants mutant, int traceLines) {
        world = new World(seed, traceLines);
        this.mutant = mutant;
        boolean twoDisks = world.oneIn(2);
        long first = (6L << 20) + 3L * SimDisk.CELL;
        diskBytes = twoDisks ? List.of(first, (4L << 20) + SimDisk.CELL) : List.of(first + (4L << 20));
        // Across the end of an extent, or of a chunk, or not at all.
        long growth = world.oneIn(3) ? 0 : world.oneIn(2) ? 5L << 20 : (1 + world.below(40)) * (long) SimDisk.CELL;
        bytesAtFirst = diskBytes.stream()
                .map(most -> Math.max(1L << 20, most - growth))
                .toList();
        hotExtents = 2 + world.below(3);
        suspendOnSlowPeer = world.oneIn(6);
        resyncCap = world.oneIn(4) ? CoreConfig.Resync.FLOOR + world.below(30_000_000) : Long.MAX_VALUE;
        twinWished = world.oneIn(3);
        addNode();
        addNode();
        oracle = new Oracle(nodes.get(0).disk.cells);
        invariants = new Invariants(this);
        guests = new GuestMoves(this);
        arbiter = new SimArbiter(world, nodes.get(0).copy, invariants::recordChanged);
        net = new SimNet(this);
        diskFaults = new DiskFaults(world);
        rot = new Rot(this);
        faults = new Faults(this);
        // Of its own dice nothing is taken where nothing is done.
        operator = new SimOperator(this, seed % THIRDS == 0);
    }

    /** Another host with a copy of the next letter, blank. */
    SimNode addNode() {
        int number = everyNode.size();
        String letter = Character.toString('a' + number % LETTERS);
        SimNode fresh = new SimNode(this, new CopyId(number < LETTERS ? letter : "a" + letter), number);
        nodes.add(fresh);
        everyNode.put(fresh.copy, fresh);
        return fresh;
    }

    /** The host that holds or held this copy. */
    SimNode node(CopyId copy) {
        SimNode found = everyNode.get(copy);
        if (found == null) {
            throw new IllegalStateException("no host ever held copy " + copy);
        }
        return found;
    }

    /** Any host but this one. */
    SimNode another(SimNode node) {
        int at = nodes.indexOf(node);
        int step = nodes.size() == 2 ? 1 : 1 + world.below(nodes.size() - 1);
        return nodes.get((at + step) % nodes.size());
    }

    /** The first host whose copy the record lists in sync, but for this one. */
    SimNode inSyncBeside(SimNode node) {
        return arbiter.stored.inSync().stream()
                .map(this::node)
                .filter(other -> other != node)
                .findFirst()
                .orElse(node);
    }

    /** Runs the whole story; throws on a violation. */
    void run() {
        List.copyOf(nodes).forEach(SimNode::startMirror);
        operator.begin();
        runFor(1_200);
        faults.begin();
        runFor(FAULTS_MILLIS);
        faults.end();
        calm = true;
        arbiter.calm = true;
        long began = world.now();
        while (!whole()
                && world.now() < began + (excused(diskFaults.any()) ? SERVED_MILLIS : HEAL_MILLIS) * World.MILLI) {
            runFor(100);
            faults.repair();
        }
        faults.checkHealed(whole());
        if (whole()) {
            growInCalm();
        }
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
            invariants.answered();
            invariants.equal();
            verifyInCalm();
        }
    }

    /** Nobody is held up or has just been dropped, nothing failed, and the active knows the record. */
    private boolean sound(SimNode active, SimNode standby) {
        SimMirror mirror = active.mirror;
        return mirror != null
                && whole()
                && !diskFaults.any()
                && !diskErrorsWere
                && net.sound(active, standby)
                && mirror.knows(arbiter.stored)
                && mirror.view().peer().isPresent()
                && nodes.stream()
                        .allMatch(node ->
                                node.mirror != null && !node.mirror.behind() && node.diskStalledUntil < world.now());
    }

    private void growInCalm() {
        runFor(1_000);
        SimNode active = node(arbiter.stored.active());
        if (sound(active, inSyncBeside(active))) {
            handingOver = true;
            new CalmGrowth(this).run();
            handingOver = false;
        }
    }

    /** With nothing wrong but rot, a verification finds what differs, and makes it as it is on the active. */
    private void verifyInCalm() {
        SimNode active = node(arbiter.stored.active());
        SimNode standby = inSyncBeside(active);
        SimMirror mirror = active.mirror;
        if (mirror == null || !sound(active, standby)) {
            return;
        }
        if (world.oneIn(4)) {
            rot.strike(world.oneIn(2) ? active : standby);
        }
        long[] before = new long[oracle.size()];
        boolean differed = false;
        for (int cell = 0; cell < before.length; cell++) {
            before[cell] = active.disk.read(cell);
            differed |= active.disk.has(cell) && before[cell] != standby.disk.read(cell);
        }
        mirror.deliver(new Event.VerifyRequested());
        long until = world.now() + VERIFY_MILLIS * World.MILLI;
        while (world.now() < until && verifying(mirror)) {
            runFor(10);
        }
        rot.checkFound(active, standby, before, differed, mirror.view().verify().orElseThrow());
        if (differed) {
            world.met(World.Branch.ROT_REPAIRED);
        }
    }

    private static boolean verifying(SimMirror mirror) {
        return mirror.view()
                .verify()
                .filter(run -> run.state() == VerifyRun.State.RUNNING)
                .isPresent();
    }

    /** With nothing wrong, a planned hand-over takes place, and the pair is redundant at every moment of it; or the guest's twin goes on. */
    private void handOverInCalm() {
        if (world.oneIn(2)) {
            wishTwin(false);
        }
        runFor(1_000);
        SimNode active = node(arbiter.stored.active());
        SimNode to = inSyncBeside(active);
        SimMirror from = active.mirror;
        if (from == null || !sound(active, to)) {
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

    /** The level changes: the operator tells all mirrors. */
    void wishTwin(boolean on) {
        twinWished = on;
        nodes.forEach(node -> {
            if (node.mirror != null) {
                node.mirror.deliver(new Event.TwinWished(on));
            }
        });
    }

    void runFor(long millis) {
        world.runUntil(world.now() + millis * World.MILLI, invariants::now);
    }

    /** Whether writes failed on either disk at random: then both copies may be out. */
    boolean diskErrorsSeen() {
        return diskErrorsWere;
    }

    /**
     * Whether the pair need not become whole: it lacks a good disk. With an operator one is enough, for the other copy is replaced. A copy
     * that was discarded, and then listed by a late change of the record, is none: it will be deleted.
     */
    boolean excused(boolean diskFault) {
        return operator.works()
                ? diskErrorsWere
                        || nodes.stream()
                                .noneMatch(node -> arbiter.stored.inSync().contains(node.copy)
                                        && diskFaults.good(node)
                                        && !saidStale(node))
                : diskFault;
    }

    /** It was ordered to leave, and had said so of itself when the other disk failed: it stays as it is until a human decides. */
    private static boolean saidStale(SimNode node) {
        return node.disk.superblock != null && node.disk.superblock.state() == CopyState.STALE;
    }

    boolean quiet() {
        return quiet;
    }

    private boolean whole() {
        return arbiter.stored.inSync().size() == 2
                && operator.settled()
                && nodes.stream().anyMatch(node -> node.mirror != null && node.mirror.core.role() == Role.ACTIVE)
                && nodes.stream().anyMatch(node -> node.guest != null && !node.guest.frozen && !node.guest.paused);
    }

    void orderEnded(Effect.OrderEnded e) {
        if (e.order() == Effect.Order.LEAVE && e.refusal().isEmpty()) {
            world.met(World.Branch.LEFT);
        } else if (e.order() == Effect.Order.HAND_OVER && !e.refusal().isEmpty()) {
            world.met(World.Branch.HAND_OVER_LOST);
        } else if (e.order() == Effect.Order.VERIFY) {
            world.met(e.refusal().isEmpty() ? World.Branch.VERIFIED : World.Branch.VERIFY_CUT);
        }
    }

    private boolean answered() {
        return nodes.stream().allMatch(node -> node.guest == null || node.guest.drained());
    }

    PairCore core(CoreConfig config) {
        return mutant == Mutants.NONE ? rules.core(config) : mutant.core(config);
    }

    String story() {
        return world.story();
    }
}
