package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.arbiter.Arbiter;
import dev.pairvm.mirror.arbiter.FileArbiter;
import dev.pairvm.mirror.arbiter.KubernetesAccess;
import dev.pairvm.mirror.arbiter.LeaseArbiter;
import dev.pairvm.mirror.control.ControlServer;
import dev.pairvm.mirror.control.HealthServer;
import dev.pairvm.mirror.control.MirrorMetrics;
import dev.pairvm.mirror.core.CoreConfig;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.PairCore;
import dev.pairvm.mirror.core.Superblock;
import dev.pairvm.mirror.guest.GuestFiles;
import dev.pairvm.mirror.link.LinkSetupException;
import dev.pairvm.mirror.link.MonotonicClock;
import dev.pairvm.mirror.nbd.BackupView;
import dev.pairvm.mirror.nbd.ChangeBitmaps;
import dev.pairvm.mirror.nbd.NbdExport;
import dev.pairvm.mirror.nbd.NbdExports;
import dev.pairvm.mirror.nbd.NbdLimits;
import dev.pairvm.mirror.nbd.NbdListener;
import dev.pairvm.mirror.nbd.NbdServer;
import dev.pairvm.mirror.network.NetworkException;
import dev.pairvm.mirror.store.AsyncDisk;
import dev.pairvm.mirror.store.CopyStore;
import dev.pairvm.mirror.store.DiskSetupException;
import dev.pairvm.mirror.store.IoWorkers;
import dev.pairvm.mirror.store.StoredSuperblock;
import io.netty.channel.EventLoop;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.internal.ContextInternal;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Wires one mirror process, by hand, from the disks up; read it from top to bottom to see how the parts meet. */
public final class MirrorAssembly {
    private static final Logger LOG = LoggerFactory.getLogger(MirrorAssembly.class);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(8);
    private static final Duration ADOPT_LIMIT = Duration.ofSeconds(20);
    /** The metrics follow silent facts (round trip, resync progress) when they are read, and at this pace, so that no resync is missed. */
    private static final long REFRESH_MILLIS = 10_000;
    /** No disk is called so: names of disks have no slash. */
    private static final String BACKUP_PREFIX = "backup/";

    private final Vertx vertx;
    private final EventLoop loop;
    private final MirrorEngine engine;
    private final LinkPort link;
    private final IoWorkers workers;
    private final CopyStore store;
    private final NbdServer nbd;
    private final CountDownLatch ended = new CountDownLatch(1);

    private MirrorAssembly(
            Vertx vertx,
            EventLoop loop,
            MirrorEngine engine,
            LinkPort link,
            IoWorkers workers,
            CopyStore store,
            NbdServer nbd) {
        this.vertx = vertx;
        this.loop = loop;
        this.engine = engine;
        this.link = link;
        this.workers = workers;
        this.store = store;
        this.nbd = nbd;
    }

