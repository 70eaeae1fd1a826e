package dev.pairvm.mirror.store;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The platform threads on which a mirror's disks may block: flushes, durable writes, large transfers, reads that the page cache
 * can not answer. (Virtual threads would pin their carriers in file I/O.) One instance serves all disks of a machine.
 */
public final class IoWorkers implements AutoCloseable {
    /** Jobs that may wait for a thread: far above what the connections' bounds let in. */
    private static final int MAX_QUEUED = 4096;

    /** More threads than this would only queue up inside the device. */
    private static final int MAX_THREADS = 16;

    private final ThreadPoolExecutor threads;

    /** As many threads as these disks can use: per disk a flush, a metadata write and two transfers. */
    public static IoWorkers forDisks(int disks) {
        return new IoWorkers(Math.min(MAX_THREADS, Math.max(1, disks) * 4));
    }

    /** With so many threads; each is started when it is first needed. */
    public IoWorkers(int count) {
        AtomicInteger number = new AtomicInteger();
        threads = new ThreadPoolExecutor(
                count,
                count,
                30,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(MAX_QUEUED),
                job -> Thread.ofPlatform()
                        .daemon()
                        .name("disk-io-" + number.getAndIncrement())
                        .unstarted(job),
                // Full: whoever submits does the work himself, which slows him down to what the disks can do.
                new ThreadPoolExecutor.CallerRunsPolicy());
        threads.allowCoreThreadTimeOut(true);
    }

    /**
     * Runs a job on some thread, soon; on the caller's if the queue is full. Any thread; after {@link #close} jobs are dropped.
     */
    public void submit(Runnable job) {
        threads.execute(job);
    }

    /** Lets the jobs that were submitted finish and ends the threads; waits for at most ten seconds. */
    @Override
    public void close() {
        threads.shutdown();
        try {
            if (!threads.awaitTermination(10, TimeUnit.SECONDS)) {
                threads.shutdownNow();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
