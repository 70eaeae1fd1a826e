package dev.pairvm.mirror.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.arbiter.InMemoryArbiter;
import dev.pairvm.mirror.arbiter.ReadResult;
import dev.pairvm.mirror.core.CoreConfig;
import dev.pairvm.mirror.core.CoreView;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.PairCore;
import dev.pairvm.mirror.core.Role;
import dev.pairvm.mirror.core.Superblock;
import dev.pairvm.mirror.nbd.NbdBackend;
import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdReply;
import dev.pairvm.mirror.store.CopyStore;
import dev.pairvm.mirror.store.IoWorkers;
import dev.pairvm.mirror.store.StoredSuperblock;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two whole mirrors without QEMU, on real files, with an arbiter in memory. */
class MirrorPairTest {
    private static final CopyId A = new CopyId("a");
    private static final CopyId B = new CopyId("b");
    private static final int DISK_BYTES = 24 << 20;
    private static final Duration LIMIT = Duration.ofSeconds(30);

    @TempDir
    Path dir;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private final InProcessLink link = new InProcessLink(loop, A, B);
    private final InMemoryArbiter.Store store = new InMemoryArbiter.Store(provisioned());
    private final InMemoryArbiter arbiterOfA = new InMemoryArbiter(store, loop);
    private final InMemoryArbiter arbiterOfB = new InMemoryArbiter(store, loop);
    private @SuppressWarnings("NullAway.Init") Side a;
    private @SuppressWarnings("NullAway.Init") Side b;

    /** One mirror of the pair. */
    private record Side(IoWorkers workers, CopyStore store, MirrorEngine engine, NbdBackend disk) {}

    private static ArbiterRecord provisioned() {
        return new ArbiterRecord(
                ArbiterRecord.PROVISIONED,
                A,
                new TreeSet<>(List.of(A)),
                ArbiterRecord.Mode.HA,
                "provisioned",
                new TreeMap<>());
    }

    @BeforeEach
    void startPair() throws Exception {
        a = start(A, link.first());
        b = start(B, link.second());
        onLoop(link::connect);
        await("the pair is whole").atMost(LIMIT).until(() -> record().inSync().size() == 2);
    }

    @AfterEach
    void stop() throws Exception {
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).get();
        a.store().close();
        b.store().close();
        a.workers().close();
        b.workers().close();
    }

    private Side start(CopyId copy, InProcessLink.End end) throws Exception {
        Path folder = Files.createDirectories(dir.resolve(copy.value()));
        MirrorConfig.Disk disk = new MirrorConfig.Disk(
                "root", folder.toString(), MirrorConfig.Disk.Kind.FILE, DISK_BYTES, Optional.empty(), Optional.empty());
        IoWorkers workers = IoWorkers.forDisks(1);
        CopyStore store = CopyStore.open(List.of(disk), workers, loop);
        CoreConfig config = new CoreConfig(
                "uid-1",
                copy,
                List.of((long) DISK_BYTES),
                MirrorConfig.Timing.DEFAULT,
                false,
                CoreConfig.DEFAULT_HOT_EXTENTS,
                new Random().nextLong() | 1,
                CoreConfig.Waits.DEFAULT);
        MirrorEngine[] engine = new MirrorEngine[1];
        DisksOnly nobody = new DisksOnly(event -> engine[0].post(event));
        GuestRequests requests = new GuestRequests();
        engine[0] = new MirrorEngine(new MirrorEngine.Parts(
                new PairCore(config),
                loop,
                requests,
                new StoreEffects(store, workers, loop, requests, end, event -> engine[0].post(event)),
                new ArbiterEffects(copy.equals(A) ? arbiterOfA : arbiterOfB, event -> engine[0].post(event)),
                end,
                name -> CompletableFuture.failedFuture(new IllegalStateException("no channels here")),
                nobody,
                nobody,
                new Reign(System::nanoTime, InstantSource.system()),
                System::nanoTime,
                () -> {},
                () -> {}));
        end.engine(engine[0]);
        Optional<Superblock> found = store.superblock() instanceof StoredSuperblock.Found known
                ? Optional.of(known.superblock())
                : Optional.empty();
        onLoop(() -> engine[0].start(new Event.Started(found, store.hot(), store.dirty(), false)));
        NbdBackend backend = new DiskBackend(
                0,
                store.disks().getFirst(),
                requests,
                event -> engine[0].post(event),
                engine[0]::isStandby,
                DiskCounters.NONE);
        return new Side(workers, store, engine[0], backend);
    }

    private void onLoop(Runnable task) throws Exception {
        loop.submit(task).get();
    }

    private ArbiterRecord record() {
        return store.read() instanceof ReadResult.Read read ? read.arbiter() : provisioned();
    }

    private CoreView view(Side side) throws Exception {
        return loop.submit(side.engine()::view).get();
    }

    private void write(Side side, long offset, byte[] bytes) throws Exception {
        CompletableFuture<Void> done = new CompletableFuture<>();
        ByteBuf payload =
                PooledByteBufAllocator.DEFAULT.directBuffer(bytes.length).writeBytes(bytes);
        onLoop(() -> side.disk().write(offset, payload, false, reply(done)));
        done.get(20, TimeUnit.SECONDS);
        payload.release();
    }

    private static NbdReply reply(CompletableFuture<Void> done) {
        return new NbdReply() {
            @Override
            public void done() {
                done.complete(null);
            }

            @Override
            public void failed(NbdError error) {
                done.completeExceptionally(new AssertionError("answered " + error));
            }

            @Override
            public void abandon() {
                done.completeExceptionally(new AssertionError("abandoned"));
            }
        };
    }

    private static byte[] pattern(long seed, int length) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private byte[] image(CopyId copy) throws Exception {
        return Files.readAllBytes(dir.resolve(copy.value()).resolve("disk.img"));
    }

    @Test
    void everyAnsweredWriteIsOnBothCopies() throws Exception {
        for (int i = 0; i < 50; i++) {
            write(a, i * 300_000L, pattern(i, 70_000 + i));
        }

        assertThat(view(a).role()).isEqualTo(Role.ACTIVE);
        assertThat(view(b).role()).isEqualTo(Role.STANDBY);
        assertThat(image(A)).isEqualTo(image(B));
    }

    @Test
    void theStandbyTakesOverWithEveryWriteWhenTheActiveFallsSilent() throws Exception {
        byte[] bytes = pattern(1, 200_000);
        write(a, 4096, bytes);

        onLoop(() -> {
            arbiterOfA.setMood(InMemoryArbiter.Mood.UNREACHABLE);
            link.cut(Event.LinkDown.Cause.LOST);
        });

        await("b is the active").atMost(LIMIT).until(() -> record().active().equals(B));
        await("b serves").atMost(LIMIT).until(() -> view(b).role() == Role.ACTIVE);
        assertThat(Arrays.copyOfRange(image(B), 4096, 4096 + bytes.length)).isEqualTo(bytes);
        assertThat(view(a).role()).isNotEqualTo(Role.ACTIVE);
    }

    @Test
    void aLostStandbyIsShrunkAwayAndFilledAgainWithWhatDiffers() throws Exception {
        onLoop(() -> link.cut(Event.LinkDown.Cause.LOST));
        await("alone").atMost(LIMIT).until(() -> record().inSync().size() == 1);
        byte[] bytes = pattern(2, 500_000);
        write(a, 8 << 20, bytes);

        onLoop(link::connect);

        await("whole again").atMost(LIMIT).until(() -> record().inSync().size() == 2);
        assertThat(record().active()).isEqualTo(A);
        assertThat(image(B)).isEqualTo(image(A));
    }
}
