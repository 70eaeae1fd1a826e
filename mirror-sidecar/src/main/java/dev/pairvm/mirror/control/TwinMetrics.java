package dev.pairvm.mirror.control;

import dev.pairvm.api.mirror.MirrorReport;
import io.prometheus.client.CollectorRegistry;
import io.prometheus.client.Counter;
import io.prometheus.client.Gauge;

/**
 * Level 3 in the metrics, all of it from the report. Figures of one twin begin at nothing with the next; the counters go on. A side that can
 * have no twin has no series. Thread-safe.
 */
final class TwinMetrics {
    private static final double MICROS = 1e-6;
    private static final double MILLIS = 1e-3;

    private final CollectorRegistry registry;
    private boolean registered;
    private long started;
    private long failed;
    private long checkpoints;
    private long early;
    private long pauseMicros;

    private final Gauge state = gauge("twin_state", "1 for how far level 3 is on this side, 0 for the others", "state");
    private final Gauge wished = gauge("twin_wished", "1 if this side is to give the guest a twin");
    private final Counter starts = counter("twin_starts", "Times a twin was begun");
    private final Counter failures =
            counter("twin_failures", "Of these, times it never ran, or ended without having been told to");
    private final Counter taken = counter(
            "twin_checkpoints",
            "Checkpoints: after the interval, or early, for packets that differed or an overlay that was full",
            "cause");
    private final Counter pause =
            counter("twin_checkpoint_pause_seconds", "Time the guest stood still for checkpoints");
    private final Gauge longest = gauge(
            "twin_checkpoint_longest_pause_seconds",
            "Longest time the guest stood still for a checkpoint of this twin");
    private final Gauge age =
            gauge("twin_checkpoint_age_seconds", "Since the last checkpoint ended; 0 while no twin runs");
    private final Gauge pauseLimit =
            gauge("twin_checkpoint_pause_limit_seconds", "What the pauses may come to, spec.checkpoint.maxPause");
    private final Gauge intervalLimit = gauge(
            "twin_checkpoint_interval_limit_seconds", "Most time between checkpoints, spec.checkpoint.maxInterval");

    TwinMetrics(CollectorRegistry registry) {
        this.registry = registry;
    }

    private static Gauge gauge(String name, String help, String... labels) {
        return Gauge.build("pairvm_mirror_" + name, help).labelNames(labels).create();
    }

    private static Counter counter(String name, String help, String... labels) {
        return Counter.build("pairvm_mirror_" + name, help).labelNames(labels).create(); // "_total" is added
    }

    /** Takes over what a report says; a count that is lower than before is one of the next twin. */
    synchronized void show(MirrorReport.Twin twin) {
        if (!registered) {
            registered = true;
            state.register(registry);
            wished.register(registry);
            starts.register(registry);
            failures.register(registry);
            taken.register(registry);
            pause.register(registry);
            longest.register(registry);
            age.register(registry);
            pauseLimit.register(registry);
            intervalLimit.register(registry);
        }
        for (MirrorReport.TwinState each : MirrorReport.TwinState.values()) {
            state.labels(each.name()).set(each == twin.state() ? 1 : 0);
        }
        wished.set(twin.wished() ? 1 : 0);
        boolean next = twin.started() != started || twin.checkpoints() < checkpoints;
        starts.inc(more(twin.started(), started));
        failures.inc(more(twin.failed(), failed));
        long moreCheckpoints = more(twin.checkpoints(), next ? 0 : checkpoints);
        long moreEarly = more(twin.early(), next ? 0 : early);
        taken.labels("early").inc(moreEarly);
        taken.labels("interval").inc(Math.max(0, moreCheckpoints - moreEarly));
        pause.inc(more(twin.totalPauseMicros(), next ? 0 : pauseMicros) * MICROS);
        longest.set(twin.longestPauseMicros() * MICROS);
        age.set(twin.state() == MirrorReport.TwinState.RUNNING ? Math.max(0, twin.ageMillis()) * MILLIS : 0);
        pauseLimit.set(twin.checkpoint().maxPauseMillis() * MILLIS);
        intervalLimit.set(twin.checkpoint().maxIntervalMillis() * MILLIS);
        started = twin.started();
        failed = twin.failed();
        checkpoints = twin.checkpoints();
        early = twin.early();
        pauseMicros = twin.totalPauseMicros();
    }

    private static long more(long now, long before) {
        return Math.max(0, now - before);
    }
}
