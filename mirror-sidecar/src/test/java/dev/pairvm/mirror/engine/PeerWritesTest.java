package dev.pairvm.mirror.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.mirror.nbd.NbdBackend;
import dev.pairvm.mirror.nbd.NbdClient;
import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdExport;
import dev.pairvm.mirror.nbd.NbdExports;
import dev.pairvm.mirror.nbd.NbdExtentsReply;
import dev.pairvm.mirror.nbd.NbdLimits;
import dev.pairvm.mirror.nbd.NbdReply;
import dev.pairvm.mirror.nbd.NbdServer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The active's writes on their way through a twin's QEMU, played by an NBD server that answers when it is told to. */
class PeerWritesTest {
    private static final long SIZE = 1 << 20;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private final AtomicLong now = new AtomicLong(1);
    private final PeerWrites writes = new PeerWrites(now::get);
    private final Twin twin = new Twin();
    /** What was written into the store directly, in this order. */
    private final List<String> store = new ArrayList<>();

    private final List<String> ended = new ArrayList<>();
    private final List<String> broken = new ArrayList<>();
    private NbdServer server;
    private NbdClient client;

    @BeforeEach
    void connect(@TempDir Path folder) throws Exception {
        server = NbdServer.onUnixSocket(
                folder.resolve("disk"),
                loop,
                new NbdExports(List.of(NbdExport.writable("root", SIZE, twin))),
                NbdLimits.DEFAULT);
        client = NbdClient.connect(folder.resolve("disk"), "root", SIZE, loop).get(10, TimeUnit.SECONDS);
    }

    @AfterEach
    void close() throws Exception {
        server.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    /** A server that keeps what it is asked. */
    private static final class Twin implements NbdBackend {
        final List<String> asked = new ArrayList<>();
        final List<NbdReply> unanswered = new ArrayList<>();

        @Override
        public void read(long offset, int length, ByteBuf target, NbdReply reply) {
            reply.failed(NbdError.EIO);
        }

        @Override
        public void write(long offset, ByteBuf payload, boolean fua, NbdReply reply) {
            asked.add("write " + offset + "+" + payload.readableBytes() + (fua ? " fua" : ""));
            unanswered.add(reply);
        }

        @Override
        public void zero(long offset, long length, boolean mayPunch, boolean onlyIfFast, boolean fua, NbdReply reply) {
            asked.add("zero " + offset + "+" + length);
            unanswered.add(reply);
        }

        @Override
        public void trim(long offset, long length, boolean fua, NbdReply reply) {
            reply.failed(NbdError.EIO);
        }

        @Override
        public void flush(NbdReply reply) {
            reply.done();
        }

        @Override
        public void cache(long offset, long length, NbdReply reply) {
            reply.done();
        }

        @Override
        public void blockStatus(long offset, long length, NbdExtentsReply reply) {
            reply.done();
        }

        @Override
        public void clientGone(int remaining) {}
    }

    /** One that the store takes at once. */
    private class One implements PeerWrites.Write {
        private final String name;
        private final @Nullable ByteBuf payload;

        One(String name, boolean zero) {
            this.name = name;
            this.payload = zero ? null : Unpooled.directBuffer(4096).writeZero(4096);
        }

        @Override
        public int disk() {
            return 0;
        }

        @Override
        public long offset() {
            return 8192;
        }

        @Override
        public int length() {
            return 4096;
        }

        @Override
        public boolean fua() {
            return false;
        }

        @Override
        public @Nullable ByteBuf payload() {
            return payload;
        }

        @Override
        public void store() {
            store.add(name);
            writes.stored();
        }

        @Override
        public void ended(int errno) {
            ended.add(name + " " + errno);
        }
    }

    private <T> T onLoop(Callable<T> task) throws Exception {
        return loop.submit(task).get(10, TimeUnit.SECONDS);
    }

    private void onLoop(Runnable task) throws Exception {
        loop.submit(task).get(10, TimeUnit.SECONDS);
    }

    private void await(Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + 10_000_000_000L;
        while (!onLoop(condition)) {
            assertThat(System.nanoTime()).isLessThan(end);
            Thread.sleep(5);
        }
    }

    /** Two writes, of which the twin has answered the first. */
    private void twoUnderWay() throws Exception {
        onLoop(() -> writes.through(List.of(client), broken::add, () -> {}));
        onLoop(() -> {
            writes.begin(new One("first", false));
            writes.begin(new One("second", true));
        });
        await(() -> twin.unanswered.size() == 2);
        onLoop(() -> twin.unanswered.get(0).done());
        await(() -> ended.size() == 1);
    }

    @Test
    void writesGoThroughTheTwinAndEndWhenItAnswers() throws Exception {
        twoUnderWay();
        assertThat(twin.asked).containsExactly("write 8192+4096", "zero 8192+4096");
        assertThat(ended).containsExactly("first 0");
        onLoop(() -> twin.unanswered.get(1).failed(NbdError.EIO));
        await(() -> ended.size() == 2);
        assertThat(ended).containsExactly("first 0", "second 5");
        assertThat(store).isEmpty();
    }

    @Test
    void nothingGoesThroughBeforeWhatWentBesideHasEnded() throws Exception {
        List<String> ready = new ArrayList<>();
        onLoop(() -> {
            writes.begin(new One("slow", false) {
                @Override
                public void store() {
                    store.add("slow");
                }
            });
            writes.through(List.of(client), broken::add, () -> ready.add("ready"));
            assertThat(ready).isEmpty();
            writes.stored();
            assertThat(ready).containsExactly("ready");
        });
    }

    @Test
    void onTheWayBackNewOnesWaitForWhatIsUnderWay() throws Exception {
        twoUnderWay();
        List<String> back = new ArrayList<>();
        onLoop(() -> {
            writes.back(() -> back.add("back"));
            writes.begin(new One("third", false));
        });
        assertThat(store).isEmpty();
        onLoop(() -> twin.unanswered.get(1).done());
        await(() -> !back.isEmpty());
        assertThat(ended).containsExactly("first 0", "second 0");
        assertThat(store).containsExactly("third");
        assertThat(broken).isEmpty();
    }

    /** The twin's QEMU dies: what it has not answered is written again, in order, once it can not land any more. */
    @Test
    void whatADeadTwinHadIsWrittenAgainWhenItIsDead() throws Exception {
        twoUnderWay();
        onLoop(() -> client.close());
        await(() -> !broken.isEmpty());
        onLoop(() -> {
            writes.hold();
            writes.begin(new One("third", false));
        });
        assertThat(store).isEmpty();
        onLoop(() -> writes.resume());
        assertThat(store).containsExactly("second", "third");
        assertThat(ended).containsExactly("first 0");
    }

    /** The active is lost: nothing of what it had under way is acknowledged, so none of it may be written any more. */
    @Test
    void aCutAnswersWhatIsUnderWayAndWritesNoneOfIt() throws Exception {
        twoUnderWay();
        onLoop(() -> writes.cut());
        assertThat(ended).containsExactly("first 0", "second 0");
        onLoop(() -> writes.begin(new One("of the next session", false)));
        assertThat(store).containsExactly("of the next session");
        assertThat(broken).isEmpty();
    }

    @Test
    void aTwinThatKeepsAWriteForASecondIsBroken() throws Exception {
        twoUnderWay();
        onLoop(() -> writes.watch());
        assertThat(broken).isEmpty();
        now.addAndGet(PeerWrites.STUCK_NANOS + 1);
        onLoop(() -> {
            writes.watch();
            writes.watch();
        });
        assertThat(broken).hasSize(1);
        assertThat(broken.getFirst()).contains("not answered a write");
    }
}
