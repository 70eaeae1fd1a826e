package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.guest.ActivePhase;
import dev.pairvm.mirror.guest.Checkpoints;
import dev.pairvm.mirror.guest.ColoActive;
import dev.pairvm.mirror.guest.ColoLimits;
import dev.pairvm.mirror.guest.GuestControl;
import dev.pairvm.mirror.guest.TwinSockets;
import dev.pairvm.mirror.link.StreamChannel;
import dev.pairvm.mirror.link.StreamDesk;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One twinning at the active: asks the peer for a QEMU that waits, joins the sockets of both through the link, drives {@link ColoActive},
 * and takes everything down again. Used once. On the event loop.
 */
final class ActiveTwin implements ColoActive.Listener {
    private static final Logger LOG = LoggerFactory.getLogger(ActiveTwin.class);

    /** Pause of the guest to aim for when it gets its twin. */
    private static final Duration DOWNTIME = Duration.ofMillis(100);
    /** The standby's sockets are asked for before the active's QEMU has made the ones that they lead to. */
    private static final long SOCKETS_MILLIS = 60_000;
    /** The peer starts a QEMU, twice. */
    private static final Duration READY_LIMIT = Duration.ofSeconds(60);
    /** Checkpoints that a twin must have gone through before it counts. */
    private static final int PROVEN = 3;

    private static final Duration PROVEN_POLL = Duration.ofMillis(20);
    /** The pauses are judged by so many checkpoints at least. */
    private static final long FEWEST_JUDGED = 10;

    private static final Duration JUDGED_EVERY = Duration.ofSeconds(5);

    /** Hears what becomes of it. */
    interface Owner {
        /** It has gone through its first checkpoints. */
        void runs();

        /** It ends by itself, or did not come to be; told once. {@link ActiveTwin#end} follows when the guest may speak freely. */
        void failed(String why);

        /** The guest's QEMU stands still, while its twin may be well; told once, in place of {@link #failed}. */
        void guestStandsStill(String why);

        /**
         * Everything is taken down.
         *
         * @param stuck the guest's QEMU must be killed: it can not be said whether the guest runs
         */
        void over(boolean stuck);
    }

    private final StreamDesk streams;
    private final CopyId peer;
    private final GuestControl guest;
    private final TwinSockets sockets;
    private final ColoLimits limits;
    private final GuestDesk.Timers timers;
    private final Owner owner;
    private MirrorConfig.Checkpoint policy;
    private @Nullable StreamChannel expecting;
    private @Nullable Channel listening;
    private @Nullable ColoActive colo;
    private @Nullable Runnable whenBack;
    private Checkpoints.@Nullable Figures judged;
    private boolean ready;
    private boolean told;
    private boolean ending;
    private boolean closed;
    private boolean settling;

    ActiveTwin(
            StreamDesk streams,
            CopyId peer,
            GuestControl guest,
            Path directory,
            int cards,
            ColoLimits limits,
            MirrorConfig.Checkpoint policy,
            GuestDesk.Timers timers,
            Owner owner) {
        this.streams = streams;
        this.peer = peer;
        this.guest = guest;
        this.sockets = new TwinSockets(directory, cards);
        this.limits = limits;
        this.policy = policy;
        this.timers = timers;
        this.owner = owner;
    }

    void begin() {
        for (int card = 0; card < sockets.cards(); card++) {
            streams.serve(TwinWords.copied(card), sockets.copied(card), SOCKETS_MILLIS);
            streams.serve(TwinWords.answers(card), sockets.answers(card), SOCKETS_MILLIS);
        }
        timers.later(READY_LIMIT, () -> {
            if (!ready) {
                fail("the peer had no QEMU ready within " + READY_LIMIT.toSeconds() + " s");
            }
        });
        try {
            expecting = streams.open(peer, TwinWords.EXPECT, new Conversation());
        } catch (IllegalStateException e) {
            fail("the peer can not be asked: " + e.getMessage());
        }
    }

    private final class Conversation implements StreamChannel.Handler {
        @Override
        public void opened(StreamChannel stream) {}

