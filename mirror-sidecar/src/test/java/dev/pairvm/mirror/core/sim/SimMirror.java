package dev.pairvm.mirror.core.sim;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.CoreConfig;
import dev.pairvm.mirror.core.CoreView;
import dev.pairvm.mirror.core.DirtyMask;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Extent;
import dev.pairvm.mirror.core.Message;
import dev.pairvm.mirror.core.PairCore;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** One life of a mirror process: a real core, and an engine that carries out its effects in simulated time. */
final class SimMirror {
    private static final long[] NONE = {};

    final SimNode node;
    final PairCore core;
    private final Sim sim;
    private final ArrayDeque<Runnable> inbox = new ArrayDeque<>();
    private final Map<Long, SimGuest.Request> requests = new HashMap<>();
    private final SimStore store;
    final SimBeacons beacons;

    private boolean alive = true;
    private final Map<SimNode, SimNet.Connection> connections = new IdentityHashMap<>();
    private SimNet.@Nullable Frame frame;
    private long requestNumber;
    /** A loop that stands still for so long is dead to its own beacon thread; three seconds where waits are not shortened. */
    private static final long STUCK_NANOS = 700 * World.MILLI;

    long stalledUntil;
    private long stalledSince;
    private boolean drainDue;

    SimMirror(SimNode node) {
        this.node = node;
        this.sim = node.sim;
        this.store = new SimStore(this);
        this.beacons = new SimBeacons(this);
        this.core = sim.core(new CoreConfig(
                "machine-1",
                node.copy,
                node.disk.sizes,
                new dev.pairvm.api.mirror.MirrorConfig.Timing(50, 400, 500),
                sim.suspendOnSlowPeer,
                sim.hotExtents,
                sim.world.word(),
                new CoreConfig.Waits(100, 900, 1_000, 1_800, 1_000, 300, 2_000, 60),
                new CoreConfig.Resync(150, sim.resyncCap)));
    }

    CopyId copy() {
        return node.copy;
    }

    boolean alive() {
        return alive;
    }

    void begin() {
        List<Extent> hot = node.disk.hot.stream().map(SimMirror::extent).toList();
        List<DirtyMask> dirty = node.disk.dirty.entrySet().stream()
                .map(entry ->
                        new DirtyMask((int) (entry.getKey() >> 32), (int) (long) entry.getKey(), entry.getValue()))
                .toList();
        node.served = node.disk.sizes;
        step(new Event.Started(Optional.ofNullable(node.disk.superblock), hot, dirty, node.guest != null));
        if (node.uncommitted) {
            deliver(new Event.OverlaysFound());
        }
        tick();
        beacons.begin();
        if (node.guest != null) {
            node.guest.reconnected();
        }
        if (sim.twinWished) {
            deliver(new Event.TwinWished(true));
        }
    }

    private static Extent extent(long key) {
        return new Extent((int) (key >> 32), (int) key);
    }

    CoreView view() {
        return core.view();
    }

    // --------------------------------------------------------------------------------------------------------------
    // events

    void stall(long until) {
        if (sim.world.now() >= stalledUntil) {
            stalledSince = sim.world.now();
        }
        stalledUntil = Math.max(stalledUntil, until);
    }

    /** Its loop has not turned for long: it sends no beacons. */
    boolean stuck() {
        boolean stuck = sim.world.now() < stalledUntil && sim.world.now() - stalledSince > STUCK_NANOS;
        if (stuck) {
            sim.world.met(World.Branch.LOOP_STUCK);
        }
        return stuck;
    }

    boolean blocked() {
        return node.paused() || sim.world.now() < stalledUntil;
    }

    /** Has been held up, and has work waiting. */
    boolean behind() {
        return blocked() || !inbox.isEmpty();
    }

    /** Knows this record. */
    boolean knows(ArbiterRecord arbiter) {
        return core.view().arbiter().filter(arbiter::equals).isPresent();
    }

    void later(double millis, Event event) {
        sim.world.afterMillis(millis, () -> deliver(event));
    }

    void deliver(Event event) {
        enqueue(() -> step(event));
    }

    /** The connection to that host, as this end knows it. */
    SimNet.@Nullable Connection connection(SimNode to) {
        return connections.get(to);
    }

    void connected(SimNode to, SimNet.Connection fresh) {
        connections.put(to, fresh);
    }

    void disconnected(SimNode from) {
        connections.remove(from);
    }

    void receive(SimNode from, SimNet.Frame arrived) {
        enqueue(() -> {
            frame = arrived;
            step(new Event.MessageReceived(from.copy, arrived.message()));
            frame = null;
        });
    }

    private void enqueue(Runnable work) {
        if (!alive) {
            return;
        }
        if (!blocked() && inbox.isEmpty()) {
            work.run();
            return;
        }
        inbox.add(work);
        if (!drainDue) {
            drainDue = true;
            sim.world.after(Math.max(node.pausedUntil, stalledUntil) - sim.world.now(), this::drain);
        }
    }

