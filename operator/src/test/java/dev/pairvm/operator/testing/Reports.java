package dev.pairvm.operator.testing;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorReport;
import java.util.List;
import java.util.Optional;

/** What mirrors say, with one thing changed at a time. */
public final class Reports {
    private Reports() {}

    /** An active whose guest runs, connected to {@code peer}. */
    public static MirrorReport active(String copy, long epoch, String peer) {
        return report(
                copy,
                MirrorReport.Role.ACTIVE,
                epoch,
                MirrorReport.CopyState.IN_SYNC,
                MirrorReport.Guest.RUNNING,
                true,
                peer,
                copy);
    }

    /** A standby in sync with a paused guest. */
    public static MirrorReport standby(String copy, long epoch, String active) {
        return report(
                copy,
                MirrorReport.Role.STANDBY,
                epoch,
                MirrorReport.CopyState.IN_SYNC,
                MirrorReport.Guest.READY,
                true,
                active,
                active);
    }

    /** A standby of a pod without QEMU. */
    public static MirrorReport bareStandby(String copy, long epoch, String active) {
        return report(
                copy,
                MirrorReport.Role.STANDBY,
                epoch,
                MirrorReport.CopyState.IN_SYNC,
                MirrorReport.Guest.ABSENT,
                false,
                active,
                active);
    }

    /** The same of a copy whose disk failed. */
    public static MirrorReport diskFailed(MirrorReport report) {
        return says(
                report,
                MirrorReport.CopyState.FAILED,
                new MirrorReport.Problem(
                        "DiskFailed",
                        "flush on disk root failed with EIO; this copy is out and is never retried",
                        java.util.Map.of("disk", "root", "error", "EIO")));
    }

    /** The same with a record that is older than what this copy has seen. */
    public static MirrorReport arbiterRolledBack(MirrorReport report) {
        return says(
                report,
                report.copyState(),
                new MirrorReport.Problem(
                        "ArbiterRollback",
                        "The arbiter record was restored from an older state (epoch went from 4 to 2)",
                        java.util.Map.of()));
    }

    private static MirrorReport says(MirrorReport report, MirrorReport.CopyState state, MirrorReport.Problem problem) {
        return new MirrorReport(
                report.machine(),
                report.copy(),
                report.role(),
                report.epoch(),
                report.active(),
                report.inSync(),
                state,
                report.peer(),
                report.guest(),
                report.runner(),
                report.arbiterReachable(),
                report.disks(),
                report.lastTransition(),
                Optional.of(problem),
                report.verify(),
                report.version());
    }

    /** Any report. */
    public static MirrorReport report(
            String copy,
            MirrorReport.Role role,
            long epoch,
            MirrorReport.CopyState state,
            MirrorReport.Guest guest,
            boolean runner,
            String peer,
            String active) {
        return new MirrorReport(
                "orders",
                new CopyId(copy),
                role,
                new Epoch(epoch),
                Optional.of(new CopyId(active)),
                List.of(),
                state,
                Optional.of(new MirrorReport.Peer(new CopyId(peer), true, Optional.of(300L), List.of("net2"))),
                guest,
                runner,
                Optional.of(true),
                List.of(new MirrorReport.Disk("root", 10L << 30, 0, 0)),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                "test");
    }

    /** The same with another guest state. */
    public static MirrorReport with(MirrorReport report, MirrorReport.Guest guest) {
        return new MirrorReport(
                report.machine(),
                report.copy(),
                report.role(),
                report.epoch(),
                report.active(),
                report.inSync(),
                report.copyState(),
                report.peer(),
                guest,
                report.runner(),
                report.arbiterReachable(),
                report.disks(),
                report.lastTransition(),
                report.problem(),
                report.verify(),
                report.version());
    }

    /** The same with a transition. */
    public static MirrorReport with(MirrorReport report, MirrorReport.Transition transition) {
        return new MirrorReport(
                report.machine(),
                report.copy(),
                report.role(),
                report.epoch(),
                report.active(),
                report.inSync(),
                report.copyState(),
                report.peer(),
                report.guest(),
                report.runner(),
                report.arbiterReachable(),
                report.disks(),
                Optional.of(transition),
                report.problem(),
                report.verify(),
                report.version());
    }

    /** The same with a comparison of the copies. */
    public static MirrorReport with(MirrorReport report, MirrorReport.Verify verify) {
        return new MirrorReport(
                report.machine(),
                report.copy(),
                report.role(),
                report.epoch(),
                report.active(),
                report.inSync(),
                report.copyState(),
                report.peer(),
                report.guest(),
                report.runner(),
                report.arbiterReachable(),
                report.disks(),
                report.lastTransition(),
                report.problem(),
                Optional.of(verify),
                report.version());
    }

    /** The same with level 3. */
    public static MirrorReport with(MirrorReport report, MirrorReport.Twin twin) {
        return new MirrorReport(
                report.machine(),
                report.copy(),
                report.role(),
                report.epoch(),
                report.active(),
                report.inSync(),
                report.copyState(),
                report.peer(),
                report.guest(),
                report.runner(),
                report.arbiterReachable(),
                report.disks(),
                report.lastTransition(),
                report.problem(),
                report.verify(),
                report.version(),
                Optional.empty(),
                Optional.of(twin));
    }

    /** The same with another round trip. */
    public static MirrorReport roundTrip(MirrorReport report, long micros) {
        return new MirrorReport(
                report.machine(),
                report.copy(),
                report.role(),
                report.epoch(),
                report.active(),
                report.inSync(),
                report.copyState(),
                report.peer()
                        .map(peer -> new MirrorReport.Peer(
                                peer.copy(), peer.connected(), Optional.of(micros), peer.pathsUp())),
                report.guest(),
                report.runner(),
                report.arbiterReachable(),
                report.disks(),
                report.lastTransition(),
                report.problem(),
                report.verify(),
                report.version(),
                Optional.empty(),
                report.twin());
    }

    /** Level 3 with the default checkpoints; the first twin, 1234 checkpoints so far. */
    public static MirrorReport.Twin twin(boolean wished, MirrorReport.TwinState state, String why) {
        return new MirrorReport.Twin(
                wished, MirrorConfig.Checkpoint.DEFAULT, state, why, 1, 0, 1234, 34, 11_500, 45_000, 13_574_000, 210);
    }

    /** Level 3 that nobody has asked for. */
    public static MirrorReport.Twin noTwin() {
        return new MirrorReport.Twin(
                false, MirrorConfig.Checkpoint.DEFAULT, MirrorReport.TwinState.NONE, "", 0, 0, 0, 0, 0, 0, 0, 0);
    }

    /** A comparison with b of 10 GiB that is under way, complete or aborted, with so many mismatches and repairs. */
    public static MirrorReport.Verify verify(
            String id, MirrorReport.VerifyState state, String startedAt, long mismatches, long repaired) {
        boolean running = state == MirrorReport.VerifyState.RUNNING;
        return new MirrorReport.Verify(
                id,
                state,
                state == MirrorReport.VerifyState.ABORTED ? "the peer was lost" : "",
                new CopyId("b"),
                startedAt,
                running ? Optional.empty() : Optional.of("2026-11-24T11:00:00Z"),
                10L << 30,
                state == MirrorReport.VerifyState.COMPLETE ? 10L << 30 : 5L << 30,
                mismatches,
                repaired,
                0,
                mismatches == 0
                        ? List.of()
                        : List.of(new MirrorReport.Mismatch("root", 1 << 20, 65536, "ab".repeat(32), "cd".repeat(32))));
    }
}
