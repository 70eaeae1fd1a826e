package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig.Timing;
import java.util.List;

/**
 * What the core must know of its machine.
 *
 * @param machineUid uid of the ProtectedVM
 * @param self this copy
 * @param diskBytes sizes of this copy's disks in bytes when it starts, as its superblocks say (they may grow), in the order of the machine's disks; positive multiples of 512
 * @param timing beacon, lease and grace
 * @param suspendOnSlowPeer hold I/O instead of dropping a slow peer
 * @param hotExtents most extents in the activity log, all disks together
 * @param life random word of this process' life, never 0: nonces, session and lineage words derive from it
 * @param waits the longer waits
 * @param resync what a resync may cost
 */
public record CoreConfig(
        String machineUid,
        CopyId self,
        List<Long> diskBytes,
        Timing timing,
        boolean suspendOnSlowPeer,
        int hotExtents,
        long life,
        Waits waits,
        Resync resync) {

    /** With the default limits of a resync. */
    public CoreConfig(
            String machineUid,
            CopyId self,
            List<Long> diskBytes,
            Timing timing,
            boolean suspendOnSlowPeer,
            int hotExtents,
            long life,
            Waits waits) {
        this(machineUid, self, diskBytes, timing, suspendOnSlowPeer, hotExtents, life, waits, Resync.DEFAULT);
    }

    /**
     * What a resync may cost.
     *
     * @param foregroundPercent what the guest's 99th percentile may rise to, in percent of the usual one; above 100
     * @param maxBytesPerSecond most bytes compared and copied in a second, at least {@link #FLOOR}; {@link Long#MAX_VALUE}: no limit
     */
    public record Resync(int foregroundPercent, long maxBytesPerSecond) {
        /** It is never slower than this, in bytes per second. */
        public static final long FLOOR = ResyncPace.FLOOR;
        /** 150 %, no limit. */
        public static final Resync DEFAULT = new Resync(150, Long.MAX_VALUE);

        /** Checks the bounds; throws {@link IllegalArgumentException} naming the field. */
        public Resync {
            if (foregroundPercent <= 100 || foregroundPercent > 100_000) {
                throw new IllegalArgumentException(
                        "foregroundPercent must be above 100 and at most 100000, got " + foregroundPercent);
            }
            if (maxBytesPerSecond < FLOOR) {
                throw new IllegalArgumentException(
                        "maxBytesPerSecond must be at least " + FLOOR + ", got " + maxBytesPerSecond);
            }
        }
    }

    /** Default number of hot extents: at most 4 GiB to compare after a crash. */
    public static final int DEFAULT_HOT_EXTENTS = 1024;

    /** Copies the list and checks the bounds; throws {@link IllegalArgumentException} naming the field. */
    public CoreConfig {
        diskBytes = List.copyOf(diskBytes);
        if (diskBytes.isEmpty() || diskBytes.stream().anyMatch(bytes -> bytes <= 0 || bytes % 512 != 0)) {
            throw new IllegalArgumentException("diskBytes must be positive multiples of 512, got " + diskBytes);
        }
        if (hotExtents < 2) {
            throw new IllegalArgumentException("hotExtents must be at least 2, got " + hotExtents);
        }
        if (life == 0) {
            throw new IllegalArgumentException("life must be a random word, got 0");
        }
    }

    /**
     * Waits in milliseconds.
     *
     * @param reconnectMillis how long an active whose link broke waits for it before it shrinks
     * @param peerRestartMillis how long a standby waits after the active's process closed the link (its host lives, and a restart
     *     of the mirror is likely)
     * @param activeReturnsMillis how long a starting active waits for its in-sync peer before it shrinks it away
     * @param standbyReturnsMillis how long an in-sync standby that has just started waits for the active before it promotes
     * @param slowPeerMillis age of an unacknowledged peer write at which the peer is slow
     * @param rejoinMillis first back-off before a peer dropped as slow may rejoin; doubles up to {@code rejoinMostMillis}
     * @param rejoinMostMillis the longest back-off
     * @param arbiterRetryMillis pause between attempts at the arbiter
     */
    public record Waits(
            int reconnectMillis,
            int peerRestartMillis,
            int activeReturnsMillis,
            int standbyReturnsMillis,
            int slowPeerMillis,
            int rejoinMillis,
            int rejoinMostMillis,
            int arbiterRetryMillis) {
        /** 100 ms, 5 s, 10 s, 15 s, 2 s, 10 s, 300 s, 200 ms. */
        public static final Waits DEFAULT = new Waits(100, 5_000, 10_000, 15_000, 2_000, 10_000, 300_000, 200);

        /** Checks the order of the two returns; throws {@link IllegalArgumentException} naming the field. */
        public Waits {
            if (standbyReturnsMillis <= activeReturnsMillis) {
                throw new IllegalArgumentException("standbyReturnsMillis must be above activeReturnsMillis ("
                        + activeReturnsMillis + "), got " + standbyReturnsMillis);
            }
        }
    }
}
