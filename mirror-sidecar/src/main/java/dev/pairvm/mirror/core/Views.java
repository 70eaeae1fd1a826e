package dev.pairvm.mirror.core;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Makes {@link CoreView}s. */
final class Views {
    private Views() {}

    static CoreView of(Side side, Role role, Optional<Lead> lead, Optional<Follower> follower) {
        var known = Optional.ofNullable(side.desk.known());
        long epoch = side.highestEpoch();
        Optional<CoreView.Peer> peer = lead.map(Lead::attachedLink)
                .or(() -> follower.map(following -> following.link))
                .map(link -> new CoreView.Peer(
                        link.peer,
                        true,
                        known.map(arbiter -> arbiter.inSync().contains(link.peer))
                                .orElse(false)));
        return new CoreView(
                role,
                side.state(),
                epoch,
                known,
                Optional.ofNullable(side.desk.reachable()),
                peer,
                side.problems.all(),
                disks(side, lead),
                lead.map(leading -> leading.followed().joining().resync())
                        .map(resync -> new CoreView.Resyncing(resync.pace(), resync.secondsLeft())),
                lead.map(leading -> leading.io().inFlight()).orElse(0) + side.held.size(),
                lead.flatMap(leading -> leading.verify().running()).or(() -> side.lastVerify),
                lead.map(leading -> leading.twin().stage()).orElse(TwinStage.NONE),
                side.guest.uncommitted());
    }

    private static List<CoreView.Disk> disks(Side side, Optional<Lead> lead) {
        Optional<Resync> running =
                lead.map(leading -> leading.followed().joining().resync());
        List<CoreView.Disk> disks = new ArrayList<>();
        for (int disk = 0; disk < side.sizes.count(); disk++) {
            int of = disk;
            long dirty = lead.map(leading -> leading.dirty().chunks(of) * Extent.CHUNK_BYTES)
                    .orElse(0L);
            disks.add(running.map(resync -> new CoreView.Disk(
                            resync.progress().totalBytes(of), resync.progress().doneBytes(of)))
                    .orElse(new CoreView.Disk(dirty, 0)));
        }
        return disks;
    }
}