    /**
     * Opens the copy, finds a guest of an earlier life, connects, and lets the core begin.
     *
     * @throws DiskSetupException a disk can not be used as configured
     * @throws LinkSetupException TLS material or the link's port can not be used
     * @throws IOException a socket, a file or a device does not work
     * @throws NetworkException the pod's network can not be set up
     * @throws ExecutionException a port is taken
     */
    public static MirrorAssembly start(MirrorSettings settings)
            throws DiskSetupException, LinkSetupException, IOException, NetworkException, ExecutionException,
                    InterruptedException {
        MirrorConfig config = settings.config();
        LOG.info(
                "mirror {} of copy {} of machine {}/{}",
                settings.version(),
                config.copy(),
                config.namespace(),
                config.machine());
        MonotonicClock clock = MonotonicClock.boottime();

        // One event loop carries everything of this machine.
        Vertx vertx = Vertx.vertx(new VertxOptions()
                .setPreferNativeTransport(true)
                .setEventLoopPoolSize(1)
                .setBlockedThreadCheckInterval(TimeUnit.SECONDS.toMillis(10)) // it wakes a thread each time
                .setWorkerPoolSize(1)
                .setInternalBlockingPoolSize(1));
        Context context = vertx.getOrCreateContext();
        EventLoop loop = ((ContextInternal) context).nettyEventLoop();

        // Before all that takes time: a QEMU of an earlier life that finds the socket waits there instead of for
        // seconds.
        NbdListener listener = NbdListener.onUnixSocket(new GuestFiles(settings.runDirectory()).nbdSocket(), loop);

        // The link: the ciphers are set up beside the disks.
        Late<MirrorEngine> late = new Late<>();
        MirrorMetrics metrics = new MirrorMetrics(settings.version(), config.machine(), config.copy());
        FutureTask<LinkPort> preparing = new FutureTask<>(() -> link(settings, loop, clock, late, metrics));
        Thread.ofPlatform().daemon().name("link-setup").start(preparing);

        // Disks.
        IoWorkers workers = IoWorkers.forDisks(config.disks().size());
        CopyStore store = CopyStore.open(config.disks(), workers, loop);
        Optional<Superblock> superblock = superblock(store);

        // Arbiter.
        Arbiter arbiter = new MeteredArbiter(
                metrics,
                settings.arbiterFile()
                        .<Arbiter>map(file -> new FileArbiter(file, loop))
                        .orElseGet(() -> new LeaseArbiter(
                                vertx,
                                context,
                                KubernetesAccess.inCluster(settings.environment(), config.namespace()),
                                config.lease())));

        // The core and its engine.
        LateChange changed = new LateChange();
        GuestRequests requests = new GuestRequests();
        Reign reign = new Reign(clock::nanos, InstantSource.system());
        LinkPort link = prepared(preparing);
        PeerWrites peerWrites = new PeerWrites(clock::nanos);
        TwinBacking backing = new TwinBacking();
        GuestSide guestSide = settings.disksOnly()
                ? GuestSide.none(loop, event -> late.get().post(event))
                : GuestSide.open(
                        settings,
                        loop,
                        clock,
                        reign,
                        link.streams(),
                        peerWrites,
                        backing,
                        store::diskBytes,
                        event -> late.get().post(event),
                        changed);
        GuestMover mover =
                new GuestMover(link.streams(), settings.runDirectory().resolve("leaving.sock"));
        GuestDesk desk = guestSide.desk();
        if (desk != null) {
            desk.onMoveOver(mover::close);
            mover.serve(() -> desk);
        }
        ServedSizes sizes = new ServedSizes(config.disks(), BACKUP_PREFIX, store.diskBytes(), guestSide.guest());
        MirrorEngine engine = new MirrorEngine(new MirrorEngine.Parts(
                new PairCore(core(config, store)),
                loop,
                requests,
                new StoreEffects(
                        store,
                        workers,
                        loop,
                        requests,
                        link,
                        peerWrites,
                        event -> late.get().post(event)),
                sizes,
                new ArbiterEffects(arbiter, event -> late.get().post(event)),
                link,
                mover::open,
                guestSide.gate(),
                guestSide.guest(),
                guestSide.twin(),
                reign,
                clock::nanos,
                changed,
                () -> link.loopTicked(store.oldestIoSince(clock.nanos()))));
        late.set(engine);

        // What others may ask.
        Verifications verifications = new Verifications(config, engine, InstantSource.system());
        ReportWriter reports = new ReportWriter(
                config,
                engine,
                sizes,
                guestSide.guest(),
                guestSide.twin(),
                reign,
                link,
                verifications,
                settings.version());
        ControlServer control = new ControlServer(
                vertx,
                settings.tls(),
                config.machineUid(),
                reports,
                new OrderTaker(config, engine, sizes, verifications, desk, guestSide.twins()));
        MetricsFeed feed = new MetricsFeed(metrics, clock::nanos, reports, link, requests::size, control::eventReaders);
        changed.listener(() -> {
            feed.changed();
            control.reportChanged();
        });
        HealthServer health = new HealthServer(vertx, new Healthy(engine, clock), metrics, feed::refresh);

        Starting begun = new Starting(context);
        begun.begin(() -> control.listen(settings.controlPort()));
        begun.begin(() -> health.listen(settings.healthPort()));

        // The core begins; only then may requests and frames arrive.
        boolean guestAlive = guestSide.adopt(ADOPT_LIMIT);
        loop.submit(() -> {
                    engine.start(new Event.Started(superblock, store.hot(), store.dirty(), guestAlive));
                    if (guestSide.uncommitted()) {
                        engine.post(new Event.OverlaysFound());
                    }
                })
                .get();
        NbdServer nbd =
                listener.serve(exports(config, sizes, store, requests, engine, backing, metrics), NbdLimits.DEFAULT);
        loop.submit(() -> sizes.serve(nbd)).get();
        Meeting meeting = new Meeting(settings, loop, arbiter, link);
        loop.submit(meeting::listen).get().get();
        begun.await();
        loop.submit(() -> {
                    meeting.begin();
                    loop.scheduleAtFixedRate(feed::refresh, REFRESH_MILLIS, REFRESH_MILLIS, TimeUnit.MILLISECONDS);
                })
                .get();
        workers.submit(metrics::registerJvm);
        return new MirrorAssembly(vertx, loop, engine, link, workers, store, nbd);
    }

