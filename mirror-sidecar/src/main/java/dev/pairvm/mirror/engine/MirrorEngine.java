package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.mirror.core.CoreView;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Message;
import dev.pairvm.mirror.core.PairCore;
import dev.pairvm.mirror.core.Problem;
import dev.pairvm.mirror.core.Role;
import dev.pairvm.mirror.core.VerifyRun;
import dev.pairvm.mirror.network.NetworkException;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One machine on one side, running: every event goes through here into the core, every effect comes out of it here and is handed to
 * the part that can carry it out. No decision is made here.
 *
 * <p>All methods on the machine's event loop, but for those that say otherwise.
 */
public final class MirrorEngine {
    private static final Logger LOG = LoggerFactory.getLogger(MirrorEngine.class);
    /** Half a beacon: what the core wants to be woken at. */
    private static final long TICK_MILLIS = 25;
    /** A beacon and a half: while nothing else happens, ticks ride on the beacons that are heard, and the timer waits for a missing one. */
    private static final long QUIET_MILLIS = 75;

    /** Exit status after a broken invariant (EX_SOFTWARE). */
    private static final int EXIT_BUG = 70;

    /** Exit status when a new life is the way out (EX_TEMPFAIL). */
    private static final int EXIT_RESTART = 75;

    private static final Event TICK = new Event.Tick();

    private final PairCore core;
    private final EventLoop loop;
    private final EventPump pump;
    private final GuestRequests requests;
    private final StoreEffects store;
    private final ServedSizes sizes;
    private final ArbiterEffects arbiter;
    private final PeerPort peer;
    private final Function<CopyId, CompletableFuture<Path>> mover;
    private final GatePort gate;
    private final GuestPort guest;
    private final TwinPort twin;
    private final Reign reign;
    private final Runnable changed;
    private final Runnable ticked;
    private final LongSupplier bootNanos;
    private final CompletableFuture<Void> readyToExit = new CompletableFuture<>();
    private CoreView view;
    private boolean viewStale = true;
    private final Runnable timedTick = this::timedTick;
    private Future<?> nextTick;
    /** Something but beacons and ticks has happened since the last beacon. */
    private boolean busy;

    private volatile long lastTickNanos;
    /** Payload of the frame whose step runs; the core's effects name it by its seq. */
    private @Nullable ByteBuf framePayload;

    /** Everything the engine hands effects to; built by the assembly. */
    record Parts(
            PairCore core,
            EventLoop loop,
            GuestRequests requests,
            StoreEffects store,
            ServedSizes sizes,
            ArbiterEffects arbiter,
            PeerPort peer,
            Function<CopyId, CompletableFuture<Path>> mover,
            GatePort gate,
            GuestPort guest,
            TwinPort twin,
            Reign reign,
            LongSupplier bootNanos,
            Runnable changed,
            Runnable ticked) {}

    /** Wires the parts; nothing happens before {@link #start}. */
    MirrorEngine(Parts parts) {
        core = parts.core();
        loop = parts.loop();
        requests = parts.requests();
        store = parts.store();
        sizes = parts.sizes();
        arbiter = parts.arbiter();
        peer = parts.peer();
        mover = parts.mover();
        gate = parts.gate();
        guest = parts.guest();
        twin = parts.twin();
        reign = parts.reign();
        changed = parts.changed();
        ticked = parts.ticked();
        bootNanos = parts.bootNanos();
        pump = new EventPump(core, bootNanos, this::begin, this::stepEnded);
        view = core.view();
        lastTickNanos = bootNanos.getAsLong();
        nextTick = loop.newSucceededFuture(null);
    }

    /** The first event, and ticks from then on. */
    public void start(Event.Started started) {
        post(started);
        tickIn(TICK_MILLIS);
    }

    private void tickIn(long millis) {
        nextTick = loop.schedule(timedTick, millis, TimeUnit.MILLISECONDS);
    }

    private void timedTick() {
        tick();
        tickIn(TICK_MILLIS);
    }