    private void drain() {
        drainDue = false;
        if (alive && blocked()) {
            drainDue = true;
            sim.world.after(Math.max(node.pausedUntil, stalledUntil) - sim.world.now(), this::drain);
            return;
        }
        for (int left = inbox.size(); left > 0 && alive; left--) {
            inbox.remove().run();
        }
        if (alive && !inbox.isEmpty()) {
            drain();
        }
    }

    private void tick() {
        sim.world.afterMillis(25, () -> {
            if (alive) {
                if (!blocked()) {
                    deliver(new Event.Tick());
                }
                tick();
            }
        });
    }

    private void step(Event event) {
        if (!alive) {
            return;
        }
        if (sim.world.tracing() && !(event instanceof Event.Tick)) {
            sim.world.say(node.copy + " <-", event);
        }
        sim.world.count(event.getClass());
        List<Effect> effects = new ArrayList<>();
        core.step(node.clock(), event, effects::add);
        for (Effect effect : effects) {
            if (alive) {
                count(effect);
                boolean fatal = !node.killIn.isEmpty() && phase(effect).equals(node.killIn);
                if (!fatal || sim.world.oneIn(2)) {
                    perform(effect);
                }
                if (fatal && alive) {
                    sim.world.met(World.Branch.KILLED_IN_PHASE);
                    sim.faults.killed(node);
                }
            }
        }
        sim.invariants.stepped(this);
    }

    // -------------------------------------------------------------------------------------------------------------
    // effects

    private static String phase(Effect effect) {
        return effect instanceof Effect.Send send
                ? send.message().getClass().getSimpleName()
                : effect.getClass().getSimpleName();
    }

    private void count(Effect effect) {
        sim.world.count(effect.getClass());
        switch (effect) {
            case Effect.Send e -> {
                sim.world.count(e.message().getClass());
                if (e.message() instanceof Message.Refused refused) {
                    sim.world.reason("refused: " + refused.reason());
                }
            }
            case Effect.SendWrite e -> sim.world.count(e.message().getClass());
            case Effect.SendChunk e -> sim.world.count(e.message().getClass());
            case Effect.SendRange e -> sim.world.count(e.message().getClass());
            case Effect.DropLink e -> sim.world.reason("dropped: " + e.why());
            case Effect.OrderEnded e ->
                sim.world.reason("order: " + (e.refusal().isEmpty() ? "done" : e.refusal()));
            case Effect.RaiseProblem e ->
                sim.world.reason("problem: " + e.problem().kind());
            default -> {}
        }
    }

    /** No request of a guest is under way. */
    boolean idle() {
        return requests.isEmpty();
    }

