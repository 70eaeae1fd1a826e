package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.CopyId;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A live link to one other mirror, and the session on it once both said hello. */
final class Link {
    static final long NEVER_ASKED = Long.MIN_VALUE / 2;

    final CopyId peer;
    final long seed;
    private Message.@Nullable Hello hello;
    private boolean outdated;
    private long session;
    private long seqs;
    /** When an attach may be tried again after a refusal. */
    long notBefore;
    /** Whether the peer can be asked for what this side can not read itself. */
    boolean answersReads = true;
    /** Whether the peer knows {@link Message.Verify}. */
    boolean verifies = true;
    /** Whether the peer can be asked to let a disk grow. */
    boolean grows = true;
    /** When it was last asked to let a disk grow so that it can follow. */
    long askedToGrowAt = NEVER_ASKED;
    /** How large the peer's disks are, as it said last. */
    private long[] diskBytes = {};
    /** Whether the peer can be asked for hashes of pieces. */
    boolean comparesPieces = true;
    /** Refusals on this link. */
    int refusals;

    Link(CopyId peer, long seed) {
        this.peer = peer;
        this.seed = seed;
    }

    Message.@Nullable Hello hello() {
        return hello;
    }

    long session() {
        return session;
    }

    long nextSeq() {
        return ++seqs;
    }

    /** This side follows the peer from here: what a lead's copy holds changes, so its hello says less and less of it. */
    void outdate() {
        outdated = true;
    }

    /** Whether the peer led since its hello: nothing may be decided on that. */
    boolean outdated() {
        return outdated;
    }

    /** Whether this is what the same life of the peer says of itself after it led; the session goes on. */
    boolean renewedBy(Message.Hello theirs) {
        Message.Hello before = hello;
        return outdated && before != null && before.life() == theirs.life() && before.seed() == theirs.seed();
    }

    /** The first disk that is smaller at the peer, -1 if it can hold all of these. */
    int smaller(DiskSizes here) {
        for (int disk = 0; disk < diskBytes.length; disk++) {
            if (diskBytes[disk] < here.of(disk)) {
                return disk;
            }
        }
        return -1;
    }

    /** Whether any disk is larger at the peer. */
    boolean larger(DiskSizes here) {
        for (int disk = 0; disk < diskBytes.length; disk++) {
            if (diskBytes[disk] > here.of(disk)) {
                return true;
            }
        }
        return false;
    }

    /** The peer's sizes, where it has not outgrown what is here. */
    List<Long> sizesWithin(DiskSizes here) {
        List<Long> all = new ArrayList<>();
        for (int disk = 0; disk < here.count(); disk++) {
            all.add(Math.min(diskBytes[disk], here.of(disk)));
        }
        return all;
    }

    long bytesOf(int disk) {
        return diskBytes[disk];
    }

    /** The peer has said so. */
    void grown(int disk, long bytes) {
        diskBytes[disk] = Math.max(diskBytes[disk], bytes);
    }

    /** What the peer was filled as: the sizes of the lead. */
    void tookSizes(DiskSizes lead) {
        for (int disk = 0; disk < diskBytes.length; disk++) {
            diskBytes[disk] = lead.of(disk);
        }
    }

    void greeted(CopyId self, Message.Hello theirs) {
        hello = theirs;
        diskBytes = theirs.diskBytes().stream().mapToLong(Long::longValue).toArray();
        outdated = false;
        boolean lower = self.compareTo(peer) < 0;
        session = Words.positive(Words.mix(lower ? seed : theirs.seed(), lower ? theirs.seed() : seed));
    }
}