    /**
     * A beacon has woken the loop; if nothing but beacons did since the last tick, this is the next, and the timer is put off. From the
     * first beacon that does not come, and while there is work, time passes for the core in steps of 25 ms.
     */
    private void tickWithBeacon() {
        boolean quiet = !busy;
        busy = requests.size() > 0;
        if (quiet && nextTick.cancel(false)) {
            tick();
            tickIn(QUIET_MILLIS);
        }
    }

    private void tick() {
        lastTickNanos = bootNanos.getAsLong();
        ticked.run();
        step(TICK);
    }

    /** An event from any part. */
    public void post(Event event) {
        busy = true;
        step(event);
    }

    private void step(Event event) {
        try {
            pump.post(event);
        } catch (RuntimeException | Error e) {
            // Fail stop: a core that is wrong must not go on. The gate closes by itself, QEMU waits for the next life's
            // NBD server.
            LOG.error("the mirror stops: the pair core refused an event", e);
            Runtime.getRuntime().halt(EXIT_BUG);
        }
    }

    /** A frame of the peer; {@code payload} is the caller's and used only during this call or retained. */
    public void postFrame(CopyId from, Message message, @Nullable ByteBuf payload) {
        framePayload = payload;
        try {
            post(new Event.MessageReceived(from, message));
        } finally {
            framePayload = null;
        }
    }

    /** A beacon; also a sign of life for the times in the report. */
    public void postBeacon(Event.BeaconHeard beacon) {
        reign.heardPeer(beacon.receivedAt());
        twin.peerHeard();
        step(beacon);
        tickWithBeacon();
    }

    /** Something that the report shows has changed outside the core. */
    void reportChanged() {
        changed.run();
    }

    /** When the loop last came round, nanoseconds of CLOCK_BOOTTIME; the beacons carry its age. Any thread may read it roughly. */
    public long lastTickNanos() {
        return lastTickNanos;
    }

    /** Ends what is under way, says goodbye; completes when the process may exit. */
    public CompletableFuture<Void> stop() {
        loop.execute(() -> post(new Event.StopRequested()));
        return readyToExit;
    }

    /** The core's own view, as of the last step. */
    public CoreView view() {
        if (viewStale) {
            view = core.view();
            viewStale = false;
        }
        return view;
    }

    /** The highest epoch known here: without a snapshot, for beacons ask at every turn. */
    long epoch() {
        return core.highestEpoch();
    }

    boolean isStandby() {
        return core.role() == Role.STANDBY; // asked for each read: no snapshot
    }

    private void stepEnded() {
        viewStale = true;
    }

