package dev.pairvm.mirror.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class AsyncDiskTest {
    private static final int SIZE = 4 << 20;

    private final SimFile image = new SimFile(SIZE);
    private final SimFile metadata = new SimFile(2 << 20);
    private final IoWorkers workers = new IoWorkers(4);
    private final ExecutorService loop = Executors.newSingleThreadExecutor();
    private final DiskStore store = new DiskStore("root", SIZE, image, new MetadataArea(metadata, 0, 2 << 20, true));
    private final AsyncDisk disk = new AsyncDisk(store, workers, loop);

    @AfterEach
    void stop() {
        workers.close();
        loop.shutdown();
    }

    /** Collects what completed, in order; null for success. */
    private static final class Outcomes {
        private final List<@Nullable DiskException> all = new ArrayList<>();
        private final CountDownLatch done;

        Outcomes(int expected) {
            done = new CountDownLatch(expected);
        }

        IoCompletion next() {
            return failure -> {
                synchronized (all) {
                    all.add(failure);
                }
                done.countDown();
            };
        }

        List<@Nullable DiskException> await() throws InterruptedException {
            assertThat(done.await(20, TimeUnit.SECONDS))
                    .as("completions arrived")
                    .isTrue();
            synchronized (all) {
                return new ArrayList<>(all);
            }
        }
    }

    private static ByteBuf bytes(int length, int seed) {
        ByteBuf buffer = Unpooled.directBuffer(length);
        for (int i = 0; i < length; i++) {
            buffer.writeByte(seed + i * 7);
        }
        return buffer;
    }

    private void onLoop(Runnable action) throws Exception {
        loop.submit(action).get(20, TimeUnit.SECONDS);
    }

    private void roundTrip(int length, boolean durable) throws Exception {
        ByteBuf payload = bytes(length, 3);
        Outcomes written = new Outcomes(1);
        onLoop(() -> disk.write(4096, payload, durable, written.next()));
        assertThat(written.await()).containsExactly((DiskException) null);
        assertThat(payload.readableBytes()).as("the payload is not consumed").isEqualTo(length);
        ByteBuf target = Unpooled.directBuffer(length + 100);
        target.writeZero(10);
        Outcomes read = new Outcomes(1);
        onLoop(() -> disk.read(4096, target, length, read.next()));
        assertThat(read.await()).containsExactly((DiskException) null);
        assertThat(target.slice(10, length)).isEqualTo(payload);
    }

    @Test
    void theOldestOperationThatHasNotComeBackIsKnown() throws Exception {
        CountDownLatch device = new CountDownLatch(1);
        for (int i = 0; i < 4; i++) { // every worker waits for the device
            workers.submit(() -> {
                try {
                    device.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
        }
        Outcomes outcomes = new Outcomes(3);
        ByteBuf payload = bytes(4096, 1);
        onLoop(() -> {
            assertThat(disk.oldestSince()).isZero();
            disk.timePassed(1_000);
            disk.flush(outcomes.next());
            disk.timePassed(2_000);
            disk.write(0, payload, true, outcomes.next());
            disk.timePassed(3_000);
            disk.flush(outcomes.next());
            assertThat(disk.oldestSince()).isEqualTo(1_000);
        });
        device.countDown();
        outcomes.await();
        onLoop(() -> assertThat(disk.oldestSince()).isZero());
        payload.release();
    }

    @Test
    void smallWriteIsReadBack() throws Exception {
        roundTrip(4096, false);
    }

    @Test
    void largeWriteIsReadBack() throws Exception {
        roundTrip(1 << 20, false);
    }

    @Test
    void durableWriteSurvivesPowerLoss() throws Exception {
        roundTrip(8192, true);
        byte[] survived = image.afterPowerLoss(1).contents();
        assertThat(survived[4096]).isEqualTo((byte) 3);
        assertThat(image.flushes()).as("no flush of everything was needed").isZero();
    }

    @Test
    void coldReadIsServedByAWorker() throws Exception {
        roundTrip(4096, false);
        for (int cached : new int[] {0, 1000}) {
            image.evictAllBut(cached);
            ByteBuf target = Unpooled.directBuffer(4096);
            Outcomes read = new Outcomes(1);
            onLoop(() -> disk.read(4096, target, 4096, read.next()));
            assertThat(read.await()).containsExactly((DiskException) null);
            assertThat(target).isEqualTo(bytes(4096, 3));
        }
    }

    /** So that the peer's bytes can be put into the same buffer. */
    @Test
    void failedReadLeavesTheBufferAsItWas() throws Exception {
        image.evictAllBut(1000);
        image.failReads(2000, 3000, Errno.EIO);
        ByteBuf target = Unpooled.directBuffer(4106).writeZero(10);
        Outcomes read = new Outcomes(1);
        onLoop(() -> disk.read(0, target, 4096, read.next()));
        assertThat(read.await()).doesNotContainNull();
        assertThat(target.writerIndex()).isEqualTo(10);
    }

    @Test
    void zeroesReadAsZeros() throws Exception {
        roundTrip(4096, false);
        Outcomes zeroed = new Outcomes(2);
        onLoop(() -> disk.zero(4096, 512, true, false, zeroed.next()));
        onLoop(() -> disk.zero(5120, 512, false, true, zeroed.next()));
        assertThat(zeroed.await()).containsExactly(null, null);
        byte[] now = image.contents();
        assertThat(now[4096]).isZero();
        assertThat(now[5121]).isZero();
        assertThat(now[4608]).isNotZero();
    }

    /** Ten flushes while one runs become one more, and each is answered. */
    @Test
    void flushesThatArriveMeanwhileShareTheNext() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        image.stallFlushes(gate);
        Outcomes flushed = new Outcomes(11);
        onLoop(() -> disk.flush(flushed.next()));
        onLoop(() -> {
            for (int i = 0; i < 10; i++) {
                disk.flush(flushed.next());
            }
        });
        gate.countDown();
        assertThat(flushed.await()).hasSize(11).containsOnlyNulls();
        assertThat(image.flushes()).isEqualTo(2);
    }

    @Test
    void flushCoversWhatWasAnsweredBefore() throws Exception {
        Outcomes outcomes = new Outcomes(2);
        onLoop(() -> disk.write(0, bytes(4096, 9), false, outcomes.next()));
        onLoop(() -> disk.flush(outcomes.next()));
        outcomes.await();
        assertThat(image.afterPowerLoss(99).contents()[0]).isEqualTo((byte) 9);
    }

    /** After a failed flush Linux would let the next succeed; the store must not. */
    @Test
    void failedFlushClosesTheDiskForWritesForGood() throws Exception {
        image.failNextFlush(Errno.EIO);
        Outcomes outcomes = new Outcomes(5);
        onLoop(() -> disk.flush(outcomes.next()));
        outcomesSoFar(outcomes, 1);
        onLoop(() -> disk.flush(outcomes.next()));
        onLoop(() -> disk.write(0, bytes(4096, 1), false, outcomes.next()));
        onLoop(() -> disk.zero(0, 4096, true, false, outcomes.next()));
        onLoop(() -> disk.write(0, bytes(4096, 1), true, outcomes.next()));
        List<@Nullable DiskException> all = outcomes.await();
        DiskException first = all.getFirst();
        assertThat(first).isNotNull();
        assertThat(first.errno()).isEqualTo(Errno.EIO);
        assertThat(first.operation()).isEqualTo(DiskException.Operation.FLUSH);
        assertThat(all).as("every later one reports the first failure").containsOnly(first);
        assertThat(image.flushes()).as("the disk was not asked again").isEqualTo(1);
        assertThat(store.failure()).contains(first);
        ByteBuf target = Unpooled.directBuffer(512);
        Outcomes read = new Outcomes(1);
        onLoop(() -> disk.read(0, target, 512, read.next()));
        assertThat(read.await()).as("reads go on").containsExactly((DiskException) null);
    }

    private static void outcomesSoFar(Outcomes outcomes, int count) {
        org.awaitility.Awaitility.await().until(() -> outcomes.done.getCount() == 5 - count);
    }

    @Test
    void fullDiskIsAFailureWithItsErrno() throws Exception {
        image.failWrites(0, SIZE, Errno.ENOSPC);
        Outcomes outcomes = new Outcomes(1);
        onLoop(() -> disk.write(0, bytes(512, 1), false, outcomes.next()));
        assertThat(outcomes.await())
                .singleElement()
                .satisfies(failure -> assertThat(failure).isNotNull().hasMessageContaining("ENOSPC"));
        assertThat(store.failure()).isPresent();
    }

    @Test
    void failedReadDoesNotCloseTheDisk() throws Exception {
        image.failReads(0, 512, Errno.EIO);
        Outcomes outcomes = new Outcomes(2);
        ByteBuf target = Unpooled.directBuffer(512);
        onLoop(() -> disk.read(0, target, 512, outcomes.next()));
        onLoop(() -> disk.write(0, bytes(512, 1), false, outcomes.next()));
        List<@Nullable DiskException> all = outcomes.await();
        assertThat(all.getFirst()).isNotNull();
        assertThat(all.getLast()).isNull();
        assertThat(store.failure()).isEmpty();
    }
}
