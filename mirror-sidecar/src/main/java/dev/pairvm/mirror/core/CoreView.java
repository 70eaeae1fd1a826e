package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What the core knows of itself, for reports; an immutable snapshot, made on demand by {@link PairCore#view}.
 *
 * @param role its role
 * @param copyState state of its copy
 * @param epoch highest epoch it knows, 0 before the first read
 * @param arbiter the last record it read or wrote
 * @param arbiterReachable whether the last exchange with the arbiter succeeded; absent before the first
 * @param peer the peer of the running session
 * @param problems what an administrator should know
 * @param disks one per disk
 * @param resync the resync under way
 * @param heldRequests guest requests that wait for leave or for acknowledgements
 * @param verify the verification that runs, or the last one of this life
 * @param twin how far level 3 is, {@link TwinStage#NONE} where this side does not lead
 * @param uncommitted whether what a twin wrote before it took over here is not in this copy's image yet
 */
public record CoreView(
        Role role,
        CopyState copyState,
        long epoch,
        Optional<ArbiterRecord> arbiter,
        Optional<Boolean> arbiterReachable,
        Optional<Peer> peer,
        List<Problem> problems,
        List<Disk> disks,
        Optional<Resyncing> resync,
        int heldRequests,
        Optional<VerifyRun> verify,
        TwinStage twin,
        boolean uncommitted) {

    /**
     * The peer.
     *
     * @param copy its copy
     * @param attached whether it follows (or is followed)
     * @param inSync whether the record lists it
     */
    public record Peer(CopyId copy, boolean attached, boolean inSync) {}

    /**
     * A resync under way.
     *
     * @param pace how fast it goes
     * @param secondsLeft if it goes on as in the last seconds; empty while that can not be told
     */
    public record Resyncing(Pace pace, OptionalLong secondsLeft) {
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
    }

    /** Resync progress of a disk in bytes; {@code bytesToResync} is what may differ from the peer, done or not. */
    public record Disk(long bytesToResync, long resyncedBytes) {}
}
