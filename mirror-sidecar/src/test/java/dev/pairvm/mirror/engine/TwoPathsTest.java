package dev.pairvm.mirror.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.arbiter.InMemoryArbiter;
import dev.pairvm.mirror.arbiter.ReadResult;
import dev.pairvm.mirror.core.CoreConfig;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.PairCore;
import dev.pairvm.mirror.core.Role;
import dev.pairvm.mirror.guest.Accelerator;
import dev.pairvm.mirror.link.MonotonicClock;
import dev.pairvm.mirror.link.PeerAddress;
import dev.pairvm.mirror.link.PeerLink;
import dev.pairvm.mirror.link.TestAuthority;
import dev.pairvm.mirror.link.TwoNetworks;
import dev.pairvm.mirror.nbd.NbdBackend;
import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdReply;
import dev.pairvm.mirror.store.CopyStore;
import dev.pairvm.mirror.store.IoWorkers;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two whole mirrors over the real link and two networks: either network carries the pair alone, and a cut one is no lost peer. */
@Timeout(180)
class TwoPathsTest {
    private static final String UID = "uid-1";
    private static final CopyId A = new CopyId("a");
    private static final CopyId B = new CopyId("b");
    private static final int DISK_BYTES = 24 << 20;
    private static final Duration LIMIT = Duration.ofSeconds(30);
    /**
     * In place of 100 ms: moving takes a few turns of the loop, but this process shares its processors with a whole build, and its
     * standing still must not be taken for the loss of the peer.
     */
    private static final int RECONNECT_MILLIS = 2_000;

    private static final MirrorConfig.Timing PATIENT = new MirrorConfig.Timing(50, 2_000, 2_500);

    @TempDir
    Path dir;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private final MonotonicClock clock = MonotonicClock.boottime();
    private final TestAuthority authority = new TestAuthority();
    private final InMemoryArbiter.Store store = new InMemoryArbiter.Store(new ArbiterRecord(
            ArbiterRecord.PROVISIONED,
            A,
            new TreeSet<>(List.of(A)),
            ArbiterRecord.Mode.HA,
            "provisioned",
            new TreeMap<>()));
    private @SuppressWarnings("NullAway.Init") Side a;
    private @SuppressWarnings("NullAway.Init") Side b;
    private @SuppressWarnings("NullAway.Init") TwoNetworks networks;

    /** One mirror of the pair. */
    private record Side(
            IoWorkers workers, CopyStore store, MirrorEngine engine, LinkPort port, int tcpPort, NbdBackend disk) {
        PeerLink link() {
            return port.link();
        }
    }

    private <T> T on(Callable<T> call) throws Exception {
        return loop.submit(call).get(20, TimeUnit.SECONDS);
    }

    private void onLoop(Runnable task) throws Exception {
        loop.submit(task).get(20, TimeUnit.SECONDS);
    }

    private Side start(CopyId copy) throws Exception {
        Path folder = Files.createDirectories(dir.resolve(copy.value()));
        MirrorConfig.Disk disk = new MirrorConfig.Disk(
                "root", folder.toString(), MirrorConfig.Disk.Kind.FILE, DISK_BYTES, Optional.empty(), Optional.empty());
        MirrorConfig config = new MirrorConfig(
                "m",
                UID,
                "ns",
                copy,
                "pairvm-m",
                List.of(disk),
                PATIENT,
                MirrorConfig.SlowPeer.DEGRADE,
                new MirrorConfig.Link(0, List.of()),
                new MirrorConfig.Guest(
                        new MirrorConfig.Cpu(1, 1, 1, "max"),
                        64,
                        "q35",
                        new MirrorConfig.Firmware(false, "", Optional.empty()),
                        List.of(),
                        Optional.empty(),
                        false,
                        Optional.empty(),
                        MirrorConfig.OnCrash.STOP,
                        30),
                true);
        MirrorSettings settings = new MirrorSettings(
                config,
                authority.write(folder.resolve("tls"), authority.copy(UID, copy.value())),
                folder,
                folder,
                0,
                0,
                Optional.empty(),
                true,
                false,
                false,
                Accelerator.TCG,
                Optional.empty(),
                Map.of(),
                "test");
        Late<MirrorEngine> late = new Late<>();
        LinkPort port = new LinkPort(settings, loop, clock, late::get, new LinkPort.LinkMeters() {
            @Override
            public void linkDown(CopyId peer, String cause) {}

            @Override
            public void linkRefused(String reason) {}
        });
        IoWorkers workers = IoWorkers.forDisks(1);
        CopyStore copyStore = CopyStore.open(List.of(disk), workers, loop);
        GuestRequests requests = new GuestRequests();
        DisksOnly nobody = new DisksOnly(event -> late.get().post(event));
        InMemoryArbiter arbiter = new InMemoryArbiter(store, loop);
        MirrorEngine engine = new MirrorEngine(new MirrorEngine.Parts(
                new PairCore(core(copy)),
                loop,
                requests,
                new StoreEffects(
                        copyStore,
                        workers,
                        loop,
                        requests,
                        port,
                        new PeerWrites(clock::nanos),
                        event -> late.get().post(event)),
                new ServedSizes(List.of(disk), "backup/", copyStore.diskBytes(), nobody),
                new ArbiterEffects(arbiter, event -> late.get().post(event)),
                port,
                name -> CompletableFuture.failedFuture(new IllegalStateException("no channels here")),
                nobody,
                nobody,
                nobody,
                new Reign(clock::nanos, InstantSource.system()),
                clock::nanos,
                () -> {},
                () -> port.loopTicked(0)));
        late.set(engine);
        onLoop(() -> engine.start(new Event.Started(Optional.empty(), copyStore.hot(), copyStore.dirty(), false)));
        int tcp = on(() -> port.link().listen()).get(10, TimeUnit.SECONDS);
        return new Side(
                workers,
                copyStore,
                engine,
                port,
                tcp,
                new DiskBackend(
                        0,
                        copyStore.disks().getFirst(),
                        requests,
                        engine::post,
                        engine::isStandby,
                        new TwinBacking(),
                        DiskCounters.NONE));
    }

