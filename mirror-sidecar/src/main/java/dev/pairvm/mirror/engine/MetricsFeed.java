package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.mirror.control.MirrorMetrics;
import dev.pairvm.mirror.control.ReportDesk;
import dev.pairvm.mirror.link.LinkListener;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;

/** Carries what the parts count, and what the report says, into the metrics: at each change and once a second. Event loop only. */
final class MetricsFeed {
    private static final double NANOS = 1e-9;
    /** A path that is down stays visible as 0 until there are more than these. */
    private static final int MOST_PATHS = 8;

    private final MirrorMetrics metrics;
    private final LongSupplier bootNanos;
    private final ReportDesk reports;
    private final LinkPort link;
    private final IntSupplier heldRequests;
    private final IntSupplier eventReaders;
    private final Map<String, Long> resynced = new HashMap<>();
    private Sums last = new Sums(0, 0, 0, 0, 0, 0, 0, 0);
    private Optional<CopyId> peer = Optional.empty();
    private TreeSet<String> paths = new TreeSet<>();
    private long startedEpoch;
    private long lastNanos;
    private Optional<MirrorReport.Verify> verify = Optional.empty();
    private MirrorReport.Role role = MirrorReport.Role.IDLE;
    private boolean alone;

    /** Sums since the process began; the metrics take differences. */
    private record Sums(
            long framesOut,
            long bytesOut,
            long framesIn,
            long bytesIn,
            long pathSwitches,
            long beaconsSent,
            long beaconsReceived,
            long beaconsRefused) {}

    MetricsFeed(
            MirrorMetrics metrics,
            LongSupplier bootNanos,
            ReportDesk reports,
            LinkPort link,
            IntSupplier heldRequests,
            IntSupplier eventReaders) {
        this.metrics = metrics;
        this.bootNanos = bootNanos;
        this.reports = reports;
        this.link = link;
        this.heldRequests = heldRequests;
        this.eventReaders = eventReaders;
        this.lastNanos = bootNanos.getAsLong();
    }

    /** Something that the report shows has changed. */
    void changed() {
        MirrorReport report = reports.report();
        metrics.show(report);
        timePassed(report);
        showStart(report);
        showPaths(report);
        report.verify().ifPresent(this::showVerify);
        metrics.held(heldRequests.getAsInt());
    }

    /** Silent facts: to be called once a second or so. */
    void refresh() {
        changed();
        showTraffic();
        for (MirrorReport.Disk disk : reports.report().disks()) {
            long before = resynced.getOrDefault(disk.name(), 0L);
            long now = disk.resyncedBytes();
            metrics.resynced(disk.name(), now >= before ? now - before : now); // a new resync counts from nothing
            resynced.put(disk.name(), now);
        }
        metrics.eventReaders(eventReaders.getAsInt());
        metrics.oldestIo(link.link().beacons().oldestIoNanos() * NANOS);
        LinkListener.PeerHealth theirs = link.peerHealth();
        if (theirs != null) {
            metrics.peerHealth(theirs.loopTickAgeMillis() * 1e-3, theirs.oldestIoMillis() * 1e-3);
        }
    }

    /** The time since the last call was spent as things were then. */
    private void timePassed(MirrorReport report) {
        long now = bootNanos.getAsLong();
        metrics.timePassed((now - lastNanos) * NANOS, role == MirrorReport.Role.SUSPENDED, alone);
        lastNanos = now;
        role = report.role();
        alone = role == MirrorReport.Role.ACTIVE && report.inSync().equals(List.of(report.copy()));
    }

    private void showStart(MirrorReport report) {
        report.lastTransition().ifPresent(start -> {
            if (start.epoch().value() != startedEpoch) {
                startedEpoch = start.epoch().value();
                metrics.started(start.kind());
            }
            if (start.guestRunningMillis() >= 0) {
                metrics.guestRanAfter(start.guestRunningMillis() * 1e-3);
            }
        });
    }

    private void showVerify(MirrorReport.Verify now) {
        boolean same = verify.filter(before ->
                        before.id().equals(now.id()) && before.startedAt().equals(now.startedAt()))
                .isPresent();
        MirrorReport.Verify before = verify.orElse(now);
        metrics.verified(
                now,
                now.bytesCompared() - (same ? before.bytesCompared() : 0),
                now.mismatches() - (same ? before.mismatches() : 0),
                now.repaired() - (same ? before.repaired() : 0));
        if (now.endedAt().isPresent() && !(same && before.endedAt().isPresent())) {
            metrics.verifyEnded(now);
        }
        verify = Optional.of(now);
    }

    private void showPaths(MirrorReport report) {
        Optional<CopyId> now = report.peer().map(MirrorReport.Peer::copy);
        TreeSet<String> up =
                new TreeSet<>(report.peer().map(MirrorReport.Peer::pathsUp).orElse(List.of()));
        peer.filter(before -> now.isPresent() && !now.get().equals(before))
                .ifPresent(before -> paths.forEach(path -> metrics.pathGone(before, path)));
        now.ifPresent(copy -> {
            paths.forEach(path -> metrics.pathUp(copy, path, up.contains(path)));
            up.forEach(path -> metrics.pathUp(copy, path, true));
            paths.addAll(up);
            if (paths.size() > MOST_PATHS) { // a peer's pod made anew has other addresses
                paths.stream().filter(path -> !up.contains(path)).forEach(path -> metrics.pathGone(copy, path));
                paths.retainAll(up);
            }
        });
        if (!now.equals(peer)) {
            peer = now;
            paths = up;
        }
    }

    private void showTraffic() {
        var traffic = link.link().traffic();
        var beacons = link.link().beacons().counts();
        Sums now = new Sums(
                traffic.framesOut(),
                traffic.bytesOut(),
                traffic.framesIn(),
                traffic.bytesIn(),
                traffic.pathSwitches(),
                beacons.sent(),
                beacons.received(),
                beacons.refused());
        metrics.linkTraffic(
                now.framesOut() - last.framesOut(),
                now.bytesOut() - last.bytesOut(),
                now.framesIn() - last.framesIn(),
                now.bytesIn() - last.bytesIn());
        metrics.pathSwitches(now.pathSwitches() - last.pathSwitches());
        metrics.beacons(
                now.beaconsSent() - last.beaconsSent(),
                now.beaconsReceived() - last.beaconsReceived(),
                now.beaconsRefused() - last.beaconsRefused(),
                beacons.longestGapNanos() * NANOS);
        last = now;
    }
}
