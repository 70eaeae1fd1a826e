package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;

/** What all roles of this side share. */
final class Side {
    final CoreConfig config;
    final Outbox out;
    final Rules rules;
    final Words words;
    final ProblemBoard problems;
    final LocalWrites localWrites = new LocalWrites();
    final HeldRequests held = new HeldRequests();
    final Guest guest;
    /** Live links by peer; sorted, so that the same events always give the same effects. */
    final TreeMap<CopyId, Link> links = new TreeMap<>();

    final CasDesk desk;
    final DiskSizes sizes;
    final RoomDesk room;
    final SuperblockDesk superblock;
    /** Activity log and bitmap as last persisted by an earlier leadership of this copy; empty once it was sealed. */
    List<Extent> foundHot;

    List<DirtyMask> foundDirty;

    /** The last verification that this life began, as of its end; absent while there was none. */
    Optional<VerifyRun> lastVerify = Optional.empty();

    private boolean diskFailed;
    /** How many changes to STALE are on their way to the disk. */
    private int outdating;

    Side(CoreConfig config, Outbox out, Rules rules, Event.Started started, CasDesk.Listener listener) {
        this.config = config;
        this.out = out;
        this.rules = rules;
        this.words = new Words(config.life());
        this.problems = new ProblemBoard(out);
        this.guest = new Guest(out);
        Superblock found = started.superblock()
                .orElseGet(() -> new Superblock(
                        config.machineUid(),
                        "",
                        config.self(),
                        CopyState.BLANK,
                        dev.pairvm.api.mirror.Epoch.NONE,
                        dev.pairvm.api.mirror.Epoch.NONE,
                        Lineage.BLANK,
                        false));
        this.sizes = new DiskSizes(config.diskBytes());
        this.room = new RoomDesk(out, sizes);
        this.superblock = new SuperblockDesk(out, found, sizes);
        this.desk = new CasDesk(
                config, out, rules, listener, () -> superblock.durable().arbiterUid());
        this.foundHot = started.hot();
        this.foundDirty = started.dirty();
        if (started.guestAlive()) {
            guest.foundAlive();
        }
    }

    CopyId self() {
        return config.self();
    }

    /**
     * What this copy is worth: its durable state, or FAILED from the moment its device failed, for that can often not be written; or STALE
     * from the moment that it shall be, for a copy that became the active meanwhile would find itself worth nothing.
     */
    CopyState state() {
        CopyState durable = superblock.durable().state();
        if (diskFailed) {
            return CopyState.FAILED;
        }
        return outdating > 0 && durable == CopyState.IN_SYNC ? CopyState.STALE : durable;
    }

    /** This copy has missed something, or may have; {@code then} runs when it durably says so. */
    void outdate(Runnable then) {
        outdating++;
        superblock.change(durable -> durable.withState(CopyState.STALE), () -> {
            outdating--;
            then.run();
        });
    }

    /** This copy is out, for the rest of its days if the device still takes that down, else for this life. */
    void failDisk(DiskFault fault) {
        diskFailed = true;
        Problem problem = fault.problem(self());
        problems.raise(problem.kind(), problem.message(), problem.facts());
        superblock.change(durable -> durable.withState(CopyState.FAILED), () -> {});
    }

    /** The highest epoch that record or superblock tell of. */
    long highestEpoch() {
        ArbiterRecord known = desk.known();
        long recorded = known == null ? 0 : known.epoch().value();
        return Math.max(superblock.durable().maxEpochSeen().value(), recorded);
    }

    void send(Link link, Message message) {
        out.emit(new Effect.Send(link.peer, message));
    }

    void publish() {
        out.emit(new Effect.PublishView());
    }

    /** Closes the link; a new one starts with a fresh hello. */
    void drop(Link link, String why) {
        if (links.remove(link.peer, link)) {
            out.emit(new Effect.DropLink(link.peer, why));
        }
    }
}
