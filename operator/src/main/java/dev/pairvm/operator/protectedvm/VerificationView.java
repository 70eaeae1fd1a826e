package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus.Verification;
import dev.pairvm.api.v1alpha1.VerificationRun;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What is known of the copies being equal, and when they are to be compared next. Pure.
 *
 * <p>{@code identicalAsOf} is the beginning of a comparison that was complete and left nothing unrepaired: no difference that arose before
 * is left. Later comparisons that come to no end, restarts and changes of the active do not make that untrue. A copy that was replaced
 * does, so it goes with the pair that it speaks of.
 */
public final class VerificationView {
    private static final Verification NOTHING = new Verification(null, List.of(), null, null);
    /** After a comparison that came to no end; and as much again at the most, so that those of one broken switch do not come together. */
    private static final Duration RETRY = Duration.ofHours(1);

    private final Observation seen;
    private final Verification before;
    private final Duration interval;

    private VerificationView(Observation seen) {
        this.seen = seen;
        this.before = Objects.requireNonNullElse(seen.before().verification(), NOTHING);
        this.interval = seen.machine().spec().verify().interval();
    }

    static Verification of(Observation seen) {
        return new VerificationView(seen).verification();
    }

    private Verification verification() {
        VerificationRun run = lastRun();
        String asOf = before.identicalAsOf();
        List<String> between = before.between();
        if (run != null && run.proves()) {
            asOf = run.startedAt();
            between = Stream.of(run.activeCopy(), run.standbyCopy()).sorted().toList();
        }
        if (!seen.memory().copies().stream().map(CopyId::value).toList().containsAll(between)) {
            asOf = null;
            between = List.of();
        }
        return new Verification(asOf, between, next(run), run);
    }

    private @Nullable VerificationRun lastRun() {
        VerificationRun known = before.lastRun();
        Optional<VerificationRun> told = seen.memory().copies().stream()
                .flatMap(copy -> seen.report(copy).stream())
                .flatMap(report -> run(report).stream())
                .max(Comparator.comparing(run -> time(run.startedAt())));
        if (told.isPresent() && (known == null || !time(told.get().startedAt()).isBefore(time(known.startedAt())))) {
            VerificationRun run = told.get();
            // Progress is a figure that moves by itself: an operation tells it.
            return run.outcome() == VerificationRun.Outcome.Running ? compared(run, 0) : run;
        }
        if (known != null
                && known.outcome() == VerificationRun.Outcome.Running
                && seen.servingActive().isPresent()) {
            return abandoned(known);
        }
        return known;
    }

    private static VerificationRun compared(VerificationRun run, long bytes) {
        return new VerificationRun(
                run.startedAt(),
                run.endedAt(),
                run.outcome(),
                run.message(),
                run.activeCopy(),
                run.standbyCopy(),
                run.bytesTotal(),
                bytes,
                run.mismatches(),
                run.repaired(),
                run.unreadableBytes(),
                run.found());
    }

    private VerificationRun abandoned(VerificationRun run) {
        return new VerificationRun(
                run.startedAt(),
                seen.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                VerificationRun.Outcome.Aborted,
                "the mirror that compared was restarted",
                run.activeCopy(),
                run.standbyCopy(),
                run.bytesTotal(),
                run.bytesCompared(),
                run.mismatches(),
                run.repaired(),
                run.unreadableBytes(),
                run.found());
    }

    /** A mirror's account of the comparison that it carried out. */
    public static Optional<VerificationRun> run(MirrorReport report) {
        return report.verify()
                .map(told -> new VerificationRun(
                        told.startedAt(),
                        told.endedAt().orElse(null),
                        switch (told.state()) {
                            case RUNNING -> VerificationRun.Outcome.Running;
                            case COMPLETE -> VerificationRun.Outcome.Complete;
                            case ABORTED -> VerificationRun.Outcome.Aborted;
                        },
                        told.reason().isEmpty() ? null : told.reason(),
                        report.copy().value(),
                        told.with().value(),
                        told.bytesTotal(),
                        told.bytesCompared(),
                        told.mismatches(),
                        told.repaired(),
                        told.unreadableBytes(),
                        told.found().stream()
                                .map(place -> new VerificationRun.Mismatch(
                                        place.disk(),
                                        place.offset(),
                                        place.length(),
                                        place.activeHash(),
                                        place.standbyHash()))
                                .toList()));
    }

    /** Durable, so that a restarted operator does not begin with all machines at once; spread for the same reason. */
    private @Nullable String next(@Nullable VerificationRun run) {
        if (interval.isZero()) {
            return null;
        }
        VerificationRun known = before.lastRun();
        if (run != null
                && run.outcome() != VerificationRun.Outcome.Running
                && (known == null || !known.startedAt().equals(run.startedAt()) || known.outcome() != run.outcome())) {
            Instant at = run.outcome() == VerificationRun.Outcome.Complete
                    ? time(run.startedAt()).plus(interval)
                    : seen.now().plus(RETRY).plus(share(RETRY));
            return at.truncatedTo(ChronoUnit.SECONDS).toString();
        }
        String planned = before.next();
        if (planned == null || time(planned).isAfter(seen.now().plus(interval))) {
            return seen.now()
                    .plus(share(interval))
                    .truncatedTo(ChronoUnit.SECONDS)
                    .toString();
        }
        return planned;
    }

    /** The same part of it for the same machine, always. */
    private Duration share(Duration of) {
        long part = seen.machine().uid().hashCode() & Integer.MAX_VALUE;
        return Duration.ofMillis((long) (of.toMillis() * (part / (double) Integer.MAX_VALUE)));
    }

    /** A time that a mirror or somebody else's hand wrote; one that can not be read is long ago. */
    static Instant time(String at) {
        try {
            return Instant.parse(at);
        } catch (DateTimeException e) {
            return Instant.EPOCH;
        }
    }
}
