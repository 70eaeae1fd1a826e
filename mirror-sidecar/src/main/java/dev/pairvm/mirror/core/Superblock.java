package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;

/**
 * What a copy durably says of itself. The store keeps it in two slots written alternately, adds format version, disk sizes, a
 * sequence number and a CRC32C, and makes it durable before it reports {@link Event.SuperblockPersisted}.
 *
 * @param machineUid uid of the ProtectedVM; never changes
 * @param arbiterUid uid of the arbiter's Lease object, pinned at the first start: another object of the same name is no arbiter
 *     of this data
 * @param copy whose copy this is
 * @param state state of the copy
 * @param epochLastInSync the epoch at which this copy last was sealed in sync; {@link Epoch#NONE} if never
 * @param maxEpochSeen highest epoch ever seen; if the record's is lower, the arbiter was rolled back
 * @param lineage names of the data
 * @param clean whether the process stopped with nothing outstanding
 */
public record Superblock(
        String machineUid,
        String arbiterUid,
        CopyId copy,
        CopyState state,
        Epoch epochLastInSync,
        Epoch maxEpochSeen,
        Lineage lineage,
        boolean clean) {

    Superblock pinned(String uid) {
        String pinned = arbiterUid.isEmpty() ? uid : arbiterUid;
        return new Superblock(machineUid, pinned, copy, state, epochLastInSync, maxEpochSeen, lineage, clean);
    }

    Superblock cleanly() {
        return new Superblock(machineUid, arbiterUid, copy, state, epochLastInSync, maxEpochSeen, lineage, true);
    }

    Superblock withState(CopyState next) {
        return new Superblock(machineUid, arbiterUid, copy, next, epochLastInSync, maxEpochSeen, lineage, false);
    }

    Superblock seen(Epoch epoch) {
        Epoch highest = epoch.fences(maxEpochSeen) ? epoch : maxEpochSeen;
        return new Superblock(machineUid, arbiterUid, copy, state, epochLastInSync, highest, lineage, false);
    }

    Superblock inSyncAt(Epoch epoch, Lineage data) {
        return new Superblock(machineUid, arbiterUid, copy, CopyState.IN_SYNC, epoch, maxEpochSeen, data, false)
                .seen(epoch);
    }
}
