package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.Checkpoints;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the twin's checkpoints cost, as the status has it: figures that move all the time, so they are taken anew only every few minutes, and
 * when a twin begins or ends. Pure.
 */
final class CheckpointView {
    /** Shorter than the longest time between two passes, so that in peace each pass takes them. */
    private static final Duration PACE = Duration.ofMinutes(4);

    private CheckpointView() {}

    static @Nullable Checkpoints of(Observation seen, Protection protection) {
        Checkpoints known = seen.before().checkpoints();
        Optional<MirrorReport.Twin> twin = seen.servingActive().flatMap(MirrorReport::twin);
        if (twin.isEmpty() || twin.get().started() == 0 || twin.get().checkpoints() == 0) {
            return known;
        }
        boolean levelChanged =
                seen.before().level() == null || seen.before().level().effective() != protection.effective();
        if (known != null
                && !levelChanged
                && VerificationView.time(known.asOf()).plus(PACE).isAfter(seen.now())) {
            return known;
        }
        // Of a twin that has ended nothing moves any more.
        if (known != null
                && !levelChanged
                && twin.get().state() == MirrorReport.TwinState.NONE
                && known.taken() == twin.get().checkpoints()) {
            return known;
        }
        return new Checkpoints(
                seen.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                twin.get().checkpoints(),
                twin.get().early(),
                micros(twin.get().lastPauseMicros()),
                micros(twin.get().longestPauseMicros()),
                micros(twin.get().totalPauseMicros()),
                Duration.ofMillis(Math.max(0, twin.get().ageMillis())));
    }

    private static Duration micros(long micros) {
        return Duration.of(Math.max(0, micros), ChronoUnit.MICROS);
    }
}
