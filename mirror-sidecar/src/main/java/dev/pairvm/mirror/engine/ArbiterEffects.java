package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.arbiter.Arbiter;
import dev.pairvm.mirror.arbiter.CasResult;
import dev.pairvm.mirror.arbiter.ReadResult;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import java.util.function.Consumer;

/** Carries the core's questions to the arbiter and its answers back, word for word. */
final class ArbiterEffects {
    private final Arbiter arbiter;
    private final Consumer<Event> core;

    ArbiterEffects(Arbiter arbiter, Consumer<Event> core) {
        this.arbiter = arbiter;
        this.core = core;
    }

    void read(Effect.ReadArbiter read) {
        arbiter.read(answer -> core.accept(event(read.token(), answer)));
    }

    private static Event event(long token, ReadResult answer) {
        return switch (answer) {
            case ReadResult.Read(var now, var version, var uid) -> new Event.ArbiterRead(token, now, version, uid);
            case ReadResult.Missing() -> new Event.ArbiterMissing(token);
            case ReadResult.Malformed(var why) -> new Event.ArbiterMalformed(token, why);
            case ReadResult.Unreachable(var why) -> new Event.ArbiterUnreachable(token, why);
        };
    }

    void compareAndSwap(Effect.CasArbiter cas) {
        arbiter.compareAndSwap(cas.expectedVersion(), cas.next(), answer -> core.accept(event(cas.token(), answer)));
    }

    private static Event event(long token, CasResult answer) {
        return switch (answer) {
            case CasResult.Applied(var version) -> new Event.CasApplied(token, version);
            case CasResult.Conflict(var now) -> new Event.CasConflict(token, now.arbiter(), now.version(), now.uid());
            case CasResult.Missing() -> new Event.ArbiterMissing(token);
            case CasResult.Unresolved(var why) -> new Event.CasUnresolved(token, why);
            case CasResult.Unreachable(var why) -> new Event.ArbiterUnreachable(token, why);
        };
    }
}
