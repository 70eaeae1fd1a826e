package dev.pairvm.mirror.guest;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/**
 * The side of a live migration that gives the guest away.
 *
 * <pre>
 * start(socket) -&gt; RAM moves while the guest runs -&gt; paused(): the guest stands still, its I/O is drained, and it still can go on here
 *     finish()  -&gt; the guest is the other side's; this QEMU is MovedAway
 *     cancel()  -&gt; the guest goes on here (also before paused())
 * </pre>
 *
 * The disks are not moved: each side's NBD exports are local. QEMU drains its requests before it reports the pause, so a mirror
 * that withholds them delays the pause, it does not break it.
 */
public final class MigrationSource {
    MigrationSource() {}

    /**
     * Begins to move RAM.
     *
     * @param socket a unix socket that leads to the target's, through the mirrors' link
     * @param downtime bound of the guest's pause that QEMU aims for
     * @param limit time for the live phase; after it the migration is cancelled
     * @return completes when the guest is paused for the switch; fails with {@link GuestException} when it goes on here
     */
    public CompletableFuture<Void> start(Path socket, Duration downtime, Duration limit) {
        throw new UnsupportedOperationException();
    }

    /** After {@link #start}: hands the guest over for good. Completes when the target has everything. */
    public CompletableFuture<Void> finish(Duration limit) {
        throw new UnsupportedOperationException();
    }

    /** Gives up; completes when the guest runs here again. Fails if it is too late or QEMU is gone. */
    public CompletableFuture<Void> cancel() {
        throw new UnsupportedOperationException();
    }

    /** Bytes of RAM still to be moved when last asked, -1 before the start. */
    public long remainingBytes() {
        throw new UnsupportedOperationException();
    }
}
