package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.mirror.control.ReportDesk;
import dev.pairvm.mirror.core.CoreView;
import dev.pairvm.mirror.core.Problem;
import dev.pairvm.mirror.store.Errno;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Puts what the parts know into one report. */
final class ReportWriter implements ReportDesk {
    /** What the link knows of the path to the peer. */
    interface LinkFacts {
        /** The peer's copy, if there ever was a link. */
        Optional<CopyId> peer();

        boolean connected();

        Optional<Long> roundTripMicros();

        List<String> pathsUp();
    }

    private final MirrorConfig config;
    private final MirrorEngine engine;
    private final ServedSizes sizes;
    private final GuestPort guest;
    private final TwinPort twin;
    private final Reign reign;
    private final LinkFacts link;
    private final Verifications verifications;
    private final String version;

    ReportWriter(
            MirrorConfig config,
            MirrorEngine engine,
            ServedSizes sizes,
            GuestPort guest,
            TwinPort twin,
            Reign reign,
            LinkFacts link,
            Verifications verifications,
            String version) {
        this.config = config;
        this.engine = engine;
        this.sizes = sizes;
        this.guest = guest;
        this.twin = twin;
        this.reign = reign;
        this.link = link;
        this.verifications = verifications;
        this.version = version;
    }

    @Override
    public MirrorReport report() {
        CoreView view = engine.view();
        return new MirrorReport(
                config.machine(),
                config.copy(),
                MirrorReport.Role.valueOf(view.role().name()),
                new Epoch(view.epoch()),
                view.arbiter().map(ArbiterRecord::active),
                view.arbiter().map(now -> List.copyOf(now.inSync())).orElse(List.of()),
                MirrorReport.CopyState.valueOf(view.copyState().name()),
                link.peer()
                        .map(peer ->
                                new MirrorReport.Peer(peer, link.connected(), link.roundTripMicros(), link.pathsUp())),
                guest.report(),
                guest.runner(),
                view.arbiterReachable(),
                disks(view),
                reign.last(),
                problem(view),
                verifications.report(view),
                version,
                view.resync().map(ReportWriter::resync),
                twin.report(view));
    }

    private static MirrorReport.Resync resync(CoreView.Resyncing resync) {
        var left = resync.secondsLeft();
        return new MirrorReport.Resync(
                MirrorReport.Pace.valueOf(resync.pace().name()),
                left.isPresent() ? Optional.of(left.getAsLong()) : Optional.empty());
    }

    private List<MirrorReport.Disk> disks(CoreView view) {
        List<MirrorReport.Disk> disks = new ArrayList<>();
        for (int i = 0; i < config.disks().size(); i++) {
            MirrorConfig.Disk disk = config.disks().get(i);
            // Before the first step the core has no figures yet.
            boolean known = i < view.disks().size();
            disks.add(new MirrorReport.Disk(
                    disk.name(),
                    sizes.of(i),
                    known ? view.disks().get(i).bytesToResync() : 0,
                    known ? view.disks().get(i).resyncedBytes() : 0));
        }
        return disks;
    }

    private Optional<MirrorReport.Problem> problem(CoreView view) {
        Optional<MirrorReport.Problem> ofPair = view.problems().stream()
                // A dead disk needs hands; the rest mends itself, or follows from it.
                .min(Comparator.comparing(problem -> problem.kind() != Problem.Kind.DISK_FAILED))
                .map(this::told);
        String ofGuest = guest.trouble();
        if (ofPair.isPresent() || ofGuest == null) {
            return ofPair;
        }
        return Optional.of(new MirrorReport.Problem("GuestNotRunning", ofGuest, Map.of()));
    }

    private MirrorReport.Problem told(Problem problem) {
        String reason = camelCase(problem.kind());
        if (problem.kind() == Problem.Kind.DISK_NOT_GROWN) {
            return notGrown(problem);
        }
        if (problem.kind() != Problem.Kind.DISK_FAILED) {
            return new MirrorReport.Problem(reason, problem.message(), problem.facts());
        }
        Map<String, String> facts = new TreeMap<>(problem.facts());
        String error = new Errno(Integer.parseInt(facts.getOrDefault("errno", "0"))).symbol();
        int index = Integer.parseInt(facts.getOrDefault("disk", "-1"));
        String disk = index >= 0 && index < config.disks().size()
                ? "disk " + config.disks().get(index).name()
                : "the metadata beside the disks";
        facts.put("error", error);
        facts.put("disk", index >= 0 ? disk.substring("disk ".length()) : "");
        return new MirrorReport.Problem(
                reason,
                facts.getOrDefault("operation", "").toLowerCase(Locale.ROOT) + " on " + disk + " failed with " + error
                        + "; this copy is out and is never retried",
                facts);
    }

    /** With the disk's name in place of its index, which only mirrors know. */
    private MirrorReport.Problem notGrown(Problem problem) {
        Map<String, String> facts = new TreeMap<>(problem.facts());
        int index = Integer.parseInt(facts.getOrDefault("disk", "-1"));
        String name = index >= 0 && index < config.disks().size()
                ? config.disks().get(index).name()
                : "";
        facts.put("disk", name);
        return new MirrorReport.Problem(
                camelCase(problem.kind()),
                problem.message().replace("disk " + index + " ", "disk " + name + " "),
                facts);
    }

    private static String camelCase(Problem.Kind kind) {
        return Arrays.stream(kind.name().split("_"))
                .map(word -> word.charAt(0) + word.substring(1).toLowerCase(Locale.ROOT))
                .collect(Collectors.joining());
    }
}
