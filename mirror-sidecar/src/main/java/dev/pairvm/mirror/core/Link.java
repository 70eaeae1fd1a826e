package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.CopyId;
import org.jspecify.annotations.Nullable;

/** A live link to one other mirror, and the session on it once both said hello. */
final class Link {
    final CopyId peer;
    final long seed;
    private Message.@Nullable Hello hello;
    private long session;
    private long seqs;
    /** When an attach may be tried again after a refusal. */
    long notBefore;

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

    void greeted(CopyId self, Message.Hello theirs) {
        hello = theirs;
        boolean lower = self.compareTo(peer) < 0;
        session = Words.positive(Words.mix(lower ? seed : theirs.seed(), lower ? theirs.seed() : seed));
    }
}
