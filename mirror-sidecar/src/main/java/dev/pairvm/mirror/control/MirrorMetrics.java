package dev.pairvm.mirror.control;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import io.netty.util.internal.PlatformDependent;
import io.prometheus.client.CollectorRegistry;
import io.prometheus.client.Counter;
import io.prometheus.client.Gauge;
import io.prometheus.client.Histogram;
import io.prometheus.client.exporter.common.TextFormat;
import io.prometheus.client.hotspot.DefaultExports;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.time.Instant;

/**
 * The mirror's metric families, all named {@code pairvm_mirror_…} in base units, and those of the JVM. Labels have few values:
 * disks, directions, outcomes. Methods may be called from any thread; those of the data path ({@link DiskMeter}) allocate nothing.
 */
public final class MirrorMetrics {
    /** Prometheus text format 0.0.4. */
    public static final String CONTENT_TYPE = TextFormat.CONTENT_TYPE_004;

    private static final double NANOS = 1e-9;
    /** 20 µs to 5 s: a page-cache write up to a path change. */
    private static final double[] DURATIONS = {
        0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5
    };

    private final CollectorRegistry registry = new CollectorRegistry();

    private final Gauge info =
            gauge("info", "Build, machine and copy of this mirror; always 1", "version", "machine", "copy");
    private final Gauge role = gauge("role", "1 for the role this mirror has, 0 for the others", "role");
    private final Gauge epoch = gauge("epoch", "Highest epoch this mirror knows");
    private final Gauge inSync = gauge("in_sync", "1 if the arbiter record lists this copy as in sync");
    private final Gauge copiesInSync = gauge("copies_in_sync", "Copies that the arbiter record lists as in sync");
    private final Gauge arbiterReachable =
            gauge("arbiter_reachable", "1 if the last exchange with the arbiter succeeded");
    private final Gauge linkUp = gauge("link_up", "1 if a link to this peer is up", "peer");
    private final Gauge pathUp = gauge("path_up", "1 if this path to the peer is up", "peer", "path");
    private final Gauge roundTrip = gauge("round_trip_seconds", "Smoothed time to the peer and back", "peer");
    private final Gauge toResync =
            gauge("resync_remaining_bytes", "Bytes that the peer may lack: what its loss of sync puts at risk", "disk");
    private final Counter resynced =
            counter("resync_compared_bytes", "Bytes of which the peer is known to be equal again", "disk");
    private final Gauge verifyRunning = gauge("verify_running", "1 while the copies are being compared");
    private final Gauge verifyDone = gauge(
            "verify_done_ratio", "Part of all bytes that the verification under way, or the last one, has compared");
    private final Gauge verifyStarted = gauge(
            "verify_last_proof_timestamp_seconds",
            "Beginning of the last verification after which no earlier difference was left; 0 if this mirror saw none");
    private final Counter verified = counter("verify_compared_bytes", "Bytes compared with the standby's");
    private final Counter mismatches =
            counter("verify_mismatches", "Places of at most 64 KiB that differed on the copies, twice in a row");
    private final Counter repaired =
            counter("verify_repaired", "Of these, places that were written anew on the standby and found equal");
    private final Counter verifications = counter("verifications", "Verifications that ended, by how", "outcome");
    private final Gauge resyncLeft = gauge(
            "resync_seconds_left",
            "Until the end of the resync that this mirror leads, at the pace of the last seconds; NaN while unknown, 0 without one");
    private final Gauge resyncPace =
            gauge("resync_pace", "1 for what holds the resync back that this mirror leads, 0 for the others", "pace");
    private final Gauge held = gauge("held_requests", "Guest requests that wait for leave or for acknowledgements");
    private final Counter operations =
            counter("guest_operations", "Guest requests answered, by kind", "disk", "operation");
    private final Counter bytes =
            counter("guest_bytes", "Bytes of guest requests answered, by kind", "disk", "operation");
    private final Counter errors =
            counter("guest_errors", "Guest requests answered with an error", "disk", "operation");
    private final Histogram durations = Histogram.build()
            .name("pairvm_mirror_guest_operation_duration_seconds")
            .help("From a guest request's arrival to its answer, by kind")
            .labelNames("disk", "operation")
            .buckets(DURATIONS)
            .register(registry);
    private final Counter failovers = counter("starts", "Times this side began to serve, by cause", "cause");
    private final Gauge failoverTook = gauge(
            "last_start_guest_running_seconds", "From the loss of the active to the guest running here, last time");
    private final Counter suspended =
            counter("suspended_seconds", "Time in which guest I/O was held for lack of leave");
    private final Counter unprotected = counter("alone_seconds", "Time this side served with one copy in sync");
    private final Counter linkDowns = counter("link_downs", "Times a link ended, by cause", "cause");
    private final Counter pathSwitches = counter("path_switches", "Times frames moved to another path");
    private final Counter refusals = counter("link_refusals", "Connections refused, by reason", "reason");
    private final Counter frames = counter("link_frames", "Frames on the link", "direction");
    private final Counter linkBytes =
            counter("link_bytes", "Bytes of frames on the link, before encryption", "direction");
    private final Counter beacons = counter("beacons", "Beacons, by what became of them", "outcome");
    private final Gauge beaconGap =
            gauge("beacon_longest_gap_seconds", "Longest time without a beacon in this session");
    private final Counter arbiterCalls = counter(
            "arbiter_calls", "Reads and changes of the arbiter record, by how they ended", "operation", "outcome");
    private final Gauge oldestIo =
            gauge("oldest_io_seconds", "How long the oldest unanswered read, write or flush of the local disks waits");
    private final Gauge peerLoopAge = gauge(
            "peer_loop_age_seconds", "How long ago the peer's event loop had turned when it sent its last beacon");
    private final Gauge peerOldestIo = gauge(
            "peer_oldest_io_seconds", "How long the oldest I/O of the peer's disks had waited at its last beacon");
    private final TwinMetrics twin = new TwinMetrics(registry);
    private final Gauge eventReaders = gauge("event_readers", "Readers of /v1/events");

