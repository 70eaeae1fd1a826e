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
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One life of a mirror process: a real core, and an engine that carries out its effects in simulated time. */
final class SimMirror {
    private static final long[] NONE = {};

    final SimNode node;
    final PairCore core;
    private final Sim sim;
    private final ArrayDeque<Runnable> inbox = new ArrayDeque<>();
    private final Map<Long, SimGuest.Request> requests = new HashMap<>();
    /** I/O begun and not finished: at a crash each of them happens or does not. */
    private final Set<Runnable> underWay = new LinkedHashSet<>();

    /** Bookkeeping takes effect in order: at a crash some first ones of these have happened. */
    private final ArrayDeque<Runnable> bookkeeping = new ArrayDeque<>();

    private boolean alive = true;
    SimNet.@Nullable Connection connection;
    private SimNet.@Nullable Frame frame;
    private long requestNumber;
    long stalledUntil;
    private boolean drainDue;
    private double bookkeepingFree;

    private long beaconSession;
    private boolean granting;
    private long lastGrantAt;

    SimMirror(SimNode node) {
        this.node = node;
        this.sim = node.sim;
        this.core = sim.core(new CoreConfig(
                "machine-1",
                node.copy,
                sim.diskBytes,
                new dev.pairvm.api.mirror.MirrorConfig.Timing(50, 400, 500),
                sim.suspendOnSlowPeer,
                sim.hotExtents,
                sim.world.word(),
                new CoreConfig.Waits(100, 900, 1_000, 1_800, 1_000, 300, 2_000, 60)));
    }

    CopyId copy() {
        return node.copy;
    }