        @Override
        public void received(StreamChannel stream, ByteBuf piece) {
            TwinWords.read(stream, piece, ActiveTwin.this::heard);
        }

        @Override
        public void writable(StreamChannel stream) {}

        @Override
        public void ended(StreamChannel stream) {
            expecting = null;
            fail("the peer gave its twin up");
        }

        @Override
        public void closed(StreamChannel stream, String why) {
            expecting = null;
            fail(ready ? "the peer's twin is gone: " + why : "the peer has no twin to offer: " + why);
        }
    }

    private void heard(byte word) {
        switch (word) {
            case TwinWords.READY -> {
                if (!ready && !ending) {
                    ready = true;
                    join();
                }
            }
            case TwinWords.CHECKPOINT -> {
                ColoActive session = colo;
                if (session != null && session.phase() instanceof ActivePhase.Running) {
                    session.checkpointNow().exceptionally(failure -> {
                        LOG.warn("a checkpoint that the peer asked for: {}", failure.getMessage());
                        return null;
                    });
                }
            }
            case TwinWords.OK -> back();
            default -> fail("the peer says " + word + ", which means nothing");
        }
    }

    private void join() {
        streams.listen(sockets.ram(), peer, TwinWords.RAM).addListener(done -> {
            if (ending) {
                if (done.isSuccess()) {
                    ((Channel) done.getNow()).close();
                }
            } else if (done.isSuccess()) {
                listening = (Channel) done.getNow();
                protect();
            } else {
                fail("no socket for the guest's memory: " + done.cause().getMessage());
            }
        });
    }

    private void protect() {
        ColoActive session = guest.twinning(sockets.directory(), limits, this);
        colo = session;
        session.protect(DOWNTIME, interval(), Duration.ofMillis(policy.compareTimeoutMillis()))
                .whenComplete((_, failure) -> {
                    if (failure != null) {
                        fail(String.valueOf(failure.getMessage()));
                    } else {
                        proveLater(session);
                    }
                });
    }

    /** A twin that is not the same shows it soon, by a panic. Until it has gone through some checkpoints nobody is to rely on it. */
    private void proveLater(ColoActive session) {
        if (ending || told) {
            return;
        }
        if (session.checkpoints().completed() >= PROVEN) {
            owner.runs();
            judgeLater();
        } else {
            timers.later(PROVEN_POLL, () -> proveLater(session));
        }
    }

    private Duration interval() {
        return Duration.ofMillis(policy.maxIntervalMillis());
    }

    /** Another policy; the compare timeout counts from the next twinning on. */
    void policy(MirrorConfig.Checkpoint now) {
        policy = now;
        ColoActive session = colo;
        if (session != null && session.phase() instanceof ActivePhase.Running) {
            session.interval(interval()).exceptionally(failure -> {
                LOG.warn("the interval of checkpoints could not be changed: {}", failure.getMessage());
                return null;
            });
        }
    }

    private void judgeLater() {
        timers.later(JUDGED_EVERY, () -> {
            ColoActive session = colo;
            if (session == null || ending || !(session.phase() instanceof ActivePhase.Running)) {
                return;
            }
            Checkpoints.Figures now = session.checkpoints();
            Checkpoints.Figures before = judged;
            long count = now.completed() - (before == null ? 0 : before.completed());
            if (count >= FEWEST_JUDGED) {
                Duration paused =
                        before == null ? now.totalPause() : now.totalPause().minus(before.totalPause());
                long average = paused.toMillis() / count;
                judged = now;
                if (average > policy.maxPauseMillis()) {
                    fail("its checkpoints pause the guest for " + average + " ms on the average of the last " + count
                            + ", the policy (checkpoint.maxPause) allows " + policy.maxPauseMillis());
                    return;
                }
            }
            judgeLater();
        });
    }

    /** Figures of this twinning; null before it began. */
    Checkpoints.@Nullable Figures figures() {
        ColoActive session = colo;
        return session == null ? null : session.checkpoints();
    }

