package dev.pairvm.mirror.engine;

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
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Two whole mirrors of one process without QEMU, on real disks, with an arbiter in memory. Closed by the test. */
final class MirrorPair implements AutoCloseable {
    static final CopyId A = new CopyId("a");
    static final CopyId B = new CopyId("b");
    static final int DISK_BYTES = 24 << 20;
    static final Duration LIMIT = Duration.ofSeconds(30);

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final EventLoop loop = group.next();
    final InProcessLink link = new InProcessLink(loop, A, B);
    final InMemoryArbiter.Store store;
    final InMemoryArbiter arbiterOfA;
    final InMemoryArbiter arbiterOfB;
    private final Terms terms;
    /** Runs whenever what a's report shows has changed, on the event loop, also in the middle of a step. */
    volatile Runnable changedAtA = () -> {};

    final Side a;
    final Side b;

    /** One mirror of the pair. */
    record Side(IoWorkers workers, CopyStore store, MirrorEngine engine, NbdBackend disk) {}

    /** What is particular to a pair's machine. */
    record Terms(String machineUid, boolean suspendOnSlowPeer, MirrorConfig.Timing timing, CoreConfig.Waits waits) {
        static final Terms USUAL = new Terms("uid-1", false, MirrorConfig.Timing.DEFAULT, CoreConfig.Waits.DEFAULT);
    }

    static ArbiterRecord provisioned() {
        return new ArbiterRecord(
                ArbiterRecord.PROVISIONED,
                A,
                new TreeSet<>(List.of(A)),
                ArbiterRecord.Mode.HA,
                "provisioned",
                new TreeMap<>());
    }

    /** How the store of a copy is opened. */
    interface Opening {
        CopyStore open(CopyId copy, MirrorConfig.Disk disk, IoWorkers workers, EventLoop loop) throws Exception;
    }

    /** Starts both and waits until they are in sync; {@code diskOfA} and {@code diskOfB} are where their disks lie. */
    MirrorPair(MirrorConfig.Disk diskOfA, MirrorConfig.Disk diskOfB) throws Exception {
        this(
                diskOfA,
                diskOfB,
                MirrorConfig.Timing.DEFAULT,
                (copy, disk, workers, loop) -> CopyStore.open(List.of(disk), workers, loop));
    }

    /** Like the other, with stores of another make. */
    MirrorPair(MirrorConfig.Disk diskOfA, MirrorConfig.Disk diskOfB, MirrorConfig.Timing timing, Opening opening)
            throws Exception {
        this(
                diskOfA,
                diskOfB,
                new Terms("uid-1", false, timing, CoreConfig.Waits.DEFAULT),
                new InMemoryArbiter.Store(provisioned()),
                opening);
        onLoop(link::connect);
        awaitWhole();
    }

    /** Starts both against an arbiter that was there before; they do not meet before the link is connected. */
    MirrorPair(
            MirrorConfig.Disk diskOfA,
            MirrorConfig.Disk diskOfB,
            Terms terms,
            InMemoryArbiter.Store store,
            Opening opening)
            throws Exception {
        this.terms = terms;
        this.store = store;
        arbiterOfA = new InMemoryArbiter(store, loop);
        arbiterOfB = new InMemoryArbiter(store, loop);
        a = start(A, link.first(), diskOfA, opening);
        b = start(B, link.second(), diskOfB, opening);
    }

    void awaitWhole() {
        await("the pair is whole").atMost(LIMIT).until(() -> record().inSync().size() == 2);
    }

    /** Waits until this side has the role. */
    void awaitRole(Side side, Role role) {
        await("the role is " + role).atMost(LIMIT).until(() -> view(side).role() == role);
    }