    void begin() {
        List<Extent> hot = node.disk.hot.stream().map(SimMirror::extent).toList();
        List<DirtyMask> dirty = node.disk.dirty.entrySet().stream()
                .map(entry ->
                        new DirtyMask((int) (entry.getKey() >> 32), (int) (long) entry.getKey(), entry.getValue()))
                .toList();
        step(new Event.Started(Optional.ofNullable(node.disk.superblock), hot, dirty, node.guest != null));
        tick();
        beat();
        if (node.guest != null) {
            node.guest.reconnected();
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

    void receive(SimNet.Frame arrived) {
        CopyId from = sim.nodes.get(node == sim.nodes.get(0) ? 1 : 0).copy;
        enqueue(() -> {
            frame = arrived;
            step(new Event.MessageReceived(from, arrived.message()));
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
        sim.stepped(this);
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
            case Effect.Send(CopyId peer, Message.Attach m) -> {
                sim.world.met(
                        switch (m.kind()) {
                            case CONTINUE -> World.Branch.CONTINUED;
                            case RECONCILE -> World.Branch.RECONCILED;
                            case RESYNC -> World.Branch.RESYNCED;
                        });
                sim.net.send(this, new SimNet.Frame(m, NONE));
            }
            case Effect.Send e -> sim.net.send(this, new SimNet.Frame(e.message(), NONE));
            case Effect.SendWrite e ->
                sim.net.send(
                        this,
                        new SimNet.Frame(
                                e.message(), words(e.request(), e.message().length())));
            case Effect.SendChunk e -> sendChunk(e.message());
            case Effect.DropLink e -> {
                sim.net.close(this, false);
                later(0, new Event.LinkDown(e.peer(), Event.LinkDown.Cause.CLOSED_HERE));
            }
            case Effect.SetBeacons e -> {
                beaconSession = e.session();
                granting = e.granting();
                beacon(0);
            }
            case Effect.StopGranting e -> {
                granting = false;
                later(0.05, new Event.GrantingStopped(e.token(), lastGrantAt));
            }
            case Effect.StopBeacons e -> beaconSession = 0;
            case Effect.WriteLocal e ->
                write(
                        e.io(),
                        e.disk(),
                        e.offset(),
                        e.zero() ? zeroes(e.length()) : words(e.request(), e.length()),
                        e.fua());
            case Effect.WriteFromPeer e -> {
                SimNet.Frame now = frame;
                Checks.that(now != null, "payload belongs to the frame being taken", e::toString);
                write(
                        e.io(),
                        e.disk(),
                        e.offset(),
                        e.zero() || now == null ? zeroes(e.length()) : now.payload(),
                        e.fua());
            }
            case Effect.ReadLocal e -> read(e);
            case Effect.SendRange e -> sendRange(e);
            case Effect.TakeFromPeer e -> {
                SimNet.Frame now = frame;
                Checks.that(now != null, "payload belongs to the frame being taken", e::toString);
                SimGuest.Request request = requests.get(e.request());
                if (now != null && request != null) {
                    sim.world.met(World.Branch.READ_FROM_PEER);
                    request.read = now.payload();
                }
            }
            case Effect.FlushLocal e -> flush(e);
            case Effect.HashLocal e ->
                io(latency(), () -> {
                    int first = node.disk.cell(e.disk(), e.offset());
                    boolean fails = sim.diskFaults.readFails(node, first, e.length() / SimDisk.CELL);
                    deliver(
                            fails
                                    ? new Event.LocalFailed(e.io(), 5, Event.LocalFailed.Kind.READ, e.disk())
                                    : new Event.LocalHashed(e.io(), node.disk.hash(e.disk(), e.offset(), e.length())));
                });
            case Effect.ReplyToGuest e -> {
                SimGuest.Request request = requests.remove(e.request());
                if (request != null && node.guest != null) {
                    node.guest.replied(request, e.errno());
                }
            }
            case Effect.ForgetRequest e -> requests.remove(e.request());
            case Effect.PersistSuperblock e ->
                io(metadataLatency(), () -> {
                    if (sim.diskFaults.metadataFails(node)) {
                        deliver(new Event.LocalFailed(e.token(), 5, Event.LocalFailed.Kind.METADATA));
                        return;
                    }
                    node.disk.superblock = e.superblock();
                    deliver(new Event.SuperblockPersisted(e.token()));
                });
            case Effect.PersistActivityLog e -> bookkeep(() -> heat(e), e.token());
            case Effect.ClearBookkeeping e ->
                bookkeep(
                        () -> {
                            node.disk.dirty.clear();
                            node.disk.hot.clear();
                            e.keepHot().forEach(x -> node.disk.hot.add(SimDisk.key(x.disk(), x.index())));
                        },
                        e.token());
            case Effect.RenewGate e -> node.openGate(e.untilNanos());
            case Effect.CloseGate e -> node.closeGate();
            case Effect.FreezeGuest e -> freeze(true);
            case Effect.ThawGuest e -> freeze(false);
            case Effect.KillGuest e -> kill();
            case Effect.StartGuest e -> sim.guestMayRun(node, e);
            case Effect.ResumeGuest e -> {
                if (node.guest != null) {
                    node.guest.paused = false;
                    node.guest.moving = false;
                }
            }
            case Effect.PrepareStandbyGuest e -> {}
            case Effect.BeginHandOver e -> sim.moveGuest(this);
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

    long accept(SimGuest.Request request) {
        requests.put(++requestNumber, request);
        return requestNumber;
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

    private double latency() {
        double usual = sim.world.oneIn(30) ? sim.world.between(1, 20) : sim.world.between(0.03, 0.9);
        return sim.slowDisk == node ? usual + sim.world.between(20, 600) : usual;
    }

    private double metadataLatency() {
        return sim.world.between(0.2, 4);
    }

    /** Runs {@code work} when the device is done; at a crash it may or may not have happened. */
    private void io(double millis, Runnable work) {
        underWay.add(work);
        double stall = Math.max(0, node.diskStalledUntil - sim.world.now()) / (double) World.MILLI;
        sim.world.afterMillis(stall + millis, () -> {
            if (underWay.remove(work)) {
                work.run();
            }
        });
    }

    private void bookkeep(Runnable work, long token) {
        double at = Math.max(Math.max(bookkeepingFree, node.diskStalledUntil), sim.world.now())
                + metadataLatency() * World.MILLI;
        bookkeepingFree = at;
        bookkeeping.add(work);
        sim.world.after((long) (at - sim.world.now()), () -> {
            if (alive && sim.diskFaults.metadataFails(node)) {
                bookkeeping.remove();
                deliver(new Event.LocalFailed(token, 5, Event.LocalFailed.Kind.METADATA));
            } else if (alive) {
                bookkeeping.remove().run();
                deliver(new Event.BookkeepingPersisted(token));
            }
        });
    }

    private void heat(Effect.PersistActivityLog e) {
        for (DirtyMask mask : e.dirty()) {
            node.disk.dirty.put(SimDisk.key(mask.disk(), mask.index()), mask.mask());
        }
        e.cool().forEach(x -> node.disk.hot.remove(SimDisk.key(x.disk(), x.index())));
        e.heat().forEach(x -> node.disk.hot.add(SimDisk.key(x.disk(), x.index())));
        if (!e.cool().isEmpty()) {
            sim.world.met(World.Branch.EXTENT_COOLED);
        }
    }

    private void write(long io, int disk, long offset, long[] words, boolean fua) {
        int first = node.disk.cell(disk, offset);
        if (sim.diskErrors && sim.world.oneIn(60) || sim.diskFaults.writeFails(node)) {
            sim.world.met(World.Branch.DISK_ERROR);
            sim.diskFaults.failed(node);
            io(latency(), () -> deliver(new Event.LocalFailed(io, 5, Event.LocalFailed.Kind.WRITE)));
            return;
        }
        io(latency(), () -> {
            boolean whole = alive;
            for (int i = 0; i < words.length; i++) {
                if (whole || sim.world.oneIn(2)) {
                    sim.diskFaults.rewritten(node, first + i);
                    node.disk.write(first + i, words[i]);
                    sim.written(node, first + i);
                }
            }
            if (whole && fua) {
                Map<Integer, Long> covered = node.disk.beginFlush(disk);
                covered.keySet().removeIf(cell -> cell < first || cell >= first + words.length);
                node.disk.endFlush(covered);
            }
            deliver(new Event.LocalWriteDone(io));
        });
    }

    private void read(Effect.ReadLocal e) {
        io(latency(), () -> {
            int count = e.length() / SimDisk.CELL;
            if (sim.diskFaults.readFails(node, node.disk.cell(e.disk(), e.offset()), count)) {
                deliver(new Event.LocalFailed(e.io(), 5, Event.LocalFailed.Kind.READ, e.disk()));
                return;
            }
            SimGuest.Request request = requests.get(e.request());
            if (request != null) {
                long[] words = new long[e.length() / SimDisk.CELL];
                for (int i = 0; i < words.length; i++) {
                    words[i] = node.disk.read(node.disk.cell(e.disk(), e.offset()) + i);
                }
                request.read = words;
            }
            deliver(new Event.LocalReadDone(e.io()));
        });
    }

    private void flush(Effect.FlushLocal e) {
        Map<Integer, Long> covered = node.disk.beginFlush(e.disk());
        io(latency() + sim.world.between(0.1, 3), () -> {
            if (alive && sim.diskFaults.flushFails(node)) {
                sim.diskFaults.failed(node);
                deliver(new Event.LocalFailed(e.io(), 5, Event.LocalFailed.Kind.FLUSH, e.disk()));
                return;
            }
            node.disk.endFlush(covered);
            deliver(new Event.LocalFlushDone(e.io()));
        });
    }

    private void sendRange(Effect.SendRange e) {
        SimNet.Connection over = connection;
        int first = node.disk.cell(e.disk(), e.offset());
        io(latency(), () -> {
            if (sim.diskFaults.readFails(node, first, e.message().length() / SimDisk.CELL)) {
                deliver(new Event.LocalFailed(e.io(), 5, Event.LocalFailed.Kind.READ, e.disk()));
                return;
            }
            if (alive && connection == over) {
                sim.net.send(
                        this,
                        new SimNet.Frame(e.message(), cells(first, e.message().length())));
            }
            deliver(new Event.LocalReadDone(e.io()));
        });
    }

    private long[] cells(int first, int length) {
        long[] words = new long[length / SimDisk.CELL];
        for (int i = 0; i < words.length; i++) {
            words[i] = node.disk.read(first + i);
        }
        return words;
    }

    private void sendChunk(Message.ResyncData m) {
        SimNet.Connection over = connection;
        io(latency(), () -> {
            if (sim.diskFaults.readFails(node, node.disk.cell(m.disk(), m.offset()), m.length() / SimDisk.CELL)) {
                deliver(new Event.ChunkUnreadable(m.seq(), 5));
                return;
            }
            if (alive && connection == over) {
                long[] words = new long[m.length() / SimDisk.CELL];
                for (int i = 0; i < words.length; i++) {
                    words[i] = node.disk.read(node.disk.cell(m.disk(), m.offset()) + i);
                }
                sim.net.send(this, new SimNet.Frame(m, words));
            }
        });
    }

    private void freeze(boolean frozen) {
        if (node.guest != null) {
            node.guest.frozen = frozen;
        }
    }

    private void kill() {
        SimGuest guest = node.guest;
        if (guest != null && !(guest.moving && guest.paused && sim.movedAway(guest))) {
            guest.die();
        }
        node.guest = null;
        later(sim.world.between(0.5, 5), new Event.GuestKilled());
    }

    // -------------------------------------------------------------------------------------------------------------
    // beacons

    private void beat() {
        sim.world.afterMillis(50, () -> {
            if (alive) {
                if (!node.paused()) {
                    beacon(0);
                }
                beat();
            }
        });
    }

    private void beacon(long granted) {
        long session = beaconSession;
        if (session != 0) {
            long sentAt = node.clock();
            sim.net.datagram(this, to -> to.hear(session, sentAt, granted));
        }
    }

    /** At the beacon thread, which runs even if the loop is stalled, but not if the host is paused. */
    private void hear(long session, long sentAt, long granted) {
        if (!alive) {
            return;
        }
        if (node.paused()) {
            sim.world.after(node.pausedUntil - sim.world.now() + 1, () -> hear(session, sentAt, granted));
            return;
        }
        if (session != beaconSession) {
            return;
        }
        long receivedAt = node.clock();
        if (granting && granted == 0) {
            lastGrantAt = receivedAt;
            beacon(sentAt);
        }
        deliver(new Event.BeaconHeard(session, receivedAt, granted));
    }

    /** The process ends; with power lost its I/O under way may tear, else the kernel finishes or drops it. */
    void die(boolean powerLost) {
        alive = false;
        Collection<Runnable> open = new ArrayList<>(underWay);
        underWay.clear();
        for (Runnable work : open) {
            if (sim.world.oneIn(2)) {
                work.run();
            }
        }
        for (int done = sim.world.below(bookkeeping.size() + 1); done > 0; done--) {
            bookkeeping.remove().run();
        }
        sim.net.close(this, powerLost);
    }
}
