package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.mirror.core.CoreView;
import dev.pairvm.mirror.core.Problem;
import dev.pairvm.mirror.guest.Checkpoints;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** What this side counts of level 3: twinnings since the start of the mirror, checkpoints of the twinning there is or of the last one. */
final class TwinFigures {
    private Checkpoints.@Nullable Figures last;
    private long started;
    private long failed;

    void started() {
        started++;
    }

    void failed() {
        failed++;
    }

    /** A twinning is over; {@code of} is null if it never began. */
    void ended(Checkpoints.@Nullable Figures of) {
        last = of == null ? last : of;
    }

    /** @param now of the twinning there is, if any */
    MirrorReport.Twin report(
            boolean wished,
            MirrorConfig.Checkpoint policy,
            MirrorReport.TwinState state,
            CoreView view,
            Checkpoints.@Nullable Figures now) {
        Checkpoints.Figures known = now == null ? last : now;
        Checkpoints.Figures figures = known == null
                ? new Checkpoints.Figures(0, 0, Duration.ZERO, Duration.ZERO, Duration.ZERO, Duration.ZERO)
                : known;
        return new MirrorReport.Twin(
                wished,
                policy,
                state,
                why(view),
                started,
                failed,
                figures.completed(),
                figures.early(),
                micros(figures.lastPause()),
                micros(figures.longestPause()),
                micros(figures.totalPause()),
                now == null ? 0 : now.age().toMillis());
    }

    private static String why(CoreView view) {
        return view.problems().stream()
                .filter(problem -> problem.kind() == Problem.Kind.TWIN_FAILED)
                .findFirst()
                .map(Problem::message)
                .orElse("");
    }

    private static long micros(Duration duration) {
        return duration.toNanos() / 1000;
    }
}
