package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.mirror.control.OrderDesk.Outcome;
import dev.pairvm.mirror.core.CoreView;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Role;
import dev.pairvm.mirror.core.VerifyRun;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.Optional;

/**
 * Whose the core's verification is, and when that was by the wall clock. Event loop only.
 *
 * <p>The time of the beginning is taken before the core is told of it, so that what a report calls the beginning is never later than the
 * first comparison.
 */
final class Verifications {
    private final MirrorConfig config;
    private final MirrorEngine engine;
    private final InstantSource wallClock;
    private String orderedId = "";
    private Instant ordered = Instant.EPOCH;
    /** The run that {@link #id} and {@link #began} speak of, by the core's time of its beginning. */
    private long runBeganAt;

    private String id = "";
    private Instant began = Instant.EPOCH;

    Verifications(MirrorConfig config, MirrorEngine engine, InstantSource wallClock) {
        this.config = config;
        this.engine = engine;
        this.wallClock = wallClock;
    }

    Outcome take(MirrorOrder.Verify order, CoreView view) {
        Optional<VerifyRun> last = view.verify();
        last.ifPresent(this::know);
        if (last.filter(run -> run.state() == VerifyRun.State.RUNNING).isPresent()) {
            return new Outcome.Begun();
        }
        if (last.isPresent() && order.id().equals(id)) {
            return new Outcome.Done();
        }
        if (view.role() != Role.ACTIVE) {
            return new Outcome.Impossible("copy " + config.copy() + " is not the active; send the order to the active");
        }
        orderedId = order.id();
        ordered = wallClock.instant().truncatedTo(ChronoUnit.MILLIS);
        engine.post(new Event.VerifyRequested());
        if (engine.view()
                .verify()
                .filter(run -> run.state() == VerifyRun.State.RUNNING)
                .isEmpty()) {
            return new Outcome.Impossible("the copies can not be compared now; wait until the pair is whole");
        }
        engine.reportChanged(); // what was told in the step showed how things were before it
        return new Outcome.Begun();
    }

    /** A report made while the core takes the order still shows the run before: that one keeps its own name. */
    private void know(VerifyRun run) {
        if (run.beganAt() != runBeganAt) {
            runBeganAt = run.beganAt();
            id = orderedId;
            began = ordered;
        }
    }

    Optional<MirrorReport.Verify> report(CoreView view) {
        view.verify().ifPresent(this::know);
        return view.verify()
                .map(run -> new MirrorReport.Verify(
                        id,
                        MirrorReport.VerifyState.valueOf(run.state().name()),
                        run.reason(),
                        run.with(),
                        began.toString(),
                        ended(run).map(Instant::toString),
                        run.bytesTotal(),
                        run.bytesCompared(),
                        run.mismatches(),
                        run.repaired(),
                        run.unreadableBytes(),
                        run.kept().stream().map(this::told).toList()));
    }

    /** As long after the beginning as it took, whatever the wall clock did meanwhile. */
    private Optional<Instant> ended(VerifyRun run) {
        return run.endedAt() == 0 ? Optional.empty() : Optional.of(began.plusNanos(run.endedAt() - run.beganAt()));
    }

    private MirrorReport.Mismatch told(VerifyRun.Mismatch mismatch) {
        return new MirrorReport.Mismatch(
                config.disks().get(mismatch.disk()).name(),
                mismatch.offset(),
                mismatch.length(),
                mismatch.active().toString(),
                mismatch.standby().toString());
    }
}
