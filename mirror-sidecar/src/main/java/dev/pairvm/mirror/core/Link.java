package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.CopyId;
import org.jspecify.annotations.Nullable;

/** A live link to one other mirror, and the session on it once both said hello. */
final class Link {
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

    void greeted(CopyId self, Message.Hello theirs) {
        hello = theirs;
        outdated = false;
        boolean lower = self.compareTo(peer) < 0;
        session = Words.positive(Words.mix(lower ? seed : theirs.seed(), lower ? theirs.seed() : seed));
    }
}
