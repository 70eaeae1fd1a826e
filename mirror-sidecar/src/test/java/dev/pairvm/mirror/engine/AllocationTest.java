package dev.pairvm.mirror.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdReply;
import dev.pairvm.mirror.store.CopyStore;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a request costs the heap in steady state, counted by the JVM for the one thread that carries both mirrors of a pair: NBD's reply
 * to reply, through both cores and both stores. The link between them is the tests' own and is counted too; TLS and sockets are not in it.
 */
class AllocationTest {
    private static final int WARM_UP = 60_000;
    private static final int COUNTED = 20_000;
    private static final int LENGTH = 4096;

    /** A busy machine must not suspend the pair in the middle. */
    private static final MirrorConfig.Timing PATIENT = new MirrorConfig.Timing(50, 10_000, 13_000);

    /**
     * Bytes that a request may cost. Events, effects, messages and the core's request are immutable records, one of each per step: that is
     * what remains, short-lived, and it is what a pure core costs. A lambda or a boxed number more on the way shows here.
     */
    private static final long WRITE_BYTES = 1100;

    private static final long READ_BYTES = 400;
    private static final long FLUSH_BYTES = 1150;

    @Test
    void aRequestCostsOnlyItsEventsAndEffects(@TempDir Path folder) throws Exception {
        try (MirrorPair pair = new MirrorPair(
                MirrorPair.folder(folder.resolve("a")),
                MirrorPair.folder(folder.resolve("b")),
                PATIENT,
                (copy, disk, workers, loop) -> CopyStore.open(List.of(disk), workers, loop))) {
            ByteBuf buffer = Unpooled.directBuffer(LENGTH).writeZero(LENGTH);
            Runs runs = new Runs(pair);
            NbdBackendCall write = (at, reply) -> pair.a.disk().write(at, buffer, false, reply);
            NbdBackendCall read = (at, reply) -> pair.a.disk().read(at, LENGTH, buffer.clear(), reply);
            NbdBackendCall flush = (at, reply) -> pair.a.disk().flush(reply);
            runs.perRequest(write, WARM_UP);
            long perWrite = runs.perRequest(write, COUNTED);
            runs.perRequest(read, WARM_UP);
            long perRead = runs.perRequest(read, COUNTED);
            runs.perRequest(flush, WARM_UP / 20);
            long perFlush = runs.perRequest(flush, COUNTED / 20);
            System.out.printf("bytes of heap per request: write %d, read %d, flush %d%n", perWrite, perRead, perFlush);
            assertThat(perWrite).as("bytes per write").isLessThanOrEqualTo(WRITE_BYTES);
            assertThat(perRead).as("bytes per read").isLessThanOrEqualTo(READ_BYTES);
            assertThat(perFlush).as("bytes per flush").isLessThanOrEqualTo(FLUSH_BYTES);
            buffer.release();
        }
    }

    private interface NbdBackendCall {
        void begin(long at, NbdReply reply);
    }

    /** One request after the other, each begun when the one before is answered. */
    private static final class Runs {
        private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        private final MirrorPair pair;

        Runs(MirrorPair pair) {
            this.pair = pair;
        }

        long perRequest(NbdBackendCall call, int count) throws Exception {
            long before = allocated();
            Chain chain = new Chain(pair, call, count);
            pair.onLoop(chain);
            assertThat(chain.done.await(120, TimeUnit.SECONDS)).isTrue();
            return (allocated() - before) / count;
        }

        private long allocated() throws Exception {
            return pair.loop()
                    .submit(() -> threads.getThreadAllocatedBytes(
                            Thread.currentThread().threadId()))
                    .get();
        }
    }

    private static final class Chain implements Runnable, NbdReply {
        private final MirrorPair pair;
        private final NbdBackendCall call;
        private final CountDownLatch done = new CountDownLatch(1);
        private int left;

        Chain(MirrorPair pair, NbdBackendCall call, int count) {
            this.pair = pair;
            this.call = call;
            this.left = count;
        }

        @Override
        public void run() {
            call.begin((long) (left % 512) * LENGTH, this);
        }

        @Override
        public void done() {
            left--;
            if (left == 0) {
                done.countDown();
            } else {
                pair.loop().execute(this);
            }
        }

        @Override
        public void failed(NbdError error) {
            throw new AssertionError("answered " + error);
        }

        @Override
        public void abandon() {
            throw new AssertionError("abandoned");
        }
    }
}
