package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.CopyId;
import java.util.HashMap;
import java.util.Map;

/** Who may follow now: a copy that was refused, slow, broken or sent away waits, each for its own reason. */
final class Admission {
    /** Pause after a refusal; doubles with every further one on the same link, up to 6.4 s: a failed copy refuses for ever. */
    private static final long REFUSED_MILLIS = 100;

    private static final int MOST_DOUBLINGS = 6;

    private final Side side;
    private final Map<CopyId, Long> rejoinAt = new HashMap<>();
    /** Lives that left by order: they do not come back. */
    private final Map<CopyId, Long> left = new HashMap<>();

    private long rejoinMillis;

    Admission(Side side) {
        this.side = side;
    }

    boolean admits(Link candidate, Message.Hello hello) {
        return side.out.now() >= candidate.notBefore
                && side.out.now() >= rejoinAt.getOrDefault(candidate.peer, 0L)
                && left.getOrDefault(candidate.peer, 0L) != hello.life();
    }

    void refused(Link by) {
        by.notBefore = side.out.after(REFUSED_MILLIS << Math.min(by.refusals++, MOST_DOUBLINGS));
    }

    /** Its device failed: it is tried again some day, for its volume may have been replaced under the same life. */
    void broken(CopyId peer) {
        rejoinAt.put(peer, side.out.after(side.config.waits().rejoinMostMillis()));
    }

    /** It was slow: the wait doubles each time. Gives it in milliseconds. */
    long slow(CopyId peer) {
        var waits = side.config.waits();
        rejoinMillis = rejoinMillis == 0 ? waits.rejoinMillis() : Math.min(rejoinMillis * 2, waits.rejoinMostMillis());
        rejoinAt.put(peer, side.out.after(rejoinMillis));
        return rejoinMillis;
    }

    void left(Link gone) {
        Message.Hello hello = gone.hello();
        left.put(gone.peer, hello == null ? 0 : hello.life());
    }
}