    private void begin(Effect effect) {
        switch (effect) {
            case Effect.ReadArbiter read -> arbiter.read(read);
            case Effect.CasArbiter cas -> begin(cas);
            case Effect.Send send -> peer.send(send.peer(), send.message(), null);
            case Effect.SendWrite send -> peer.send(send.peer(), send.message(), requests.payload(send.request()));
            case Effect.SendChunk send -> store.sendChunk(send.peer(), send.message());
            case Effect.DropLink drop -> peer.drop(drop.peer(), drop.why());
            case Effect.SetBeacons set -> peer.setBeacons(set.peer(), set.session(), set.granting());
            case Effect.StopGranting stop ->
                peer.stopGranting(lastHeard -> post(new Event.GrantingStopped(stop.token(), lastHeard)));
            case Effect.StopBeacons() -> peer.stopBeacons();
            case Effect.WriteLocal write -> store.write(write);
            case Effect.WriteFromPeer write -> store.write(write, framePayload);
            case Effect.ReadLocal read -> store.read(read);
            case Effect.SendRange send -> store.sendRange(send);
            case Effect.TakeFromPeer take -> requests.fill(take.request(), framePayload);
            case Effect.TakeFromPeerInstead take -> requests.fillAnew(take.request(), framePayload);
            case Effect.FlushLocal flush -> store.flush(flush);
            case Effect.HashLocal hash -> store.hash(hash);
            case Effect.HashPieces hash -> store.hash(hash);
            case Effect.ReplyToGuest reply -> requests.answer(reply.request(), reply.errno());
            case Effect.ForgetRequest forget -> requests.forget(forget.request());
            case Effect.PersistSuperblock persist -> store.persist(persist);
            case Effect.MakeRoom room -> {
                LOG.info("making room for {} bytes of disk {}", room.toBytes(), room.disk());
                store.makeRoom(room);
            }
            case Effect.DiskResized(int disk, long bytes) -> {
                LOG.info("disk {} has {} bytes from now", disk, bytes);
                sizes.resized(disk, bytes);
                changed.run();
            }
            case Effect.PersistActivityLog persist -> store.persist(persist);
            case Effect.ClearBookkeeping clear -> store.clear(clear);
            case Effect.RenewGate renew -> renew(renew.untilNanos());
            case Effect.CloseGate() -> closeGate();
            case Effect.FreezeGuest() -> guest.freeze();
            case Effect.ThawGuest() -> guest.thaw();
            case Effect.KillGuest() -> guest.kill();
            case Effect.StartGuest start -> begin(start);
            case Effect.ResumeGuest() -> guest.resume();
            case Effect.PrepareStandbyGuest() -> guest.prepareStandby();
            case Effect.BeginTwin(CopyId to) -> twin.begin(to);
            case Effect.EndTwin() -> twin.end();
            case Effect.CutTwin() -> twin.cut();
            case Effect.BeginHandOver(CopyId to) -> {
                LOG.info("handing the guest over to copy {}", to);
                guest.beginHandOver(mover.apply(to));
            }
            case Effect.TellMismatch(VerifyRun.Mismatch mismatch) ->
                LOG.error(
                        "the copies differ: disk {} offset {} length {}, active {}, standby {}; the standby's is written anew",
                        mismatch.disk(),
                        mismatch.offset(),
                        mismatch.length(),
                        mismatch.active(),
                        mismatch.standby());
            case Effect.PublishView() -> changed.run();
            case Effect.RaiseProblem(Problem problem) -> {
                LOG.warn("{}: {} {}", problem.kind(), problem.message(), problem.facts());
                changed.run();
            }
            case Effect.ClearProblem(Problem.Kind kind) -> {
                LOG.info("over: {}", kind);
                changed.run();
            }
            case Effect.OrderEnded(Effect.Order order, String refusal) -> {
                LOG.info("order {} ended{}", order, refusal.isEmpty() ? "" : ": " + refusal);
                changed.run();
            }
            case Effect.ReadyToExit() -> readyToExit.complete(null);
            case Effect.ExitNow(String why) -> {
                LOG.error("the mirror exits and starts again: {}", why);
                Runtime.getRuntime().halt(EXIT_RESTART);
            }
        }
    }

    private void begin(Effect.CasArbiter cas) {
        view().arbiter()
                .map(known -> known.active())
                .filter(active -> !active.equals(cas.next().active()))
                .ifPresent(reign::asked);
        arbiter.compareAndSwap(cas);
    }

    private void begin(Effect.StartGuest start) {
        LOG.info("serving at epoch {}: {}", start.epoch(), start.cause());
        reign.began(new Epoch(start.epoch()), start.cause());
        guest.start(start.cause());
        changed.run();
    }

    private void renew(long untilNanos) {
        try {
            if (untilNanos == Effect.RenewGate.ALONE) {
                gate.openUnlimited();
            } else {
                gate.renew(untilNanos);
            }
        } catch (NetworkException e) {
            // The safe side: the gate closes by itself when its time is over.
            LOG.warn("the gate could not be renewed", e);
        }
    }

    private void closeGate() {
        try {
            gate.shut();
        } catch (NetworkException e) {
            LOG.error("the gate could not be closed at once; it closes by itself unless this side was alone", e);
        }
    }
}