    @Override
    public void close() throws Exception {
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).get();
        a.store().close();
        b.store().close();
        a.workers().close();
        b.workers().close();
    }

    /** A disk as files of a folder. */
    static MirrorConfig.Disk folder(Path folder) throws IOException {
        return disk(Files.createDirectories(folder), MirrorConfig.Disk.Kind.FILE);
    }

    /** A disk at this place. */
    static MirrorConfig.Disk disk(Path path, MirrorConfig.Disk.Kind kind) {
        return new MirrorConfig.Disk("root", path.toString(), kind, DISK_BYTES, Optional.empty(), Optional.empty());
    }

    /** Carries both mirrors. */
    EventLoop loop() {
        return loop;
    }

    private Side start(CopyId copy, InProcessLink.End end, MirrorConfig.Disk disk, Opening opening) throws Exception {
        IoWorkers workers = IoWorkers.forDisks(1);
        CopyStore store = opening.open(copy, disk, workers, loop);
        CoreConfig config = new CoreConfig(
                terms.machineUid(),
                copy,
                store.diskBytes(),
                terms.timing(),
                terms.suspendOnSlowPeer(),
                CoreConfig.DEFAULT_HOT_EXTENTS,
                new Random().nextLong() | 1,
                terms.waits());
        MirrorEngine[] engine = new MirrorEngine[1];
        DisksOnly nobody = new DisksOnly(event -> engine[0].post(event));
        GuestRequests requests = new GuestRequests();
        engine[0] = new MirrorEngine(new MirrorEngine.Parts(
                new PairCore(config),
                loop,
                requests,
                new StoreEffects(
                        store,
                        workers,
                        loop,
                        requests,
                        end,
                        new PeerWrites(System::nanoTime),
                        event -> engine[0].post(event)),
                new ServedSizes(List.of(disk), "backup/", store.diskBytes(), nobody),
                new ArbiterEffects(copy.equals(A) ? arbiterOfA : arbiterOfB, event -> engine[0].post(event)),
                end,
                name -> CompletableFuture.failedFuture(new IllegalStateException("no channels here")),
                nobody,
                nobody,
                nobody,
                new Reign(System::nanoTime, InstantSource.system()),
                System::nanoTime,
                () -> {
                    if (copy.equals(A)) {
                        changedAtA.run();
                    }
                },
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
                new TwinBacking(),
                DiskCounters.NONE);
        return new Side(workers, store, engine[0], backend);
    }

    void onLoop(Runnable task) throws Exception {
        loop.submit(task).get();
    }

    ArbiterRecord record() {
        return store.read() instanceof ReadResult.Read read ? read.arbiter() : provisioned();
    }

    CoreView view(Side side) throws Exception {
        return loop.submit(side.engine()::view).get();
    }

    void write(Side side, long offset, byte[] bytes) throws Exception {
        CompletableFuture<Void> done = new CompletableFuture<>();
        ByteBuf payload =
                PooledByteBufAllocator.DEFAULT.directBuffer(bytes.length).writeBytes(bytes);
        onLoop(() -> side.disk().write(offset, payload, false, reply(done)));
        done.get(20, TimeUnit.SECONDS);
        payload.release();
    }

    static NbdReply reply(CompletableFuture<Void> done) {
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

    static byte[] pattern(long seed, int length) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    byte[] read(Side side, long offset, int length) throws Exception {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Target target = new Target(done, length);
        onLoop(() -> side.disk().read(offset, length, target.buffer, target));
        done.get(20, TimeUnit.SECONDS);
        byte[] bytes = new byte[length];
        onLoop(() -> {
            target.buffer.readBytes(bytes);
            target.buffer.release();
        });
        return bytes;
    }

    /** Where a read puts its bytes; event loop only. */
    private static final class Target implements NbdReply {
        private final NbdReply reply;
        private final int length;
        private ByteBuf buffer;

        Target(CompletableFuture<Void> done, int length) {
            this.reply = reply(done);
            this.length = length;
            this.buffer = PooledByteBufAllocator.DEFAULT.directBuffer(length, length);
        }

        @Override
        public void done() {
            reply.done();
        }

        @Override
        public void failed(NbdError error) {
            reply.failed(error);
        }

        @Override
        public void abandon() {
            reply.abandon();
        }

        @Override
        public ByteBuf replaceTarget() {
            buffer.release();
            buffer = PooledByteBufAllocator.DEFAULT.directBuffer(length, length);
            return buffer;
        }
    }

    void flush(Side side) throws Exception {
        CompletableFuture<Void> done = new CompletableFuture<>();
        onLoop(() -> side.disk().flush(reply(done)));
        done.get(30, TimeUnit.SECONDS);
    }
}
