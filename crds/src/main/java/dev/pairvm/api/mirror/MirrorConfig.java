package dev.pairvm.api.mirror;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * What the operator tells a mirror about its machine, as the file {@code mirror.json} of the pod's ConfigMap. Everything a
 * mirror needs to fail over without the operator; no secret is in it but the guest's cloud-init, which comes from a Secret
 * mounted beside it.
 *
 * @param machine name of the ProtectedVM
 * @param machineUid its Kubernetes uid, pinned in the superblocks and the certificates
 * @param namespace its namespace
 * @param copy this pod's copy
 * @param lease name of the arbiter Lease
 * @param disks the mirrored disks, in the order of the spec
 * @param timing beacons, lease, grace
 * @param slowPeer what to do when the peer is too slow
 * @param link where the peer link listens
 * @param guest the virtual machine; the mirror turns it into a QEMU command line
 * @param running wished power state at the start of the pod; later changes come as orders
 * @param resync what a resync may cost; absent in the configuration of an earlier operator
 * @param twin level 3; absent where this pod can not have it, and in the configuration of an earlier operator
 */
@JsonIgnoreProperties(ignoreUnknown = true)
public record MirrorConfig(
        String machine,
        String machineUid,
        String namespace,
        CopyId copy,
        String lease,
        List<Disk> disks,
        Timing timing,
        SlowPeer slowPeer,
        Link link,
        Guest guest,
        boolean running,
        Optional<Resync> resync,
        Optional<Twin> twin) {

    /** A configuration of an earlier operator says nothing of level 3. */
    public MirrorConfig {
        twin = Objects.requireNonNullElse(twin, Optional.empty());
    }

    /** With the default limits of a resync, without level 3. */
    public MirrorConfig(
            String machine,
            String machineUid,
            String namespace,
            CopyId copy,
            String lease,
            List<Disk> disks,
            Timing timing,
            SlowPeer slowPeer,
            Link link,
            Guest guest,
            boolean running) {
        this(
                machine,
                machineUid,
                namespace,
                copy,
                lease,
                disks,
                timing,
                slowPeer,
                link,
                guest,
                running,
                Optional.empty(),
                Optional.empty());
    }

    /**
     * Level 3: a twin of the guest on the other host.
     *
     * @param wished whether the guest shall have one, at the start of the pod; later changes come as orders
     * @param checkpoint how its checkpoints go; later changes come with the orders
     * @param overlays directory on this copy's storage, seen by both containers under this path, for what a twin wrote and the copy's
     *     image does not have
     * @param overlayBytes bound of one overlay's file, from 1 MiB: a twin that reaches it asks for a checkpoint
     */
    public record Twin(boolean wished, Checkpoint checkpoint, String overlays, long overlayBytes) {
        /** Checks the bounds; throws {@link IllegalArgumentException} naming the field. */
        public Twin {
            if (!overlays.startsWith("/")) {
                throw new IllegalArgumentException("twin.overlays must be an absolute path, got " + overlays);
            }
            if (overlayBytes < 1 << 20) {
                throw new IllegalArgumentException("twin.overlayBytes must be at least 1 MiB, got " + overlayBytes);
            }
        }
    }

    /**
     * How the checkpoints of a twin go. A checkpoint is taken when the twin's packets differ from the guest's, and after
     * {@code maxIntervalMillis} in any case; the guest stands still for each.
     *
     * @param maxIntervalMillis most time from one checkpoint to the next, from 10 to 60,000
     * @param maxPauseMillis what the pauses may come to, on the average of some seconds, before the level is given up for a time; from 1 to
     *     10,000
     * @param compareTimeoutMillis how long a packet of the guest waits for the twin's before it counts as different, from 10 to 60,000
     */
    public record Checkpoint(int maxIntervalMillis, int maxPauseMillis, int compareTimeoutMillis) {
        /** 500, 200, 500. */
        public static final Checkpoint DEFAULT = new Checkpoint(500, 200, 500);

        /** Checks the bounds; throws {@link IllegalArgumentException} naming the field. */
        public Checkpoint {
            check("maxIntervalMillis", maxIntervalMillis, 10, 60_000);
            check("maxPauseMillis", maxPauseMillis, 1, 10_000);
            check("compareTimeoutMillis", compareTimeoutMillis, 10, 60_000);
        }

        private static void check(String field, int value, int least, int most) {
            if (value < least || value > most) {
                throw new IllegalArgumentException(
                        "checkpoint." + field + " must be from " + least + " to " + most + ", got " + value);
            }
        }
    }

    /**
     * What a resync may cost.
     *
     * @param foregroundPercent what the 99th percentile of the guest's latency may rise to, in percent of the usual one
     * @param maxBytesPerSecond most bytes compared and copied in a second; {@link Long#MAX_VALUE} for no limit
     */
    public record Resync(int foregroundPercent, long maxBytesPerSecond) {
        /** Checks the bounds; throws {@link IllegalArgumentException} naming the field. */
        public Resync {
            if (foregroundPercent <= 100 || foregroundPercent > 100_000) {
                throw new IllegalArgumentException(
                        "resync.foregroundPercent must be above 100 and at most 100000, got " + foregroundPercent);
            }
            if (maxBytesPerSecond < 10_000_000) {
                throw new IllegalArgumentException(
                        "resync.maxBytesPerSecond must be at least 10000000, got " + maxBytesPerSecond);
            }
        }
    }

    /** Where a mirrored disk lies and how the guest sees it. */
    public record Disk(
            String name, String path, Kind kind, long sizeBytes, Optional<String> serial, Optional<Integer> bootOrder) {
        /** How the volume is given to the pod. */
        public enum Kind {
            /** {@code path} is a directory on a file system: {@code disk.img} and {@code disk.meta} lie in it. */
            FILE,
            /** {@code path} is a block device: the image from its start, the metadata in its last bytes. */
            BLOCK
        }
    }

    /** Milliseconds; {@code grace >= 1.25 * lease} keeps two gates from being open together, for clock rates that differ by
     * up to a quarter (the argument of client-go's leader election). */
    public record Timing(int beaconMillis, int leaseMillis, int graceMillis) {
        /** 50, 400, 500. */
        public static final Timing DEFAULT = new Timing(50, 400, 500);

        /** Checks order and ratio; throws {@link IllegalArgumentException} naming the field. */
        public Timing {
            if (beaconMillis < 10 || leaseMillis < 4 * beaconMillis) {
                throw new IllegalArgumentException("leaseMillis must be at least four beacons, got " + leaseMillis
                        + " for beacons of " + beaconMillis);
            }
            if (graceMillis * 4L < leaseMillis * 5L) {
                throw new IllegalArgumentException(
                        "graceMillis must be at least 1.25 * leaseMillis, got " + graceMillis + " for " + leaseMillis);
            }
        }
    }

    /** What happens when the peer's acknowledgements take longer than two seconds. */
    public enum SlowPeer {
        DEGRADE,
        SUSPEND
    }

    /**
     * The link between the mirrors.
     *
     * @param port TCP port on every interface named
     * @param interfaces the pod's interfaces to announce, best first: {@code net2}, {@code eth0}
     */
    public record Link(int port, List<String> interfaces) {}

    /** The virtual machine, already checked by the operator. */
    public record Guest(
            Cpu cpu,
            int memoryMib,
            String machineType,
            Firmware firmware,
            List<Interface> interfaces,
            Optional<String> hostname,
            boolean cloudInit,
            Optional<String> kernelArgs,
            OnCrash onCrash,
            int terminationGraceSeconds) {}

    /** Virtual processors; {@code model} is QEMU's name or {@code max}. */
    public record Cpu(int sockets, int cores, int threads, String model) {}

    /** What the guest boots with. */
    public record Firmware(boolean efi, String uuid, Optional<String> serial) {}

    /** What happens when the guest's kernel panics. */
    public enum OnCrash {
        RESTART,
        STOP
    }

    /**
     * A network card of the guest.
     *
     * @param name as in the template
     * @param mac the machine's, the same on both hosts
     * @param binding how its packets leave the pod
     * @param podInterface the pod's interface it uses: {@code eth0}, or the one of its Multus network
     * @param ports masquerade only: guest ports that the pod forwards
     */
    public record Interface(String name, String mac, Binding binding, String podInterface, List<Port> ports) {}

    /** How a guest's packets leave the pod. */
    public enum Binding {
        /** The guest is on the same layer-2 network as the pod's interface. */
        BRIDGE,
        /** The guest sits behind network address translation at 10.0.2.2/24, gateway 10.0.2.1. */
        MASQUERADE
    }

    /** A forwarded port. */
    public record Port(String protocol, int port) {}
}