    private static Optional<Superblock> superblock(CopyStore store) throws DiskSetupException {
        for (String disk : store.damagedLogs()) {
            LOG.warn("the activity log of disk {} is damaged: the whole disk is compared with the peer", disk);
        }
        return switch (store.superblock()) {
            case StoredSuperblock.Blank() -> Optional.empty();
            case StoredSuperblock.Found(Superblock found) -> Optional.of(found);
            case StoredSuperblock.Damaged(boolean ours, String reason) ->
                // Safety: a damaged copy may be the only one; nothing here may decide that it is blank.
                throw new DiskSetupException("the copy's superblock can not be trusted: " + reason
                        + (ours ? "; restore the volume" : "; is it somebody else's?")
                        + " or replace this copy by an empty volume if the other copy is in sync");
        };
    }

    private static CoreConfig core(MirrorConfig config, CopyStore store) {
        return new CoreConfig(
                config.machineUid(),
                config.copy(),
                store.diskBytes(),
                config.timing(),
                config.slowPeer() == MirrorConfig.SlowPeer.SUSPEND,
                CoreConfig.DEFAULT_HOT_EXTENTS,
                new SecureRandom().nextLong() | 1,
                CoreConfig.Waits.DEFAULT,
                config.resync()
                        .map(resync -> new CoreConfig.Resync(resync.foregroundPercent(), resync.maxBytesPerSecond()))
                        .orElse(CoreConfig.Resync.DEFAULT));
    }

    private static NbdExports exports(
            MirrorConfig config,
            ServedSizes sizes,
            CopyStore store,
            GuestRequests requests,
            MirrorEngine engine,
            TwinBacking backing,
            MirrorMetrics metrics) {
        List<NbdExport> exports = new ArrayList<>();
        List<NbdExport> backups = new ArrayList<>();
        List<AsyncDisk> disks = store.disks();
        for (int i = 0; i < disks.size(); i++) {
            MirrorConfig.Disk disk = config.disks().get(i);
            DiskBackend backend = new DiskBackend(
                    i,
                    disks.get(i),
                    requests,
                    engine::post,
                    engine::isStandby,
                    backing,
                    new MeteredDisk(metrics.disk(disk.name())));
            // The guest's requests count in the export, the peer's and a resync's writes at the disk.
            ChangeBitmaps changes = new ChangeBitmaps(sizes.of(i));
            disks.get(i).onChange(changes::changed);
            exports.add(NbdExport.writable(disk.name(), sizes.of(i), backend).tracking(changes));
            backups.add(NbdExport.readOnly(
                            BACKUP_PREFIX + disk.name(), sizes.of(i), new BackupView(backend, engine::isStandby))
                    .tracking(changes));
        }
        exports.addAll(backups);
        return new NbdExports(exports);
    }

    private static LinkPort link(
            MirrorSettings settings,
            EventLoop loop,
            MonotonicClock clock,
            Late<MirrorEngine> late,
            MirrorMetrics metrics)
            throws LinkSetupException {
        return new LinkPort(settings, loop, clock, late::get, new LinkPort.LinkMeters() {
            @Override
            public void linkDown(CopyId peer, String cause) {
                metrics.linkDown(peer, cause);
            }

            @Override
            public void linkRefused(String reason) {
                metrics.linkRefused(reason);
            }
        });
    }

    private static LinkPort prepared(FutureTask<LinkPort> preparing)
            throws LinkSetupException, ExecutionException, InterruptedException {
        try {
            return preparing.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof LinkSetupException unusable) {
                throw unusable;
            }
            throw e;
        }
    }

    /** Servers that begin to listen beside the rest of the start. */
    private record Starting(Context context, List<CompletableFuture<Integer>> ports) {
        Starting(Context context) {
            this(context, new ArrayList<>());
        }

        void begin(Supplier<Future<Integer>> server) {
            CompletableFuture<Integer> port = new CompletableFuture<>();
            context.runOnContext(
                    ignored -> server.get().onSuccess(port::complete).onFailure(port::completeExceptionally));
            ports.add(port);
        }

        void await() throws ExecutionException, InterruptedException {
            for (CompletableFuture<Integer> port : ports) {
                port.get();
            }
        }
    }

    /** Blocks until {@link #stop} has ended. */
    public void awaitEnd() throws InterruptedException {
        ended.await();
    }

    /** Stops in order: what is under way ends, the peer is told, files are closed. Any thread, once. */
    public void stop() {
        try {
            engine.stop().get(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
            loop.submit(link.link()::close).get(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.warn("not everything ended in time; the next life compares what was under way", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        nbd.close();
        workers.close();
        store.close();
        vertx.close();
        ended.countDown();
    }
}
