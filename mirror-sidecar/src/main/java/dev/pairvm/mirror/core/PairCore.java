package dev.pairvm.mirror.core;

import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The pair protocol of one machine on one side. Not thread-safe: all steps on one thread. Deterministic: the same configuration
 * and the same events give the same effects.
 *
 * <p>A side either leads ({@link Lead}: RECOVERING, ACTIVE, SUSPENDED), follows ({@link Follower}: STANDBY) or does neither (IDLE);
 * this class decides which, on nothing but its superblock, a quorum read of the record or the outcome of its own
 * compare-and-swap, and hands events to the one that they concern.
 */
public final class PairCore {
    private final CoreConfig config;
    private final Rules rules;
    private final Outbox out = new Outbox();
    private @Nullable Standing standing;

    /** A core that waits for {@link Event.Started}. */
    public PairCore(CoreConfig config) {
        this(config, Rules.STRICT);
    }

    PairCore(CoreConfig config, Rules rules) {
        this.config = config;
        this.rules = rules;
    }

    /**
     * Takes one event.
     *
     * @param now CLOCK_BOOTTIME in nanoseconds, never less than at the step before
     * @throws ProtocolBugException if an invariant of the core is broken: stop serving and restart
     */
    public void step(long now, Event event, EffectSink sink) {
        out.begin(now, sink);
        try {
            Standing here = standing;
            if (event instanceof Event.Started started) {
                ProtocolBugException.check(here == null, "a life starts once", config.self());
                Standing begun = new Standing(config, out, rules, started);
                standing = begun;
                begun.begin();
            } else if (here == null) {
                throw new ProtocolBugException("the first event is Started [" + event + "]");
            } else {
                here.take(event);
            }
        } finally {
            out.end();
        }
    }

    /** The role now; cheap. */
    public Role role() {
        Standing here = standing;
        return here == null ? Role.IDLE : here.role();
    }

    /** The epoch this side leads in, 0 if it does not lead; cheap. */
    public long leadEpoch() {
        Standing here = standing;
        return here == null ? 0 : here.leadEpoch();
    }

    /** The highest epoch known here, 0 before the first event; cheap. */
    public long highestEpoch() {
        Standing here = standing;
        return here == null ? 0 : here.highestEpoch();
    }

    /** A snapshot for reports. */
    public CoreView view() {
        Standing here = standing;
        if (here == null) {
            return new CoreView(
                    Role.IDLE,
                    CopyState.BLANK,
                    0,
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    List.of(),
                    config.diskBytes().stream()
                            .map(bytes -> new CoreView.Disk(0, 0))
                            .toList(),
                    Optional.empty(),
                    0,
                    Optional.empty(),
                    TwinStage.NONE,
                    false);
        }
        return here.view();
    }
}
