package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Where this side stands: who leads, who follows, and how that changes. The body of {@link PairCore} once it has started. */
final class Standing implements CasDesk.Listener {
    private final Side side;
    private final Election election;
    private final Conversation conversation;
    private final StoreAnswers store;
    final Greetings greetings;
    final Candidacy candidacy;
    final Following following;
    final GrowthOfFollower growth;

    /** Not null while this side leads. */
    @Nullable
    Lead lead;
    /** Not null while this side follows; never together with {@link #lead}. */
    @Nullable
    Follower follower;
    /** The epoch in which the guest was handed over to this side with nothing outstanding; -1 if it was not. */
    long handedOverEpoch = -1;
    /** This copy may be neither led from, followed with, nor promoted, in this life. */
    boolean copyFailed;

    /** The guest shall have a twin on the peer (level 3), whoever leads. */
    boolean twinWished;

    boolean stopping;
    boolean halted;
    private final Set<Long> stopFlushes = new HashSet<>();

    Standing(CoreConfig config, Outbox out, Rules rules, Event.Started started) {
        side = new Side(config, out, rules, started, this);
        greetings = new Greetings(side);
        candidacy = new Candidacy(side);
        election = new Election(side, this);
        following = new Following(side, this);
        growth = new GrowthOfFollower(side, this);
        conversation = new Conversation(side, this);
        store = new StoreAnswers(side, this);
    }

    void begin() {
        if (foreignDisk()) {
            return;
        }
        side.desk.read();
    }

    private boolean foreignDisk() {
        Superblock found = side.superblock.durable();
        boolean foreign = !found.machineUid().equals(side.config.machineUid())
                || !found.copy().equals(side.self());
        if (foreign) {
            copyFailed = true;
            side.problems.raise(
                    Problem.Kind.FOREIGN_DISK,
                    "The volume holds copy " + found.copy() + " of machine " + found.machineUid()
                            + ", but this is copy "
                            + side.self() + " of machine " + side.config.machineUid()
                            + "; mount the right one, or wipe it to have it filled anew.",
                    Map.of("copy", found.copy().value(), "machineUid", found.machineUid()));
        }
        return foreign;
    }

    Role role() {
        Lead leading = lead;
        if (leading != null) {
            return leading.role();
        }
        return follower != null ? Role.STANDBY : Role.IDLE;
    }

    long leadEpoch() {
        Lead leading = lead;
        return leading == null ? 0 : leading.epoch();
    }

    long highestEpoch() {
        return side.highestEpoch();
    }

    void take(Event event) {
        if (halted) {
            return;
        }
        Lead leading = lead;
        if (leading != null) {
            leading.checkLeave();
        }
        switch (event) {
            case Event.Started started -> throw new ProtocolBugException("a life starts once [" + started + "]");
            case Event.Tick tick -> tick();
            case Event.StopRequested stop -> stop();
            case Event.ArbiterRead read -> side.desk.read(read);
            case Event.CasApplied applied -> side.desk.applied(applied);
            case Event.CasConflict conflict -> side.desk.conflict(conflict);
            case Event.CasUnresolved unresolved -> side.desk.unresolved(unresolved);
            case Event.ArbiterMissing missing -> side.desk.missing(missing);
            case Event.ArbiterMalformed malformed -> side.desk.malformed(malformed);
            case Event.ArbiterUnreachable unreachable -> side.desk.unreachable(unreachable);
            case Event.LinkUp up -> {
                Link before = side.links.remove(up.peer());
                if (before != null) {
                    conversation.forgetLink(before, false);
                }
                greetings.linkUp(up, role());
            }
            case Event.LinkDown down -> conversation.linkDown(down);
            case Event.MessageReceived received -> conversation.received(received);
            case Event.BeaconHeard beacon -> following.beacon(beacon);
            case Event.GrantingStopped stopped -> candidacy.stopped(stopped);
            case Event.WriteReceived write -> {
                if (leading != null) {
                    leading.io().write(write);
                } else {
                    side.held.add(write);
                }
            }
            case Event.FlushReceived flush -> {
                if (leading != null) {
                    leading.io().flush(flush);
                } else {
                    side.held.add(flush);
                }
            }
            case Event.ReadReceived read -> store.read(read);
            case Event.GuestDisconnected gone -> side.held.drop(side.out);
            case Event.LocalWriteDone done -> {
                side.localWrites.ended();
                store.localDone(done.io());
                following.attachIfReady();
            }
            case Event.LocalReadDone done -> store.localDone(done.io());
            case Event.LocalFlushDone done -> store.flushDone(done.io());
            case Event.LocalHashed hashed -> store.hashed(hashed);
            case Event.PiecesHashed hashed -> store.hashed(hashed);
            case Event.LocalFailed failed -> store.failed(failed);
            case Event.ChunkUnreadable unreadable -> store.chunkUnreadable(unreadable);
            case Event.SuperblockPersisted persisted -> side.superblock.persisted(persisted.token());
            case Event.BookkeepingPersisted persisted -> {
                if (leading != null && leading.io().log().owns(persisted.token())) {
                    leading.io().log().persisted();
                }
            }
            case Event.GuestKilled killed -> {
                side.guest.killed();
                // What it had sent must never be carried out, least of all when this side leads again some day.
                side.held.drop(side.out);
                following.attachIfReady();
            }
            case Event.HandOverRequested order -> handOver(order);
            case Event.GuestDrained drained -> ifLeading(l -> l.handOver().drained());
            case Event.HandOverAbandoned abandoned ->
                ifLeading(l -> l.handOver().abandoned());
            case Event.LeaveRequested order -> leave(order);
            case Event.VerifyRequested order -> verify();
            case Event.RoomMade made -> side.room.made(made);
            case Event.NoRoom none -> side.room.none(none);
            case Event.GrowRequested order -> {
                if (leading == null) {
                    side.out.emit(new Effect.OrderEnded(Effect.Order.GROW, "this side does not lead"));
                } else {
                    leading.growth().request(order);
                }
            }
            case Event.TwinWished wish -> {
                twinWished = wish.on();
                ifLeading(l -> l.twin().wish(wish.on()));
            }
            case Event.TwinArrived arrived -> side.guest.twinArrived();
            case Event.TwinRuns runs -> ifLeading(l -> l.twin().runs());
            case Event.TwinEnded ended -> ifLeading(l -> l.twin().ended(ended.why()));
            case Event.GuestDied died -> ifLeading(l -> l.twin().guestDied());
            case Event.TwinGone gone -> {
                side.guest.twinGone();
                following.attachIfReady();
            }
            case Event.OverlaysFound found -> side.guest.overlays(true);
            case Event.OverlaysCommitted committed -> {
                side.guest.overlays(false);
                ifLeading(l -> l.followed().joining().growIfPossible());
            }
        }
        ifLeading(l -> l.followed().joining().goOn());
    }

