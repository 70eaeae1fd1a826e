package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.TreeSet;

/**
 * The lead's own copy, from the moment that it fails: the record takes it out, and the guest is served by the peer through this side, or
 * starts there.
 */
final class OwnDisk {
    /** An operation of the local store that takes longer puts the copy out, if a peer has everything. */
    static final long STUCK_NANOS = 5_000_000_000L;

    private final Side side;
    private final Lead lead;
    private boolean failed;
    /** The record says that this side's copy is out while it stays the active. */
    private boolean out;

    OwnDisk(Side side, Lead lead) {
        this.side = side;
        this.lead = lead;
    }

    boolean failed() {
        return failed;
    }

    boolean out() {
        return out;
    }

    /** The record says so. */
    void isOut() {
        out = true;
    }

    /**
     * A device that does not answer is as good as broken while another has everything. Without one the guest waits: there is nothing to
     * gain. What it still has under way may land late; nothing is filled from or into this copy in this life any more.
     */
    void judge() {
        if (lead.serving() && !failed && lead.inSyncLink() != null && peerAnswersReads()) {
            DiskFault stuck = lead.io().stuck(STUCK_NANOS);
            if (stuck != null) {
                fail(stuck);
            }
        }
    }

    /**
     * This copy is out: a write or flush failed, or too many reads. Never retried. From now nothing begins and nothing is answered until
     * the record says so too; then the in-sync peer serves the guest through this side. Without one the guest stays suspended, for a
     * stale copy must not be started.
     */
    void fail(DiskFault fault) {
        if (failed) {
            return;
        }
        failed = true;
        side.failDisk(fault);
        lead.verify().diskFailed();
        if (lead.alone()) {
            lead.stopServing();
            side.guest.freeze();
        }
        goOnWithout();
        if (!side.rules.recordsFailedCopy() && !lead.alone()) {
            out = true;
            lead.io().localDiskGone();
        }
        side.publish();
    }

    /** Asks again if the record changed meanwhile and still counts the failed copy. */
    void won() {
        if (failed && !out) {
            goOnWithout();
        }
    }

    /**
     * Asks the arbiter to take this failed copy out. A guest that runs stays where it is and is served by the peer: it sees nothing. One
     * that was not served yet starts there.
     *
     * <p>Safety: the set that is asked for is the record's without this side, so every copy in it holds every acknowledged write; and no
     * request is finished until the change is known to be applied, for until then this side's copy counts.
     */
    void goOnWithout() {
        ArbiterRecord arbiter = side.desk.known();
        if (arbiter == null || out) {
            return;
        }
        TreeSet<CopyId> rest = new TreeSet<>(arbiter.inSync());
        rest.remove(side.self());
        if (!rest.isEmpty() && lead.elected()) {
            if (lead.ready() && peerAnswersReads()) {
                side.desk.wish(CasDesk.Kind.WITHOUT_DISK, side.self(), rest);
            } else {
                side.desk.wish(CasDesk.Kind.FAIL_OVER, rest.first(), rest);
            }
        }
    }

    /** False only if the follower is of a release that can not be asked: then the guest has to start there. */
    boolean peerAnswersReads() {
        Link link = lead.attachedLink();
        return link == null || link.answersReads;
    }

    /** Asks the arbiter to make the last copy in sync the active, in place of this side, which has none. */
    void failOver() {
        if (side.desk.wished() != CasDesk.Kind.FAIL_OVER && !lead.others().isEmpty()) {
            side.desk.wish(CasDesk.Kind.FAIL_OVER, lead.others().first(), new TreeSet<>(lead.others()));
        }
    }
}