    private void perform(Effect effect) {
        if (sim.world.tracing() && !(effect instanceof Effect.PublishView)) {
            sim.world.say(node.copy + " ->", effect);
        }
        switch (effect) {
            case Effect.ReadArbiter e -> sim.arbiter.read(this, e);
            case Effect.CasArbiter e -> sim.arbiter.cas(this, e);
            case Effect.Send(CopyId to, Message.Attach m) -> {
                sim.world.met(
                        switch (m.kind()) {
                            case CONTINUE -> World.Branch.CONTINUED;
                            case RECONCILE -> World.Branch.RECONCILED;
                            case RESYNC -> World.Branch.RESYNCED;
                        });
                sim.net.send(this, sim.node(to), new SimNet.Frame(m, NONE));
            }
            case Effect.Send e -> sim.net.send(this, sim.node(e.peer()), new SimNet.Frame(e.message(), NONE));
            case Effect.SendWrite e ->
                sim.net.send(
                        this,
                        sim.node(e.peer()),
                        new SimNet.Frame(
                                e.message(), words(e.request(), e.message().length())));
            case Effect.SendChunk e -> store.sendChunk(e);
            case Effect.DropLink e -> {
                sim.net.close(this, sim.node(e.peer()), false);
                later(0, new Event.LinkDown(e.peer(), Event.LinkDown.Cause.CLOSED_HERE));
            }
            case Effect.SetBeacons e -> beacons.set(sim.node(e.peer()), e.session(), e.granting());
            case Effect.StopGranting e -> beacons.stopGranting(e.token());
            case Effect.StopBeacons e -> beacons.stop();
            case Effect.WriteLocal e ->
                store.write(
                        e.io(),
                        e.disk(),
                        e.offset(),
                        e.zero() ? zeroes(e.length()) : words(e.request(), e.length()),
                        e.fua());
            case Effect.WriteFromPeer e -> {
                SimNet.Frame now = frame;
                Checks.that(now != null, "payload belongs to the frame being taken", e::toString);
                store.write(
                        e.io(),
                        e.disk(),
                        e.offset(),
                        e.zero() || now == null ? zeroes(e.length()) : now.payload(),
                        e.fua());
            }
            case Effect.ReadLocal e -> store.read(e);
            case Effect.SendRange e -> store.sendRange(e);
            case Effect.TakeFromPeer e -> {
                SimNet.Frame now = frame;
                Checks.that(now != null, "payload belongs to the frame being taken", e::toString);
                SimGuest.Request request = requests.get(e.request());
                if (now != null && request != null) {
                    Checks.that(!request.readLocally, "nothing is put where a device may still write", e::toString);
                    sim.world.met(World.Branch.READ_FROM_PEER);
                    request.read = now.payload();
                }
            }
            case Effect.TakeFromPeerInstead e -> {
                SimNet.Frame now = frame;
                Checks.that(now != null, "payload belongs to the frame being taken", e::toString);
                SimGuest.Request request = requests.get(e.request());
                if (now != null && request != null) {
                    Checks.that(request.readLocally, "a read is abandoned that has not come back", e::toString);
                    sim.world.met(World.Branch.READ_FROM_PEER_INSTEAD);
                    request.place = new Object();
                    request.readLocally = false;
                    request.read = now.payload();
                }
            }
            case Effect.FlushLocal e -> store.flush(e);
            case Effect.HashLocal e -> {
                paced();
                store.hash(e);
            }
            case Effect.HashPieces e -> {
                paced();
                store.hash(e);
            }
            case Effect.ReplyToGuest e -> {
                SimGuest.Request request = requests.remove(e.request());
                if (request != null && node.guest != null) {
                    node.guest.replied(request, e.errno());
                }
            }
            case Effect.ForgetRequest e -> requests.remove(e.request());
            case Effect.PersistSuperblock e -> store.persist(e);
            case Effect.MakeRoom e -> store.makeRoom(e);
            case Effect.DiskResized e -> {
                List<Long> sizes = new ArrayList<>(node.served);
                sizes.set(e.disk(), e.bytes());
                node.served = sizes;
            }
            case Effect.PersistActivityLog e -> store.persist(e);
            case Effect.ClearBookkeeping e -> store.clear(e);
            case Effect.RenewGate e -> node.openGate(e.untilNanos());
            case Effect.CloseGate e -> node.closeGate();
            case Effect.FreezeGuest e -> freeze(true);
            case Effect.ThawGuest e -> freeze(false);
            case Effect.KillGuest e -> kill();
            case Effect.StartGuest e -> sim.guests.mayRun(node, e);
            case Effect.ResumeGuest e -> {
                if (node.guest != null) {
                    node.guest.paused = false;
                    node.guest.moving = false;
                }
            }
            case Effect.PrepareStandbyGuest e -> {}
            case Effect.BeginHandOver e -> sim.guests.move(this);
            case Effect.TellMismatch e -> sim.rot.checkTold(e.mismatch());
            case Effect.BeginTwin e -> sim.twin.begin(this, e.to());
            case Effect.EndTwin e -> sim.twin.end(this);
            case Effect.CutTwin e -> {}
            case Effect.PublishView e -> {}
            case Effect.RaiseProblem e -> {}
            case Effect.ClearProblem e -> {}
            case Effect.OrderEnded e -> sim.orderEnded(e);
            case Effect.ExitNow e -> {
                node.crashMirror();
                sim.world.afterMillis(100, node::startMirror);
            }
            case Effect.ReadyToExit e -> sim.faults.exited(node);
        }
    }

    /** Takes down how fast a resync goes, if there is one. */
    void paced() {
        core.view()
                .resync()
                .ifPresent(resync -> sim.world.met(
                        switch (resync.pace()) {
                            case FULL -> World.Branch.RESYNC_AT_FULL_SPEED;
                            case MEASURING -> World.Branch.RESYNC_MEASURED_THE_GUEST;
                            case HELD_BACK -> World.Branch.RESYNC_HELD_BACK;
                            case AT_FLOOR -> World.Branch.RESYNC_AT_FLOOR;
                            case AT_CAP -> World.Branch.RESYNC_AT_CAP;
                        }));
    }

    long accept(SimGuest.Request request) {
        request.place = new Object();
        request.readLocally = false;
        requests.put(++requestNumber, request);
        return requestNumber;
    }

    /** The guest's request of that number, until it is answered. */
    SimGuest.@Nullable Request request(long number) {
        return requests.get(number);
    }

    private long[] words(long number, int length) {
        SimGuest.Request request = requests.get(number);
        Checks.that(request != null, "the payload of a request is kept until its reply", () -> "request " + number);
        long[] words = new long[length / SimDisk.CELL];
        java.util.Arrays.fill(words, request == null ? 0 : request.word);
        return words;
    }

    private static long[] zeroes(int length) {
        return new long[length / SimDisk.CELL];
    }

    private void freeze(boolean frozen) {
        if (node.guest != null) {
            node.guest.frozen = frozen;
        }
    }

    private void kill() {
        SimGuest guest = node.guest;
        if (guest != null && !(guest.moving && guest.paused && sim.guests.movedAway(guest))) {
            guest.die();
        }
        node.guest = null;
        sim.twin.killed(node);
        later(sim.world.between(0.5, 5), new Event.GuestKilled());
    }

    /** The process ends; with power lost its I/O under way may tear, else the kernel finishes or drops it. */
    void die(boolean powerLost) {
        alive = false;
        store.die();
        for (SimNode to : List.copyOf(sim.nodes)) {
            sim.net.close(this, to, powerLost);
        }
    }
}