    @Override
    public void moved(ActivePhase now) {
        if (now instanceof ActivePhase.Broken broken) {
            fail(broken.why());
        }
    }

    @Override
    public void checkpointOverdue(Duration age) {
        ColoActive session = colo;
        if (session == null || told || ending) {
            return;
        }
        // Whose fault it is decides who goes on: a QEMU that stands still here is no better than a dead one.
        session.answers().whenComplete((_, failure) -> {
            if (failure == null) {
                fail("no checkpoint has ended for " + age.toMillis() + " ms");
            } else if (!told && !ending) {
                told = true;
                owner.guestStandsStill("no checkpoint has ended for " + age.toMillis()
                        + " ms, and the guest's QEMU here does not answer: " + failure.getMessage());
            }
        });
    }

    private void fail(String why) {
        if (!told && !ending) {
            told = true;
            owner.failed(why);
        }
    }

    // --------------------------------------------------------------------------------------------------------- end

    /**
     * The guest goes on alone. Safety: only when the record is known to let nobody take over from the twin, for from here what the guest
     * says is not held back.
     */
    void end() {
        if (ending) {
            return;
        }
        ending = true;
        ColoActive session = colo;
        if (session == null) {
            close();
            owner.over(false);
        } else if (!told && expecting != null && session.phase() instanceof ActivePhase.Running) {
            writesBack(() -> finish(session, session.dissolve()));
        } else {
            finish(session, session.carryOnAlone());
        }
    }

    /** QEMU waits at the end of a twinning for the guest's writes: they are not to wait for the twin. */
    private void writesBack(Runnable then) {
        StreamChannel stream = expecting;
        whenBack = then;
        if (stream != null && stream.canWrite()) {
            stream.write(Unpooled.wrappedBuffer(new byte[] {TwinWords.WRITES_BACK}));
            timers.later(PeerWrites.BACK_LIMIT, this::back);
        } else {
            back();
        }
    }

    private void back() {
        Runnable then = whenBack;
        whenBack = null;
        if (then != null) {
            then.run();
        }
    }

    private void finish(ColoActive session, CompletableFuture<Void> ended) {
        ended.whenComplete((_, failure) -> {
            if (!closed) {
                close();
                boolean stuck = session.phase() instanceof ActivePhase.Ended over
                        && over.outcome() == ActivePhase.Outcome.STUCK;
                if (stuck) {
                    LOG.error("the guest's QEMU could not be led out of its twinning: {}", failure.getMessage());
                }
                owner.over(stuck);
            }
        });
    }

    /** Before the guest is handed to its twin: runs it as a checkpoint ends, or without one if none does soon. */
    void afterCheckpoint(Runnable then) {
        ColoActive session = colo;
        if (session == null || ending || !(session.phase() instanceof ActivePhase.Running)) {
            then.run();
        } else if (!settling) {
            settling = true;
            session.lastCheckpoint().whenComplete((_, _) -> {
                settling = false;
                then.run();
            });
        }
    }

    /** The guest stands still, or goes on. A standby of a release that does not know the word passes it over. */
    void guestFrozen(boolean frozen) {
        StreamChannel stream = expecting;
        if (stream != null && stream.canWrite()) {
            stream.write(Unpooled.wrappedBuffer(new byte[] {frozen ? TwinWords.HOLD : TwinWords.GO_ON}));
        }
    }

    /** The guest is killed here, perhaps because its twin is to go on: the peer is not told that it is over. */
    void abandon() {
        ending = true;
        StreamChannel stream = expecting;
        expecting = null;
        if (stream != null) {
            stream.reset("the guest is killed here");
        }
        close();
    }

    private void close() {
        closed = true;
        StreamChannel stream = expecting;
        expecting = null;
        if (stream != null) {
            stream.end();
        }
        Channel bound = listening;
        listening = null;
        if (bound != null) {
            bound.close();
        }
        for (int card = 0; card < sockets.cards(); card++) {
            streams.withdraw(TwinWords.copied(card));
            streams.withdraw(TwinWords.answers(card));
        }
    }
}