    void ifLeading(Consumer<Lead> action) {
        Lead leading = lead;
        if (leading != null) {
            action.accept(leading);
        }
    }

    private void tick() {
        Lead leading = lead;
        Follower standby = follower;
        if (leading != null) {
            leading.tick();
        } else if (standby != null) {
            if (candidacy.silent()) {
                following.loseLead(standby.link, false);
                side.drop(standby.link, "no beacon from the active");
            }
        } else if (!copyFailed) {
            side.desk.tick();
            if (!following.attaching() && !side.desk.inDoubt()) {
                if (election.mayStand() && candidacy.due()) {
                    candidacy.ask();
                }
                side.desk.readSometimes();
            }
        }
    }

    private void stop() {
        stopping = true;
        Follower standby = follower;
        if (standby != null) {
            side.send(standby.link, new Message.Goodbye(standby.epoch(), standby.link.session()));
        }
        if (side.state() == CopyState.FAILED) {
            // Its device takes nothing more: there is nothing to make durable, and no answer to wait for.
            side.out.emit(new Effect.ReadyToExit());
            return;
        }
        for (int disk = 0; disk < side.sizes.count(); disk++) {
            long io = side.out.token();
            stopFlushes.add(io);
            side.out.emit(new Effect.FlushLocal(io, disk));
        }
    }

    /** Whether the flush was one of {@link Event.StopRequested}; after the last the process may end. */
    boolean stopFlushed(long io) {
        boolean mine = stopping && stopFlushes.remove(io);
        if (mine && stopFlushes.isEmpty()) {
            side.superblock.change(Superblock::cleanly, () -> side.out.emit(new Effect.ReadyToExit()));
        }
        return mine;
    }

    @Override
    public void won(CasDesk.Kind kind, ArbiterRecord arbiter) {
        election.won(kind, arbiter);
    }

    @Override
    public void observed(ArbiterRecord arbiter, boolean moved, long readToken) {
        election.observed(arbiter, moved, readToken);
    }

    @Override
    public void trouble(Problem.@Nullable Kind kind, String why) {
        election.trouble(kind, why);
    }

    @Override
    public void expired(CasDesk.Kind kind) {
        election.expired(kind);
    }

    @Override
    public void notSent(CasDesk.Kind kind) {
        election.notSent(kind);
    }

    private void handOver(Event.HandOverRequested order) {
        Lead leading = lead;
        if (leading == null) {
            side.out.emit(new Effect.OrderEnded(Effect.Order.HAND_OVER, "this side does not lead"));
        } else {
            leading.handOver().request(order.to());
        }
    }

    private void verify() {
        Lead leading = lead;
        if (leading == null) {
            side.out.emit(new Effect.OrderEnded(Effect.Order.VERIFY, "this side does not lead"));
        } else {
            leading.verify().request();
        }
    }

    private void leave(Event.LeaveRequested order) {
        Lead leading = lead;
        if (leading == null || !leading.ready()) {
            side.out.emit(new Effect.OrderEnded(Effect.Order.LEAVE, "this side does not lead"));
        } else if (order.copy().equals(side.self())) {
            side.out.emit(
                    new Effect.OrderEnded(Effect.Order.LEAVE, "the active can not leave; hand the guest over first"));
        } else if (leading.diskFailed()) {
            side.out.emit(new Effect.OrderEnded(
                    Effect.Order.LEAVE,
                    "this side's disk failed, the other copy is the last; hand the guest over first"));
        } else {
            leading.followed().leaving().begin(order.copy());
        }
    }

    CoreView view() {
        return Views.of(side, role(), Optional.ofNullable(lead), Optional.ofNullable(follower));
    }
}
