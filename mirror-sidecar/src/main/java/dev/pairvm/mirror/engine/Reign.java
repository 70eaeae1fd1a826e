package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.mirror.core.Effect;
import java.time.InstantSource;
import java.util.Optional;
import java.util.function.LongSupplier;

/** When and why this side last began to serve, with the times an administrator asks for. */
final class Reign {
    private static final long NOT_MEASURED = -1;

    private final LongSupplier bootNanos;
    private final InstantSource wallClock;
    private long lastSignOfLife;
    private long declaredAt;
    private Optional<CopyId> from = Optional.empty();
    private Optional<MirrorReport.Transition> last = Optional.empty();

    Reign(LongSupplier bootNanos, InstantSource wallClock) {
        this.bootNanos = bootNanos;
        this.wallClock = wallClock;
    }

    /** The peer's beacon arrived. */
    void heardPeer(long atNanos) {
        lastSignOfLife = atNanos;
    }

    /** This side asks the arbiter to make it the active in place of {@code active}. */
    void asked(CopyId active) {
        from = Optional.of(active);
        declaredAt = bootNanos.getAsLong();
    }

    void began(Epoch epoch, Effect.StartCause cause) {
        // A twin that was handed the guest asked for nothing, and there was no loss to be noticed.
        boolean promoted = lastSignOfLife > 0
                && (cause == Effect.StartCause.PROMOTED
                        || cause == Effect.StartCause.TAKEN_OVER && declaredAt > lastSignOfLife);
        last = Optional.of(new MirrorReport.Transition(
                cause.name(),
                epoch,
                cause == Effect.StartCause.STARTED ? Optional.empty() : from,
                wallClock.instant().toString(),
                promoted ? millis(declaredAt - lastSignOfLife) : NOT_MEASURED,
                NOT_MEASURED));
    }

    /** The guest's processors run; only the first time in a reign is measured. */
    void guestRuns() {
        last = last.map(t -> t.guestRunningMillis() != NOT_MEASURED
                ? t
                : new MirrorReport.Transition(
                        t.kind(),
                        t.epoch(),
                        t.from(),
                        t.at(),
                        t.detectedMillis(),
                        t.detectedMillis() == NOT_MEASURED
                                ? NOT_MEASURED
                                : millis(bootNanos.getAsLong() - lastSignOfLife)));
    }

    private static long millis(long nanos) {
        return Math.max(0, nanos / 1_000_000);
    }

    Optional<MirrorReport.Transition> last() {
        return last;
    }
}
