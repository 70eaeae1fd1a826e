package dev.pairvm.operator.runtime.pod;

import dev.pairvm.api.mirror.MirrorReport;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stays in touch with one mirror: asks for its report, then listens to its events, and asks again now and then, for a stream whose other
 * end died says nothing. Tells its owner when what is known changes its meaning. Thread-safe.
 */
final class MirrorWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(MirrorWatch.class);
    /** Between two questions to a mirror that answers. */
    private static final Duration CALM = Duration.ofSeconds(10);
    /** Between two questions to one that does not: this is how fast a new pod is noticed. */
    private static final Duration EAGER = Duration.ofMillis(500);
    /** The longest pause while it stays silent. */
    private static final Duration PATIENT = Duration.ofSeconds(5);

    private final MirrorAddress address;
    private final MirrorClient client;
    private final ScheduledExecutorService scheduler;
    private final InstantSource clock;
    private final Runnable changed;

    private MirrorFact fact;
    private Duration pause = EAGER;
    private boolean closed;
    private @Nullable CompletableFuture<HttpResponse<Void>> stream;
    private @Nullable ScheduledFuture<?> next;

    MirrorWatch(
            MirrorAddress address,
            MirrorClient client,
            ScheduledExecutorService scheduler,
            InstantSource clock,
            Runnable changed) {
        this.address = address;
        this.client = client;
        this.scheduler = scheduler;
        this.clock = clock;
        this.changed = changed;
        this.fact = new MirrorFact.Silent("not asked yet", clock.instant());
    }

    MirrorAddress address() {
        return address;
    }

    synchronized MirrorFact fact() {
        return fact;
    }

    /** Asks now, and goes on until closed. */
    synchronized void ask() {
        if (closed) {
            return;
        }
        if (next != null) {
            next.cancel(false);
        }
        client.report(address).whenComplete((report, failure) -> {
            if (failure == null) {
                answered(report);
                listen();
                schedule(CALM);
            } else {
                silent(failure);
            }
        });
    }

    private synchronized void schedule(Duration after) {
        if (!closed) {
            next = scheduler.schedule(this::ask, after.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private void answered(MirrorReport report) {
        boolean news;
        synchronized (this) {
            news = !fact.answer().map(MirrorWatch::meaning).equals(Optional.of(meaning(report)));
            fact = new MirrorFact.Answered(report);
            pause = EAGER;
        }
        tell(news);
    }

    private void silent(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        String why = cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
        boolean news;
        Duration wait;
        synchronized (this) {
            Instant since = fact instanceof MirrorFact.Silent before ? before.since() : clock.instant();
            news = !(fact instanceof MirrorFact.Silent before && before.why().equals(why));
            fact = new MirrorFact.Silent(why, since);
            if (stream != null) {
                stream.cancel(true);
                stream = null;
            }
            wait = pause;
            pause = pause.multipliedBy(2).compareTo(PATIENT) < 0 ? pause.multipliedBy(2) : PATIENT;
        }
        LOG.debug("mirror {} of {} is silent: {}", address.copy(), address.machine(), why);
        tell(news);
        schedule(wait);
    }

    private synchronized void listen() {
        if (closed || stream != null) {
            return;
        }
        CompletableFuture<HttpResponse<Void>> opened = client.events(address, this::answered);
        stream = opened;
        opened.whenComplete((response, failure) -> {
            boolean mine;
            synchronized (this) {
                mine = stream == opened;
                if (mine) {
                    stream = null;
                }
            }
            // An ended stream is the first sign of a restart: ask at once.
            if (mine) {
                schedule(EAGER);
            }
        });
    }

    private void tell(boolean news) {
        if (news) {
            changed.run();
        }
    }

    /** The report without the numbers that move by themselves. */
    private static MirrorReport meaning(MirrorReport report) {
        return new MirrorReport(
                report.machine(),
                report.copy(),
                report.role(),
                report.epoch(),
                report.active(),
                report.inSync(),
                report.copyState(),
                report.peer()
                        .map(peer -> new MirrorReport.Peer(
                                peer.copy(),
                                peer.connected(),
                                peer.roundTripMicros().map(MirrorWatch::step),
                                peer.pathsUp())),
                report.guest(),
                report.runner(),
                report.arbiterReachable(),
                List.of(),
                report.lastTransition(),
                report.problem(),
                report.verify().map(MirrorWatch::meaning),
                report.version(),
                Optional.empty(),
                report.twin().map(MirrorWatch::meaning));
    }

    /** A round trip matters where it crosses the bound for pairing, and where it is well below that again. */
    private static long step(long micros) {
        return micros > 10_000 ? 10_000 : micros > 8_000 ? 8_000 : 0;
    }

    private static MirrorReport.Twin meaning(MirrorReport.Twin twin) {
        return new MirrorReport.Twin(
                twin.wished(),
                twin.checkpoint(),
                twin.state(),
                twin.why(),
                twin.started(),
                twin.failed(),
                0,
                0,
                0,
                0,
                0,
                0);
    }

    private static MirrorReport.Verify meaning(MirrorReport.Verify verify) {
        return new MirrorReport.Verify(
                verify.id(),
                verify.state(),
                verify.reason(),
                verify.with(),
                verify.startedAt(),
                verify.endedAt(),
                verify.bytesTotal(),
                0,
                verify.mismatches(),
                verify.repaired(),
                verify.unreadableBytes(),
                verify.found());
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (next != null) {
            next.cancel(false);
        }
        if (stream != null) {
            stream.cancel(true);
            stream = null;
        }
        client.forget(address);
    }
}
