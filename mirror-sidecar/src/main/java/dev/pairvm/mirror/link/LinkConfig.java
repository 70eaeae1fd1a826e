package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;

/**
 * What the link must know of its machine.
 *
 * @param machineUid uid of the ProtectedVM; the peer's certificate must carry it
 * @param self this copy
 * @param port TCP and UDP port on all interfaces; 0 takes free ones (tests)
 * @param beaconMillis interval of beacons in milliseconds
 * @param lowWaterBytes unsent bytes below which a full link is writable again
 * @param highWaterBytes unsent bytes above which a link is not writable
 * @param speaks versions of the link
 * @param features bits of {@link LinkFrame.Feature}
 * @param plain no TLS, thus nobody is known by a certificate: for benchmarks on one host only
 */
public record LinkConfig(
        String machineUid,
        CopyId self,
        int port,
        int beaconMillis,
        int lowWaterBytes,
        int highWaterBytes,
        LinkVersions speaks,
        long features,
        boolean plain) {
    /** Port of the link in a pod. */
    public static final int PORT = 7400;

    private static final int LOW_WATER = 1 << 20;
    private static final int HIGH_WATER = 4 << 20;

    /** Checks the bounds; throws {@link IllegalArgumentException} naming the field. */
    public LinkConfig {
        if (port < 0 || port > 65535) {
            throw new IllegalArgumentException("port must be 0 to 65535, got " + port);
        }
        if (beaconMillis < 5 || beaconMillis > 10_000) {
            throw new IllegalArgumentException("beaconMillis must be 5 to 10000, got " + beaconMillis);
        }
        if (lowWaterBytes < 1 || highWaterBytes < lowWaterBytes) {
            throw new IllegalArgumentException(
                    "highWaterBytes must be at least lowWaterBytes (" + lowWaterBytes + "), got " + highWaterBytes);
        }
    }

    /** As this build does it, with water marks of 1 and 4 MiB. */
    public LinkConfig(String machineUid, CopyId self, int port, int beaconMillis) {
        this(machineUid, self, port, beaconMillis, LOW_WATER, HIGH_WATER, LinkVersions.OURS, LinkFrame.FEATURES, false);
    }

    /** Another release, as far as its peer can tell. */
    LinkConfig speaking(LinkVersions other, long otherFeatures) {
        return new LinkConfig(
                machineUid, self, port, beaconMillis, lowWaterBytes, highWaterBytes, other, otherFeatures, plain);
    }

    /** The same without TLS. */
    public LinkConfig inTheClear() {
        return new LinkConfig(
                machineUid, self, port, beaconMillis, lowWaterBytes, highWaterBytes, speaks, features, true);
    }
}