    /** Registers the families but those of the JVM; {@code info} is 1 from now. */
    public MirrorMetrics(String version, String machine, CopyId copy) {
        info.labels(version, machine, copy.value()).set(1);
        Gauge.build("pairvm_mirror_direct_memory_bytes", "Memory of network and disk buffers, outside of the heap")
                .register(registry)
                .setChild(new DirectMemory());
        setRole(MirrorReport.Role.IDLE);
    }

    /** Registers those of the JVM, once. Takes tens of milliseconds, which a start does not wait for; on any thread. */
    public void registerJvm() {
        DefaultExports.register(registry);
    }

    /** Read when somebody asks. */
    private static final class DirectMemory extends Gauge.Child {
        @Override
        public double get() {
            double bytes = Math.max(0, PlatformDependent.usedDirectMemory()); // -1: Netty leaves it to the JVM's pool
            for (BufferPoolMXBean pool : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)) {
                bytes += pool.getName().equals("direct") ? pool.getMemoryUsed() : 0;
            }
            return bytes;
        }
    }

    private Gauge gauge(String name, String help, String... labels) {
        return Gauge.build("pairvm_mirror_" + name, help).labelNames(labels).register(registry);
    }

    private Counter counter(String name, String help, String... labels) {
        return Counter.build("pairvm_mirror_" + name, help).labelNames(labels).register(registry); // "_total" is added
    }

    /** All of it as text. */
    public String text() {
        StringWriter text = new StringWriter(32 << 10);
        try {
            TextFormat.write004(text, registry.metricFamilySamples());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return text.toString();
    }

    /** Takes over what a report says of role, epoch, copies, link, resync and twin. */
    public void show(MirrorReport report) {
        setRole(report.role());
        epoch.set(report.epoch().value());
        inSync.set(report.inSync().contains(report.copy()) ? 1 : 0);
        copiesInSync.set(report.inSync().size());
        report.arbiterReachable().ifPresent(reachable -> arbiterReachable.set(reachable ? 1 : 0));
        report.peer().ifPresent(peer -> {
            linkUp.labels(peer.copy().value()).set(peer.connected() ? 1 : 0);
            peer.roundTripMicros()
                    .ifPresent(micros -> roundTrip.labels(peer.copy().value()).set(micros * 1e-6));
        });
        resyncLeft.set(report.resync()
                .map(resync -> resync.secondsLeft().map(Long::doubleValue).orElse(Double.NaN))
                .orElse(0.0));
        for (MirrorReport.Pace pace : MirrorReport.Pace.values()) {
            boolean now =
                    report.resync().filter(resync -> resync.pace() == pace).isPresent();
            resyncPace.labels(pace.name()).set(now ? 1 : 0);
        }
        report.twin().ifPresent(twin::show);
        for (MirrorReport.Disk disk : report.disks()) {
            toResync.labels(disk.name()).set(disk.bytesToResync());
        }
    }

    /** What one verification has brought since the last call about it. */
    public void verified(MirrorReport.Verify now, long moreCompared, long moreMismatches, long moreRepaired) {
        verifyRunning.set(now.state() == MirrorReport.VerifyState.RUNNING ? 1 : 0);
        verifyDone.set(now.bytesTotal() == 0 ? 0 : (double) now.bytesCompared() / now.bytesTotal());
        verified.inc(moreCompared);
        mismatches.inc(moreMismatches);
        repaired.inc(moreRepaired);
    }

    /** A verification ended. */
    public void verifyEnded(MirrorReport.Verify last) {
        verifications.labels(last.state().name()).inc();
        if (last.proves()) {
            verifyStarted.set(Instant.parse(last.startedAt()).toEpochMilli() * 1e-3);
        }
    }

    private void setRole(MirrorReport.Role now) {
        for (MirrorReport.Role each : MirrorReport.Role.values()) {
            role.labels(each.name()).set(each == now ? 1 : 0);
        }
    }

    /** One path of the link; {@code path} is the peer's address. */
    public void pathUp(CopyId peer, String path, boolean up) {
        pathUp.labels(peer.value(), path).set(up ? 1 : 0);
    }

    /** A path is no longer announced. */
    public void pathGone(CopyId peer, String path) {
        pathUp.remove(peer.value(), path);
    }

    /** Times since the last call that frames moved to another path without a change of peer. */
    public void pathSwitches(long more) {
        pathSwitches.inc(more);
    }

    /** A link ended. */
    public void linkDown(CopyId peer, String cause) {
        linkUp.labels(peer.value()).set(0);
        linkDowns.labels(cause).inc();
    }

    /** A connection was refused; {@code reason} from a closed set. */
    public void linkRefused(String reason) {
        refusals.labels(reason).inc();
    }

    /** Frames and bytes since the last call. */
    public void linkTraffic(long framesOut, long bytesOut, long framesIn, long bytesIn) {
        frames.labels("out").inc(framesOut);
        linkBytes.labels("out").inc(bytesOut);
        frames.labels("in").inc(framesIn);
        linkBytes.labels("in").inc(bytesIn);
    }

    /** Beacons since the last call. */
    public void beacons(long sent, long received, long refused, double longestGapSeconds) {
        beacons.labels("sent").inc(sent);
        beacons.labels("received").inc(received);
        beacons.labels("refused").inc(refused);
        beaconGap.set(longestGapSeconds);
    }

    /** An exchange with the arbiter ended; {@code outcome} is the result's type. */
    public void arbiterCall(String operation, Object result) {
        arbiterCalls.labels(operation, result.getClass().getSimpleName()).inc();
    }

    /** This side began to serve. */
    public void started(String cause) {
        failovers.labels(cause).inc();
    }

    /** How long the guest stood still until it ran here, the last time this side took over. */
    public void guestRanAfter(double seconds) {
        failoverTook.set(seconds);
    }

    /** Time passed while suspended, or alone. */
    public void timePassed(double seconds, boolean whileSuspended, boolean whileAlone) {
        if (whileSuspended) {
            suspended.inc(seconds);
        }
        if (whileAlone) {
            unprotected.inc(seconds);
        }
    }

    /** Guest requests that wait now. */
    public void held(int requests) {
        held.set(requests);
    }

    /** Bytes compared or copied in a resync since the last call. */
    public void resynced(String disk, long more) {
        resynced.labels(disk).inc(more);
    }

    /** The oldest local I/O that has not come back; 0 if there is none. */
    public void oldestIo(double seconds) {
        oldestIo.set(seconds);
    }

    /** What the peer's last beacon said. */
    public void peerHealth(double loopAgeSeconds, double oldestIoSeconds) {
        peerLoopAge.set(loopAgeSeconds);
        peerOldestIo.set(oldestIoSeconds);
    }

    /** Readers of events now. */
    public void eventReaders(int now) {
        eventReaders.set(now);
    }

    /** The meter of one disk; keep it. */
    public DiskMeter disk(String name) {
        return new DiskMeter(name);
    }

    /** Counts one disk's guest requests. */
    public final class DiskMeter {
        private final Kind read;
        private final Kind write;
        private final Kind flush;

        private DiskMeter(String disk) {
            read = new Kind(disk, "read");
            write = new Kind(disk, "write");
            flush = new Kind(disk, "flush");
        }

        /** A read was answered. */
        public void read(int length, long nanos, boolean ok) {
            read.answered(length, nanos, ok);
        }

        /** A write, trim or zeroing was answered. */
        public void write(int length, long nanos, boolean ok) {
            write.answered(length, nanos, ok);
        }

        /** A flush was answered. */
        public void flush(long nanos, boolean ok) {
            flush.answered(0, nanos, ok);
        }
    }

    private final class Kind {
        private final Counter.Child count;
        private final Counter.Child sum;
        private final Counter.Child failed;
        private final Histogram.Child duration;

        Kind(String disk, String operation) {
            count = operations.labels(disk, operation);
            sum = bytes.labels(disk, operation);
            failed = errors.labels(disk, operation);
            duration = durations.labels(disk, operation);
        }

        void answered(int length, long nanos, boolean ok) {
            count.inc();
            sum.inc(length);
            duration.observe(nanos * NANOS);
            if (!ok) {
                failed.inc();
            }
        }
    }
}
