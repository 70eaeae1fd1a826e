package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.guest.ColoLimits;
import dev.pairvm.mirror.guest.ColoStandby;
import dev.pairvm.mirror.guest.GuestControl;
import dev.pairvm.mirror.guest.StandbyPhase;
import dev.pairvm.mirror.guest.TwinSockets;
import dev.pairvm.mirror.link.StreamChannel;
import dev.pairvm.mirror.link.StreamDesk;
import dev.pairvm.mirror.nbd.NbdClient;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One twinning at the standby: a QEMU that waits for the active's guest, its sockets joined with the active's through the link, and the
 * active's writes led through it. Becomes the guest by {@link #takeOver}, or is given up. Used once. On the event loop.
 */
final class StandbyTwin implements StreamChannel.Handler, ColoStandby.Listener {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyTwin.class);
    private static final Duration WATCH = Duration.ofMillis(250);
    /** How often it is looked whether the active is heard. */
    private static final Duration LISTEN = Duration.ofMillis(20);
    /**
     * Without a beacon for so long the twin's guest stands still: sooner than TCP sends for the first time what it believes lost (200 ms, RFC
     * 6298 with Linux's least), much sooner than anybody is declared dead.
     */
    private static final long SILENT_NANOS = 120_000_000L;

    /** Hears what becomes of it. */
    interface Owner {
        /**
         * It is over, without having become the guest: no QEMU of it is left, nor anything that it had under way to the store.
         *
         * @param byOrder no QEMU was to be here; else one that waits to boot is wanted in its place
         */
        void gone(boolean byOrder);

        /** Something that the report shows has changed. */
        void changed();
    }

    private final StreamDesk streams;
    private final StreamChannel.Incoming incoming;
    private final GuestControl guest;
    private final TwinSockets sockets;
    private final List<MirrorConfig.Disk> disks;
    private final List<Long> diskBytes;
    private final long overlayBytes;
    private final ColoLimits limits;
    private final EventLoop loop;
    private final PeerWrites writes;
    private final TwinBacking backing;
    private final GuestDesk.Timers timers;
    private final Owner owner;
    private final List<Channel> listening = new ArrayList<>();
    private @Nullable ColoStandby colo;
    private boolean streamOver;
    private boolean over;
    private boolean activeStandsStill;
    private boolean activeSilent;
    private long activeHeardNanos = System.nanoTime();

    StandbyTwin(
            StreamDesk streams,
            StreamChannel.Incoming incoming,
            GuestControl guest,
            Path directory,
            int cards,
            List<MirrorConfig.Disk> disks,
            List<Long> diskBytes,
            long overlayBytes,
            ColoLimits limits,
            EventLoop loop,
            PeerWrites writes,
            TwinBacking backing,
            GuestDesk.Timers timers,
            Owner owner) {
        this.streams = streams;
        this.incoming = incoming;
        this.guest = guest;
        this.sockets = new TwinSockets(directory, cards);
        this.disks = disks;
        this.diskBytes = diskBytes;
        this.overlayBytes = overlayBytes;
        this.limits = limits;
        this.loop = loop;
        this.writes = writes;
        this.backing = backing;
        this.timers = timers;
        this.owner = owner;
    }

    // ------------------------------------------------------------------------------------------------------- begin

    void begin() {
        ColoStandby session = guest.twin(sockets.directory(), overlayBytes, limits, this);
        colo = session;
        backing.open(true);
        joinCards()
                .thenCompose(joined -> session.awaitTwin())
                .thenCompose(waiting -> connectDisks())
                .whenComplete((clients, failure) -> {
                    if (failure != null) {
                        giveUp("no twin can wait here: " + failure.getMessage());
                    } else if (over || streamOver) {
                        clients.forEach(NbdClient::close);
                        giveUp("the active went away meanwhile");
                    } else {
                        // Safety: from the first write that QEMU is to remember on, all go through it, and none beside
                        // it.
                        writes.through(clients, this::giveUp, this::ready);
                        watchLater();
                        listenLater();
                    }
                });
    }

    private void listenLater() {
        timers.later(LISTEN, () -> {
            if (!over) {
                activeSilent = System.nanoTime() - activeHeardNanos > SILENT_NANOS;
                holdOrGoOn();
                listenLater();
            }
        });
    }

    void activeHeard() {
        activeHeardNanos = System.nanoTime();
        if (activeSilent) {
            activeSilent = false;
            holdOrGoOn();
        }
    }

    private void holdOrGoOn() {
        ColoStandby session = colo;
        if (session == null || over) {
            return;
        }
        if (activeStandsStill || activeSilent) {
            session.hold();
        } else {
            session.goOn();
        }
    }

    private CompletableFuture<Void> joinCards() {
        CopyId active = incoming.stream().peer();
        CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
        for (int i = 0; i < sockets.cards(); i++) {
            int card = i;
            all = all.thenCompose(before -> listen(sockets.copied(card), active, TwinWords.copied(card)))
                    .thenCompose(one -> listen(sockets.answers(card), active, TwinWords.answers(card)));
        }
        return all;
    }

    private CompletableFuture<Void> listen(Path socket, CopyId active, String name) {
        CompletableFuture<Void> bound = new CompletableFuture<>();
        streams.listen(socket, active, name).addListener(done -> {
            if (done.isSuccess()) {
                listening.add((Channel) done.getNow());
                bound.complete(null);
            } else {
                bound.completeExceptionally(done.cause());
            }
        });
        return bound;
    }

    private CompletableFuture<List<NbdClient>> connectDisks() {
        List<NbdClient> clients = new ArrayList<>();
        CompletableFuture<List<NbdClient>> all = CompletableFuture.completedFuture(clients);
        for (int i = 0; i < disks.size(); i++) {
            int disk = i;
            all = all.thenCompose(before ->
                            NbdClient.connect(sockets.disk(), disks.get(disk).name(), diskBytes.get(disk), loop))
                    .thenApply(client -> {
                        clients.add(client);
                        return clients;
                    });
        }
        return all.whenComplete((_, failure) -> {
            if (failure != null) {
                clients.forEach(NbdClient::close);
            }
        });
    }

    private void ready() {
        if (over || streamOver) {
            return;
        }
        streams.serve(TwinWords.RAM, sockets.ram());
        incoming.accept();
        say(TwinWords.READY);
        owner.changed();
    }

    private void say(byte word) {
        if (!streamOver && incoming.stream().canWrite()) {
            incoming.stream().write(Unpooled.wrappedBuffer(new byte[] {word}));
        }
    }

    private void watchLater() {
        timers.later(WATCH, () -> {
            if (!over) {
                writes.watch();
                watchLater();
            }
        });
    }

    // -------------------------------------------------------------------------------------------- what the active says

    @Override
    public void opened(StreamChannel stream) {}

    @Override
    public void received(StreamChannel stream, ByteBuf piece) {
        TwinWords.read(stream, piece, word -> {
            switch (word) {
                case TwinWords.WRITES_BACK -> {
                    if (!over) {
                        writes.back(() -> say(TwinWords.OK));
                    }
                }
                case TwinWords.HOLD, TwinWords.GO_ON -> {
                    activeStandsStill = word == TwinWords.HOLD;
                    holdOrGoOn();
                }
                default -> LOG.warn("the active says {}, which means nothing here", word);
            }
        });
    }

    @Override
    public void writable(StreamChannel stream) {}

    /** In order: nobody is to take over any more, by record. */
    @Override
    public void ended(StreamChannel stream) {
        streamOver = true;
        stream.end();
        if (!isGuest() && !over) {
            timers.later(PeerWrites.BACK_LIMIT, () -> giveUp("the active ended it, and writes were still under way"));
            writes.back(() -> giveUp("the active ended it"));
        }
    }

    /** It says nothing of who is to go on. A twin that is not whole is of no use to anybody. */
    @Override
    public void closed(StreamChannel stream, String why) {
        streamOver = true;
        ColoStandby session = colo;
        if (session != null && !session.phase().canTakeOver() && !isGuest()) {
            giveUp("the active went away before it was whole: " + why);
        } else {
            activeStandsStill = true; // for all that this side will hear of it
            holdOrGoOn();
        }
    }

    @Override
    public void moved(StandbyPhase now) {
        if (now instanceof StandbyPhase.Failed failed && !failed.uncommitted()) {
            giveUp(failed.why());
        }
        owner.changed();
    }

    @Override
    public void diverged() {
        giveUp("the twin's guest panicked between two checkpoints");
    }

    @Override
    public void overlayLarge(String disk) {
        LOG.info("the overlays of disk {} are full: a checkpoint is asked for", disk);
        say(TwinWords.CHECKPOINT);
    }

    @Override
    public void overlayFull(String disk) {
        giveUp("the overlays of disk " + disk + " passed their bound of " + overlayBytes
                + " bytes, and no checkpoint emptied them");
    }

    // --------------------------------------------------------------------------------------------------------- end

    boolean canTakeOver() {
        ColoStandby session = colo;
        return !over && session != null && session.phase().canTakeOver();
    }

    private boolean isGuest() {
        ColoStandby session = colo;
        return session != null
                && (session.phase() instanceof StandbyPhase.TakingOver
                        || session.phase() instanceof StandbyPhase.Committing
                        || session.phase() instanceof StandbyPhase.Done);
    }

    /**
     * The twin becomes the guest; see {@link ColoStandby#takeOver}. The twinning is over here with it.
     *
     * @return the session, whose {@link ColoStandby#committed} tells when this copy's image has everything
     */
    ColoStandby takeOver() {
        ColoStandby session = colo;
        if (session == null) {
            throw new IllegalStateException("there is no twin");
        }
        over = true;
        closeSockets();
        return session;
    }

    /** The active's writes are held until the twin is dead, and then written. */
    private void giveUp(String why) {
        if (over) {
            return;
        }
        LOG.info("the twin here ends: {}", why);
        writes.hold();
        end(why, false, writes::resume);
    }

    /** The active counts for nothing any more, or this side's guest is to be dead. */
    CompletableFuture<Void> abandon() {
        return over ? CompletableFuture.completedFuture(null) : end("it is not to go on", true, () -> {});
    }

    private CompletableFuture<Void> end(String why, boolean byOrder, Runnable whenDead) {
        over = true;
        closeSockets();
        if (!streamOver) {
            streamOver = true;
            incoming.refuse(why);
        }
        ColoStandby session = colo;
        CompletableFuture<Void> dead = new CompletableFuture<>();
        CompletableFuture<Void> killed = session == null ? guest.kill() : session.abandon();
        killed.whenComplete((_, failure) -> {
            if (failure != null) {
                LOG.error("a twin that became the guest can not be given up", failure);
            }
            // Safety: what the dead QEMU had under way to the store lands before anything newer is begun.
            backing.whenIdle(() -> {
                backing.open(false);
                whenDead.run();
                dead.complete(null);
                owner.gone(byOrder);
            });
        });
        return dead;
    }

    private void closeSockets() {
        listening.forEach(Channel::close);
        listening.clear();
        streams.withdraw(TwinWords.RAM);
    }

    /** How far it is. */
    StandbyPhase phase() {
        ColoStandby session = colo;
        return session == null ? new StandbyPhase.Idle() : session.phase();
    }
}
