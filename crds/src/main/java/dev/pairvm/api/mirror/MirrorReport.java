package dev.pairvm.api.mirror;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * What one mirror says of itself, at {@code GET /v1/report} and, on every change of meaning, at {@code GET /v1/events}
 * (server-sent events). Facts only; conclusions are the operator's.
 *
 * @param machine name of the machine
 * @param copy this mirror's copy
 * @param role what this mirror is now
 * @param epoch highest epoch it knows
 * @param active the active by the last record it read
 * @param inSync the copies in sync by that record
 * @param copyState state of its own copy
 * @param peer state of the link, absent while it never had a peer
 * @param guest what its QEMU does
 * @param runner whether this pod can run a guest (it has a QEMU container)
 * @param arbiterReachable whether its last exchange with the arbiter succeeded; absent until there was one
 * @param disks one entry per mirrored disk
 * @param lastTransition the last take-over or start, absent before the first
 * @param problem a sentence for the administrator, where something needs one
 * @param verify the verification under way, or the last one that this mirror carried out since it started; absent before the first
 * @param version build of this mirror
 * @param resync the resync that this mirror leads, absent while there is none, and in reports of earlier releases
 * @param twin level 3 on this side; absent where this pod can not have it, and in reports of earlier releases
 */
@JsonIgnoreProperties(ignoreUnknown = true)
public record MirrorReport(
        String machine,
        CopyId copy,
        Role role,
        Epoch epoch,
        Optional<CopyId> active,
        List<CopyId> inSync,
        CopyState copyState,
        Optional<Peer> peer,
        Guest guest,
        boolean runner,
        Optional<Boolean> arbiterReachable,
        List<Disk> disks,
        Optional<Transition> lastTransition,
        Optional<Problem> problem,
        Optional<Verify> verify,
        String version,
        Optional<Resync> resync,
        Optional<Twin> twin) {

    /** A report of a mirror that fills nobody and can have no twin. */
    public MirrorReport(
            String machine,
            CopyId copy,
            Role role,
            Epoch epoch,
            Optional<CopyId> active,
            List<CopyId> inSync,
            CopyState copyState,
            Optional<Peer> peer,
            Guest guest,
            boolean runner,
            Optional<Boolean> arbiterReachable,
            List<Disk> disks,
            Optional<Transition> lastTransition,
            Optional<Problem> problem,
            Optional<Verify> verify,
            String version) {
        this(
                machine,
                copy,
                role,
                epoch,
                active,
                inSync,
                copyState,
                peer,
                guest,
                runner,
                arbiterReachable,
                disks,
                lastTransition,
                problem,
                verify,
                version,
                Optional.empty(),
                Optional.empty());
    }

    /**
     * Level 3 on this side. The figures are of the twinning there is, or of the last one.
     *
     * @param wished whether this mirror is to give the guest a twin
     * @param checkpoint how it makes checkpoints
     * @param state how far it is
     * @param why what keeps the guest from having one, though it is wished; empty where nothing does
     * @param started twinnings begun since this mirror started
     * @param failed of these: that ended without being told to, or never ran
     * @param checkpoints checkpoints of this twinning
     * @param early of these: before the interval was over, so because packets differed or by order
     * @param lastPauseMicros how long the guest stood still for the last one
     * @param longestPauseMicros for the longest
     * @param totalPauseMicros for all
     * @param ageMillis since the last checkpoint ended
     */
    @JsonIgnoreProperties(ignoreUnknown = true)
    public record Twin(
            boolean wished,
            MirrorConfig.Checkpoint checkpoint,
            TwinState state,
            String why,
            long started,
            long failed,
            long checkpoints,
            long early,
            long lastPauseMicros,
            long longestPauseMicros,
            long totalPauseMicros,
            long ageMillis) {}

    /** How far level 3 is on a side. */
    public enum TwinState {
        /** No twin. */
        NONE,
        /** At the active: the twin is being brought up. */
        STARTING,
        /** At the active: the twin runs and the arbiter record lets it take over. */
        RUNNING,
        /** At the active: it ends. */
        ENDING,
        /** At the standby: a twin is here, or on its way here. */
        STANDING_BY,
        /** At an active that was a twin: what it wrote before it took over is being written into its copy. */
        COMMITTING
    }

    /**
     * A copy is being brought up to date by this mirror.
     *
     * @param pace what holds it back
     * @param secondsLeft until its end, if it goes on as in the last seconds; absent while that can not be told
     */
    public record Resync(Pace pace, Optional<Long> secondsLeft) {}

    /** What holds a resync back. */
    public enum Pace {
        /** Nothing. */
        FULL,
        /** It stands still for a moment while the guest's usual latency is measured. */
        MEASURING,
        /** The guest's latency. */
        HELD_BACK,
        /** The guest's latency, and it may not go slower. */
        AT_FLOOR,
        /** The configured rate. */
        AT_CAP
    }

    /** A mirror of an earlier release says nothing of verification, nor of twins. */
    public MirrorReport {
        verify = Objects.requireNonNullElse(verify, Optional.empty());
        twin = Objects.requireNonNullElse(twin, Optional.empty());
    }

    /** What a mirror is. */
    public enum Role {
        /** No authority: started, looking for the record or its peer. */
        IDLE,
        /** Follows an active. */
        STANDBY,
        /** Named active, not yet allowed to serve. */
        RECOVERING,
        /** Serves the guest. */
        ACTIVE,
        /** Active without leave: guest I/O is held, the gate is closed. */
        SUSPENDED
    }

    /** State of a copy (DRBD's words: Diskless, Inconsistent, Outdated, UpToDate, Failed). */
    public enum CopyState {
        BLANK,
        SYNCING,
        STALE,
        IN_SYNC,
        FAILED
    }

    /** State of the guest's QEMU on this side. */
    public enum Guest {
        /** No QEMU process. */
        ABSENT,
        /** Started and paused, ready to boot at once. */
        READY,
        RUNNING,
        /** The guest switched itself off. */
        POWERED_OFF,
        /** The guest's kernel panicked and the policy does not restart it. */
        CRASHED
    }

    /** The other side of the link. */
    public record Peer(CopyId copy, boolean connected, Optional<Long> roundTripMicros, List<String> pathsUp) {}

    /** One mirrored disk; counters are since the mirror's start. */
    public record Disk(String name, long sizeBytes, long bytesToResync, long resyncedBytes) {}

    /** When this side last began to serve, and from which cause; durations in milliseconds, -1 where not measured. */
    public record Transition(
            String kind, Epoch epoch, Optional<CopyId> from, String at, long detectedMillis, long guestRunningMillis) {}

    /** A reason in CamelCase from a closed set, and a sentence. */
    public record Problem(String reason, String message, Map<String, String> facts) {}

    /**
     * One verification of the copies. Complete, with every mismatch repaired and nothing unreadable, it proves that no difference that
     * arose before {@code startedAt} is left between this copy and {@code with}. It does not say that all bytes were equal at one moment.
     *
     * @param id whose it is, by the order
     * @param state how far it is
     * @param reason why it was aborted, else empty
     * @param with the standby's copy
     * @param startedAt when it began, RFC 3339
     * @param endedAt when it ended, RFC 3339; absent while it runs
     * @param bytesTotal bytes of all disks
     * @param bytesCompared bytes compared so far
     * @param mismatches places of at most 64 KiB that differed, twice in a row
     * @param repaired of these, places that were written anew on the standby from the active, and found equal after that
     * @param unreadableBytes bytes that the active could not read, so that nothing is known of them
     * @param found the first mismatches, at most 16
     */
    @JsonIgnoreProperties(ignoreUnknown = true)
    public record Verify(
            String id,
            VerifyState state,
            String reason,
            CopyId with,
            String startedAt,
            Optional<String> endedAt,
            long bytesTotal,
            long bytesCompared,
            long mismatches,
            long repaired,
            long unreadableBytes,
            List<Mismatch> found) {
        /** Copies the list. */
        public Verify {
            found = List.copyOf(found);
        }

        /** Whether it proves that no difference that arose before it began is left. */
        public boolean proves() {
            return state == VerifyState.COMPLETE && repaired == mismatches && unreadableBytes == 0;
        }
    }

    /** How far a verification is. */
    public enum VerifyState {
        RUNNING,
        COMPLETE,
        ABORTED
    }

    /** A place that differed: SHA-256 in hexadecimal of each side's bytes, or {@code zeroes}, or {@code unreadable}. */
    public record Mismatch(String disk, long offset, int length, String activeHash, String standbyHash) {}
}