    private static CoreConfig core(CopyId copy) {
        CoreConfig.Waits usual = CoreConfig.Waits.DEFAULT;
        CoreConfig.Waits patient = new CoreConfig.Waits(
                RECONNECT_MILLIS,
                usual.peerRestartMillis(),
                usual.activeReturnsMillis(),
                usual.standbyReturnsMillis(),
                4 * usual.slowPeerMillis(),
                usual.rejoinMillis(),
                usual.rejoinMostMillis(),
                usual.arbiterRetryMillis());
        return new CoreConfig(
                UID,
                copy,
                List.of((long) DISK_BYTES),
                PATIENT,
                false,
                CoreConfig.DEFAULT_HOT_EXTENTS,
                new Random().nextLong() | 1,
                patient);
    }

    @BeforeEach
    void startPair() throws Exception {
        a = start(A);
        b = start(B);
        networks = new TwoNetworks(a.tcpPort());
        onLoop(() -> {
            a.port().announce(networks.addresses());
            b.port().announce(List.of("127.0.0.3:" + b.tcpPort(), "127.0.0.4:" + b.tcpPort()));
            b.link()
                    .peers(Map.of(
                            A,
                            networks.addresses().stream()
                                    .map(PeerAddress::parse)
                                    .toList()));
        });
        await("the pair is whole").atMost(LIMIT).until(() -> record().inSync().size() == 2);
        untilBothPathsAreUp();
    }

    @AfterEach
    void stop() throws Exception {
        onLoop(() -> {
            a.link().close();
            b.link().close();
        });
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).get();
        networks.close();
        for (Side side : List.of(a, b)) {
            side.store().close();
            side.workers().close();
        }
    }

    private ArbiterRecord record() {
        return store.read() instanceof ReadResult.Read read
                ? read.arbiter()
                : new ArbiterRecord(Epoch.NONE, A, new TreeSet<>(), ArbiterRecord.Mode.HA, "", new TreeMap<>());
    }

    private void untilBothPathsAreUp() {
        await("both paths are up")
                .atMost(LIMIT)
                .until(() -> on(() -> b.link().pathsUp(A).size()) == 2
                        && on(() -> a.link().pathsUp(B).size()) == 2);
    }

    /** A guest that always has eight writes under way; on the loop. */
    private final class Load {
        private static final int BLOCKS = DISK_BYTES / 4096;
        private int sent;
        private int answered;
        private int underWay;
        private long lastAt = clock.nanos();
        private long longestNanos;
        private boolean stopped;
        private Optional<String> failure = Optional.empty();

        void fill() {
            while (!stopped && underWay < 8) {
                int number = ++sent;
                underWay++;
                ByteBuf payload = PooledByteBufAllocator.DEFAULT.directBuffer(4096);
                for (int i = 0; i < 1024; i++) {
                    payload.writeInt(number);
                }
                a.disk().write(4096L * (number * 7919L % BLOCKS), payload, false, new NbdReply() {
                    @Override
                    public void done() {
                        payload.release();
                        answered++;
                        long now = clock.nanos();
                        longestNanos = Math.max(longestNanos, now - lastAt);
                        lastAt = now;
                        underWay--;
                        loop.execute(Load.this::fill);
                    }

                    @Override
                    public void failed(NbdError error) {
                        failure = Optional.of("a write was answered " + error);
                    }

                    @Override
                    public void abandon() {
                        failure = Optional.of("a write was abandoned");
                    }
                });
            }
        }
    }

    private void runsOn(Load load, Epoch epoch) throws Exception {
        int before = on(() -> load.answered);
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
        await("writes go on")
                .atMost(LIMIT)
                .until(() -> on(() -> load.answered) > before + 500 && System.nanoTime() > until);
        assertThat(on(() -> load.failure)).isEmpty();
        assertThat(record().epoch()).as("nothing was decided").isEqualTo(epoch);
        assertThat(record().inSync()).containsExactly(A, B);
        assertThat(on(() -> a.engine().view().role())).isEqualTo(Role.ACTIVE);
        assertThat(on(() -> b.engine().view().role())).isEqualTo(Role.STANDBY);
    }

    @Test
    void eitherNetworkIsCutUnderLoadAndNothingIsDecided() throws Exception {
        Epoch epoch = record().epoch();
        Load load = new Load();
        onLoop(load::fill);
        runsOn(load, epoch);
        for (int cut : new int[] {0, 1}) {
            onLoop(() -> load.longestNanos = 0);
            networks.cut(cut, a.link(), b.link());
            runsOn(load, epoch);
            // Generous; on an idle machine some 150 ms.
            assertThat(Duration.ofNanos(on(() -> load.longestNanos))).isLessThan(Duration.ofSeconds(2));
            networks.heal(a.link(), b.link());
            untilBothPathsAreUp();
            runsOn(load, epoch);
        }
        onLoop(() -> load.stopped = true);
        await("the last is answered").atMost(LIMIT).until(() -> on(() -> load.underWay) == 0);
        assertThat(Files.mismatch(dir.resolve("a/disk.img"), dir.resolve("b/disk.img")))
                .isEqualTo(-1);
    }
}
