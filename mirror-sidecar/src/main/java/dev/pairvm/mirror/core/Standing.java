package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.Epoch;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Where this side stands: who leads, who follows, and how that changes. The body of {@link PairCore} once it has started. */
final class Standing implements CasDesk.Listener {
    private final Side side;
    private final Greetings greetings;
    private final Candidacy candidacy;
    private @Nullable Lead lead;
    private @Nullable Follower follower;
    private @Nullable Link attachFrom;
    private Message.@Nullable Attach attach;
    private boolean attaching;
    private long handedOverEpoch = -1;
    private boolean copyFailed;
    private boolean stopping;
    private boolean halted;
    private final Set<Long> stopFlushes = new HashSet<>();
    private final Map<Long, Long> standbyReads = new HashMap<>();

    Standing(CoreConfig config, Outbox out, Rules rules, Event.Started started) {
        side = new Side(config, out, rules, started, this);
        greetings = new Greetings(side);
        candidacy = new Candidacy(side);
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

    // --------------------------------------------------------------------------------------------------------------
    // events

    long leadEpoch() {
        Lead leading = lead;
        return leading == null ? 0 : leading.epoch();
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
                    forgetLink(before, false);
                }
                greetings.linkUp(up.peer(), role());
            }
            case Event.LinkDown down -> linkDown(down);
            case Event.MessageReceived received -> received(received);
            case Event.BeaconHeard beacon -> beacon(beacon);
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
            case Event.ReadReceived read -> read(read);
            case Event.GuestDisconnected gone -> side.held.drop(side.out);
            case Event.LocalWriteDone done -> {
                side.localWrites.ended();
                localDone(done.io());
                attachIfReady();
            }
            case Event.LocalReadDone done -> localDone(done.io());
            case Event.LocalFlushDone done -> flushDone(done.io());
            case Event.LocalHashed hashed -> hashed(hashed);
            case Event.LocalFailed failed -> failed(failed);
            case Event.ChunkUnreadable unreadable -> chunkUnreadable(unreadable);
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
                attachIfReady();
            }
            case Event.HandOverRequested order -> handOver(order);
            case Event.GuestDrained drained -> ifLeading(l -> l.handOver().drained());
            case Event.HandOverAbandoned abandoned ->
                ifLeading(l -> l.handOver().abandoned());
            case Event.LeaveRequested order -> leave(order);
        }
    }

    private void ifLeading(Consumer<Lead> action) {
        Lead leading = lead;
        if (leading != null) {
            action.accept(leading);
        }
    }

    private void tick() {
        Lead leading = lead;
        Follower following = follower;
        if (copyFailed && leading == null) {
            return;
        }
        if (leading != null) {
            leading.tick();
        } else if (following != null) {
            if (candidacy.silent()) {
                loseLead(following.link, false);
                side.drop(following.link, "no beacon from the active");
            }
        } else {
            side.desk.tick();
            if (attach == null && !side.desk.inDoubt()) {
                if (mayStand() && candidacy.due()) {
                    candidacy.ask();
                }
                side.desk.readSometimes();
            }
        }
    }

    private boolean mayStand() {
        ArbiterRecord arbiter = side.desk.known();
        return !copyFailed
                && side.state() == CopyState.IN_SYNC
                && arbiter != null
                && !arbiter.active().equals(side.self())
                && side.guest.dead();
    }

    private void stop() {
        stopping = true;
        Follower following = follower;
        if (following != null) {
            side.send(following.link, new Message.Goodbye(following.epoch(), following.link.session()));
        }
        for (int disk = 0; disk < side.config.diskBytes().size(); disk++) {
            long io = side.out.token();
            stopFlushes.add(io);
            side.out.emit(new Effect.FlushLocal(io, disk));
        }
    }

    // ---------------------------------------------------------------------------------------------------------- the
    // arbiter

    @Override
    public void won(CasDesk.Kind kind, ArbiterRecord arbiter) {
        Lead leading = lead;
        switch (kind) {
            case PROMOTE -> {
                ProtocolBugException.check(leading == null, "a lead is not promoted", arbiter.epoch());
                candidacy.asked();
                lead = new Lead(side, Effect.StartCause.PROMOTED);
                lead.won(kind, arbiter);
            }
            case START, SHRINK, GROW, KEEP -> {
                if (leading == null) {
                    throw new ProtocolBugException("only a lead starts, shrinks or grows [" + arbiter.epoch() + "]");
                }
                leading.won(kind, arbiter);
                leading.followed().leaveEnded();
            }
            case HAND_OVER, FAIL_OVER -> {
                if (leading == null) {
                    throw new ProtocolBugException("only a lead hands over [" + arbiter.epoch() + "]");
                }
                Link link = side.links.get(arbiter.active());
                if (link != null && link.session() != 0) {
                    side.send(
                            link,
                            new Message.HandedOver(
                                    arbiter.epoch().value(), link.session(), kind == CasDesk.Kind.HAND_OVER));
                }
                if (kind == CasDesk.Kind.HAND_OVER) {
                    side.out.emit(new Effect.OrderEnded(Effect.Order.HAND_OVER, ""));
                } else {
                    copyFailed = true;
                }
                stepDown(leading, kind == CasDesk.Kind.FAIL_OVER);
            }
        }
        side.publish();
    }

    @Override
    public void observed(ArbiterRecord arbiter, boolean moved, long readToken) {
        Lead leading = lead;
        if (leading != null) {
            if (moved && !arbiter.active().equals(side.self())) {
                stepDown(leading, true);
            } else if (moved) {
                restart(leading);
            }
        } else if (!side.desk.inDoubt()) {
            decideIdle(arbiter, readToken);
        }
    }

    /** The record moved but still names this side. Before the start was won that is an earlier life's change landing late. */
    private void restart(Lead leading) {
        leading.end(false);
        lead = null;
        if (leading.epoch() == 0) {
            startIfPossible();
        } else {
            halted = true;
            side.out.emit(new Effect.ExitNow("the arbiter record was changed by another while this side led"));
        }
    }

    /** Another is active: the guest dies before anything else, and this copy waits to be followed or filled. */
    private void stepDown(Lead leading, boolean dropLinks) {
        side.guest.kill();
        leading.end(true);
        lead = null;
        if (dropLinks) {
            dropLinks("fenced");
        }
        side.problems.clear(Problem.Kind.SUSPENDED);
        candidacy.ledUntilNow();
        outdateIfUnlisted();
        side.publish();
    }

    private void dropLinks(String why) {
        for (Link link : List.copyOf(side.links.values())) {
            side.drop(link, why);
        }
    }

    private void outdateIfUnlisted() {
        ArbiterRecord arbiter = side.desk.known();
        if (arbiter != null
                && side.state() == CopyState.IN_SYNC
                && !arbiter.inSync().contains(side.self())) {
            side.superblock.change(durable -> durable.withState(CopyState.STALE), this::doNothing);
        }
    }

    private void doNothing() {}

    private void decideIdle(ArbiterRecord arbiter, long readToken) {
        Superblock durable = side.superblock.durable();
        if (copyFailed || follower != null || attach != null) {
            return;
        }
        if (durable.maxEpochSeen().fences(arbiter.epoch())) {
            trouble(
                    Problem.Kind.ARBITER_ROLLBACK,
                    "this copy has seen epoch " + durable.maxEpochSeen() + ", the record says " + arbiter.epoch());
            return;
        }
        if (arbiter.active().equals(side.self())) {
            startIfPossible();
            return;
        }
        if (!side.guest.dead()) {
            side.guest.kill();
        }
        outdateIfUnlisted();
        boolean listed = arbiter.inSync().contains(side.self()) || !side.rules.promotesOnlyInSync();
        if (mayStand() && listed && candidacy.mayDecideOn(readToken)) {
            side.desk.wish(CasDesk.Kind.PROMOTE, side.self(), new TreeSet<>(List.of(side.self())));
        } else if (candidacy.due()) {
            candidacy.asked();
        }
    }

    private void startIfPossible() {
        ArbiterRecord arbiter = side.desk.known();
        if (arbiter == null) {
            return;
        }
        boolean listed = arbiter.inSync().contains(side.self());
        boolean fresh = arbiter.epoch().equals(ArbiterRecord.PROVISIONED)
                && arbiter.inSync().size() == 1;
        if (side.state() == CopyState.BLANK && fresh && listed) {
            format();
        } else if (side.state() == CopyState.IN_SYNC && listed) {
            boolean clean = handedOverEpoch == arbiter.epoch().value();
            Lead starting = new Lead(side, clean ? Effect.StartCause.HANDED_OVER : Effect.StartCause.STARTED);
            if (clean) {
                starting.followed().handedOverClean(arbiter.epoch().next().value());
            }
            lead = starting;
            starting.start();
            side.publish();
        } else {
            side.problems.raise(
                    Problem.Kind.DISK_LOST,
                    "The record of epoch " + arbiter.epoch() + " names this copy active, but its disks are "
                            + side.state()
                            + ": nothing is formatted or started. Bring the volume back, or force a start from another copy.",
                    Map.of(
                            "epoch",
                            arbiter.epoch().toString(),
                            "state",
                            side.state().name()));
        }
    }

    /** Nothing was ever acknowledged under the provisioned epoch: a blank disk is right. Durable before the epoch rises. */
    private void format() {
        long word = side.words.next();
        String uid = side.desk.uid();
        side.superblock.change(
                durable -> new Superblock(
                        durable.machineUid(),
                        uid,
                        durable.copy(),
                        CopyState.IN_SYNC,
                        ArbiterRecord.PROVISIONED,
                        ArbiterRecord.PROVISIONED,
                        new Lineage(word, 0, List.of()),
                        false),
                this::startIfPossible);
    }

    @Override
    public void trouble(Problem.@Nullable Kind kind, String why) {
        if (kind == null) {
            side.problems.clear(Problem.Kind.ARBITER_UNREACHABLE);
            side.problems.clear(Problem.Kind.ARBITER_LOST);
            side.problems.clear(Problem.Kind.ARBITER_MALFORMED);
            return;
        }
        side.problems.raise(kind, ArbiterTrouble.sentence(kind, why), Map.of());
        side.publish();
    }

    @Override
    public void notSent(CasDesk.Kind kind) {
        switch (kind) {
            case PROMOTE -> {
                side.desk.withdraw();
                candidacy.asked();
            }
            case GROW, KEEP -> side.desk.withdraw();
            case HAND_OVER -> {
                side.desk.withdraw();
                ifLeading(l -> l.handOver().lost("the arbiter can not be reached"));
            }
            case START, SHRINK, FAIL_OVER -> {}
        }
        ifLeading(Lead::serveIfAllowed);
    }

    // -------------------------------------------------------------------------------------------------------- link,
    // messages

    private void linkDown(Event.LinkDown down) {
        Link link = side.links.get(down.peer());
        if (link == null || down.cause() == Event.LinkDown.Cause.CLOSED_HERE) {
            return;
        }
        side.links.remove(down.peer());
        forgetLink(link, down.cause() == Event.LinkDown.Cause.CLOSED_BY_PEER);
    }

    private void forgetLink(Link link, boolean processEnded) {
        if (link == attachFrom) {
            attach = null;
            attachFrom = null;
        }
        ifLeading(l -> l.followed().linkDown(link));
        Follower following = follower;
        if (following != null && following.link == link) {
            loseLead(link, processEnded);
        }
    }

    private void loseLead(Link link, boolean processEnded) {
        Follower following = follower;
        if (following != null && following.link == link) {
            following.end();
            follower = null;
            candidacy.lost(processEnded);
            side.publish();
        }
    }

    private void received(Event.MessageReceived received) {
        Link link = side.links.get(received.peer());
        if (link == null) {
            return;
        }
        Message message = received.message();
        if (message instanceof Message.Hello hello) {
            if (greetings.hello(link, hello)) {
                ifLeading(l -> l.followed().attachIfPossible());
            }
            return;
        }
        if (link.session() == 0) {
            side.drop(link, "a frame before hello");
            forgetLink(link, false);
            return;
        }
        Lead leading = lead;
        if (leading != null) {
            toLead(leading, link, message);
        } else {
            toFollower(link, message);
        }
    }

    private void toLead(Lead leading, Link link, Message message) {
        Followed followed = leading.followed();
        switch (message) {
            case Message.Attached m -> followed.attached(link, m);
            case Message.Refused m -> followed.refused(link, m);
            case Message.WriteAck m -> followed.writeAcknowledged(link, m);
            case Message.FlushAck m -> followed.flushAcknowledged(link, m);
            case Message.HashReply m -> followed.hashed(link, m);
            case Message.Nack m -> followed.failed(link, m);
            case Message.Sealed m -> followed.sealed(link, m);
            case Message.Outdated m -> followed.outdated(link, m);
            case Message.Goodbye m -> followed.goodbye(link);
            case Message.Attach m -> {
                side.send(link, new Message.Refused(leading.epoch(), link.session(), "I lead"));
                if (m.epoch() > leading.epoch()) {
                    side.desk.readAfresh();
                }
            }
            case Message.Hello m -> {}
            case Message.Write m -> {}
            case Message.Flush m -> {}
            case Message.HashRequest m -> {}
            case Message.ResyncData m -> {}
            case Message.Seal m -> {}
            case Message.Outdate m -> {}
            case Message.EpochChanged m -> {}
            case Message.HandedOver m -> {}
        }
    }

    private void toFollower(Link link, Message message) {
        Follower following = follower;
        switch (message) {
            case Message.Attach m -> attach(link, m);
            case Message.HandedOver m -> handedOver(link, m);
            case Message.Goodbye m -> loseLead(link, true);
            default -> {
                if (following != null) {
                    toFollower(following, link, message);
                }
            }
        }
    }

    private static void toFollower(Follower following, Link link, Message message) {
        switch (message) {
            case Message.Write m -> following.write(link, m);
            case Message.Flush m -> following.flush(link, m);
            case Message.HashRequest m -> following.hash(link, m);
            case Message.ResyncData m -> following.resyncData(link, m);
            case Message.Seal m -> following.seal(link, m);
            case Message.Outdate m -> following.outdate(link, m);
            case Message.EpochChanged m -> following.epochChanged(link, m);
            default -> {}
        }
    }

    private void handedOver(Link link, Message.HandedOver m) {
        Follower following = follower;
        if (following != null && following.link == link && m.session() == link.session()) {
            following.end();
            follower = null;
            candidacy.lost(true);
            handedOverEpoch = m.clean() ? m.epoch() : -1;
            side.desk.readAfresh();
        }
    }

    private void attach(Link link, Message.Attach m) {
        if (m.session() != link.session()) {
            return;
        }
        String refusal = refusal(m);
        if (!refusal.isEmpty()) {
            long highest = Math.max(side.superblock.durable().maxEpochSeen().value(), knownEpoch());
            side.send(link, new Message.Refused(highest, link.session(), refusal));
            return;
        }
        Follower before = follower;
        if (before != null) {
            before.end();
            follower = null;
            candidacy.lost(false);
        }
        attach = m;
        attachFrom = link;
        attaching = false;
        attachIfReady();
    }

    private String refusal(Message.Attach m) {
        if (copyFailed || side.state() == CopyState.FAILED) {
            return "this copy failed";
        }
        if (stopping) {
            return "this mirror is stopping";
        }
        if (side.desk.inDoubt()) {
            return "a promotion is in doubt";
        }
        if (m.epoch() < knownEpoch()
                || m.epoch() < side.superblock.durable().maxEpochSeen().value()) {
            return "a higher epoch is known";
        }
        boolean asInSync = m.kind() != Message.AttachKind.RESYNC;
        return asInSync && side.state() != CopyState.IN_SYNC ? "this copy is " + side.state() : "";
    }

    private long knownEpoch() {
        ArbiterRecord arbiter = side.desk.known();
        return arbiter == null ? 0 : arbiter.epoch().value();
    }

    /** Follows when no guest can run here, no older write can land late, and what must be durable first is. */
    private void attachIfReady() {
        Message.Attach wanted = attach;
        Link from = attachFrom;
        if (wanted == null || from == null || attaching || !side.localWrites.none()) {
            return;
        }
        if (!side.guest.dead()) {
            side.guest.kill();
            return;
        }
        attaching = true;
        boolean fill = wanted.kind() == Message.AttachKind.RESYNC;
        String uid = side.desk.uid();
        side.superblock.change(
                durable -> {
                    Superblock next = durable.seen(new Epoch(wanted.epoch())).pinned(uid);
                    return fill ? next.withState(CopyState.SYNCING) : next;
                },
                () -> follow(wanted, from));
    }

    private void follow(Message.Attach wanted, Link from) {
        if (attach != wanted || lead != null) {
            return;
        }
        attach = null;
        attachFrom = null;
        attaching = false;
        follower = new Follower(side, from, wanted.epoch());
        candidacy.granting();
        side.out.emit(new Effect.SetBeacons(from.peer, from.session(), true));
        side.send(from, new Message.Attached(wanted.epoch(), from.session()));
        if (wanted.kind() != Message.AttachKind.RESYNC) {
            side.out.emit(new Effect.PrepareStandbyGuest());
        }
        side.publish();
    }

    private void beacon(Event.BeaconHeard beacon) {
        Follower following = follower;
        if (following != null && beacon.session() == following.link.session()) {
            candidacy.heard(beacon.receivedAt());
        }
        ifLeading(l -> l.followed().beacon(beacon));
    }

    // ----------------------------------------------------------------------------------------------------------- local
    // store

    private void read(Event.ReadReceived read) {
        Lead leading = lead;
        if (leading != null) {
            leading.io().read(read);
        } else if (side.guest.dead()) {
            // A prepared guest probes its disks while it is paused; nothing it sees leaves this host.
            long io = side.out.token();
            standbyReads.put(io, read.request());
            side.out.emit(new Effect.ReadLocal(io, read.request(), read.disk(), read.offset(), read.length()));
        } else {
            side.held.add(read);
        }
    }

    private void localDone(long io) {
        Long probe = standbyReads.remove(io);
        if (probe != null) {
            side.out.emit(new Effect.ReplyToGuest(probe, 0));
            return;
        }
        Lead leading = lead;
        if (leading != null && leading.io().localDone(io)) {
            return;
        }
        Follower following = follower;
        if (following != null) {
            following.localDone(io);
        }
    }

    private void flushDone(long io) {
        if (stopFlushes.remove(io)) {
            if (stopFlushes.isEmpty()) {
                side.superblock.change(Superblock::cleanly, () -> side.out.emit(new Effect.ReadyToExit()));
            }
            return;
        }
        Lead leading = lead;
        if (leading == null || !leading.io().flushes().localDone(io)) {
            localDone(io);
        }
    }

    private void hashed(Event.LocalHashed hashed) {
        Lead leading = lead;
        Follower following = follower;
        if (leading != null && leading.followed().resync() != null) {
            leading.followed().resync().hashed(hashed);
        } else if (following != null) {
            following.hashed(hashed);
        }
    }

    private void failed(Event.LocalFailed failed) {
        Lead leading = lead;
        Follower following = follower;
        if (failed.kind() == Event.LocalFailed.Kind.WRITE) {
            side.localWrites.ended();
        }
        Long probe = standbyReads.remove(failed.io());
        if (probe != null) {
            side.out.emit(new Effect.ReplyToGuest(probe, failed.errno()));
            return;
        }
        String what = failed.kind() + ", errno " + failed.errno();
        if (leading != null) {
            boolean read = failed.kind() == Event.LocalFailed.Kind.READ;
            if (read
                    && leading.followed().resync() != null
                    && leading.followed().resync().owns(failed.io())) {
                leading.followed().lose("a chunk can not be read here: " + what);
            } else if (!read || !leading.alone()) {
                leading.failDisk(what);
            } else {
                leading.io().failRead(failed.io());
            }
        } else {
            failCopy(following, failed, what);
        }
        attachIfReady();
    }

    private void failCopy(@Nullable Follower following, Event.LocalFailed failed, String what) {
        if (following != null) {
            following.failed(failed);
        }
        if (failed.kind() != Event.LocalFailed.Kind.READ) {
            copyFailed = true;
            side.problems.raise(
                    Problem.Kind.DISK_FAILED,
                    "This copy's device failed (" + what + "); the copy is out. Replace the volume.",
                    Map.of("copy", side.self().value()));
            side.superblock.change(durable -> durable.withState(CopyState.FAILED), this::doNothing);
            side.publish();
        }
    }

    private void chunkUnreadable(Event.ChunkUnreadable unreadable) {
        ifLeading(l -> l.followed().lose("chunk of frame " + unreadable.seq() + " can not be read here"));
    }

    // ----------------------------------------------------------------------------------------------------------------
    // orders

    private void handOver(Event.HandOverRequested order) {
        Lead leading = lead;
        if (leading == null) {
            side.out.emit(new Effect.OrderEnded(Effect.Order.HAND_OVER, "this side does not lead"));
        } else {
            leading.handOver().request(order.to());
        }
    }

    private void leave(Event.LeaveRequested order) {
        Lead leading = lead;
        if (leading == null || !leading.ready()) {
            side.out.emit(new Effect.OrderEnded(Effect.Order.LEAVE, "this side does not lead"));
        } else if (order.copy().equals(side.self())) {
            side.out.emit(
                    new Effect.OrderEnded(Effect.Order.LEAVE, "the active can not leave; hand the guest over first"));
        } else {
            leading.followed().leave(order.copy());
        }
    }

    CoreView view() {
        return Views.of(side, role(), Optional.ofNullable(lead), Optional.ofNullable(follower));
    }
}
