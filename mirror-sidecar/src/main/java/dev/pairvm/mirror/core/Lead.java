package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The side that the record names active, from its compare-and-swap to its end: recovers, serves, shrinks, fills and grows. Who
 * follows it is {@link Followed}'s matter, the guest's requests {@link GuestIo}'s.
 */
final class Lead {
    private final Side side;
    private final Effect.StartCause cause;
    private final DirtyMap dirty;
    private final GuestIo io;
    private final Followed followed;
    private final HandOver handOver;
    private final Verify verify;
    private final OwnDisk disk;
    private final Growth growth;
    private final Twin twin;
    /**
     * The others were out before this side led. If its own superblock does not know of that, it was a standby whose active served from it
     * without a disk: no log and no bitmap names what that active's copy has missed, so nobody is filled by halves.
     */
    private final boolean apart;

    private Lineage lineage;
    private Epoch epoch = Epoch.NONE;
    /** The record is known to name this side in {@link #epoch}. */
    private boolean elected;

    private boolean settling = true;
    private boolean ready;
    private boolean serving;
    private boolean started;

    private boolean over;
    private long awaitUntil;
    private long reconcileUntil;
    private long gateUntil;

    /**
     * A lead that still has to be elected.
     *
     * @param apart the record that it is elected from lists nobody but this side
     * @param twinWished whether the guest shall have a twin on the peer (level 3)
     */
    Lead(Side side, Effect.StartCause cause, boolean apart, boolean twinWished) {
        this.side = side;
        this.cause = cause;
        this.apart = apart;
        this.dirty = new DirtyMap(side.sizes);
        this.io = new GuestIo(side.config, side.sizes, side.out, side.rules, this, dirty, side.localWrites, side.held);
        this.followed = new Followed(side, this);
        this.handOver = new HandOver(side, this);
        this.disk = new OwnDisk(side, this);
        this.verify = new Verify(side, this);
        this.growth = new Growth(side, this);
        this.twin = new Twin(side, this, twinWished);
        this.lineage = side.superblock.durable().lineage();
        for (DirtyMask mask : side.foundDirty) {
            if (lineage.base() != 0) {
                dirty.add(mask.disk(), mask.index(), mask.mask());
            }
        }
        io.log().found(side.foundHot);
    }

    /** Every start of an active raises the epoch first: that fences its own earlier life and whatever that one left under way. */
    void start() {
        ArbiterRecord arbiter = known();
        side.desk.wish(CasDesk.Kind.START, side.self(), arbiter.inSync());
    }

    ArbiterRecord known() {
        ArbiterRecord arbiter = side.desk.known();
        if (arbiter == null) {
            throw new ProtocolBugException("a lead knows the record");
        }
        return arbiter;
    }

    // ---------------------------------------------------------------------------------------------------- what was
    // decided

    /** One of this side's changes was applied. */
    void won(CasDesk.Kind kind, ArbiterRecord arbiter) {
        epoch = arbiter.epoch();
        elected = true;
        // From here the record may list fewer: nothing is finished before the consequences are durable.
        settling = true;
        if (kind != CasDesk.Kind.HAND_OVER && kind != CasDesk.Kind.FAIL_OVER) {
            handOver.lost("the in-sync set changed meanwhile");
        }
        switch (kind) {
            case START -> settle(alone() ? this::outdatePeers : () -> {}, this::recover);
            case PROMOTE, SHRINK -> shrunk();
            case GROW -> grown(arbiter);
            case KEEP, RECORD_TWIN, WITHDRAW_TWIN -> {
                followed.tell(arbiter);
                settle(() -> {}, this::serveIfAllowed);
            }
            case WITHOUT_DISK -> servesFromPeer(arbiter);
            case HAND_OVER, FAIL_OVER, HAND_TO_TWIN -> throw new ProtocolBugException("handed over leads no more");
        }
        twin.recorded(arbiter);
        disk.won();
        side.publish();
    }

    /**
     * The peer's copy is the only one from here, by record: what it has acknowledged is acknowledged. Nothing of this side's need be
     * durable first, for its copy counts for nothing any more.
     */
    private void servesFromPeer(ArbiterRecord arbiter) {
        disk.isOut();
        followed.tell(arbiter);
        settle(() -> {}, () -> {
            io.localDiskGone();
            serveIfAllowed();
            if (serving) {
                io.open();
            }
        });
    }

    /**
     * Shrink, steps 3 to 5: what the lost peer does not durably have is dirty, then the superblock says that this data is now its
     * own branch, then replies flow.
     */
    private void shrunk() {
        settle(this::outdatePeers, () -> {
            ready = true;
            serveIfAllowed();
        });
        followed.lose("not in sync any more");
    }

    private void outdatePeers() {
        if (lineage.base() == 0) {
            lineage = apart && side.rules.distrustsOldData()
                    ? lineage.apart(side.words.next(), side.words.next())
                    : lineage.branch(side.words.next());
        }
        if (side.rules.remembersUnflushed()) {
            io.log().unflushedInto(dirty);
            io.inFlightInto(dirty);
        }
    }

    /** Join, steps 6 and 7. */
    private void grown(ArbiterRecord arbiter) {
        followed.grown(arbiter);
        dirty.clear();
        settle(() -> lineage = lineage.sealed(followed.joining().sealedAs()), () -> {
            // A shrink may have come in between: then the bitmap is in use again.
            if (lineage.base() == 0) {
                side.out.emit(
                        new Effect.ClearBookkeeping(side.out.token(), io.log().hotExtents()));
            }
            serveIfAllowed();
        });
    }

    private void settle(Runnable inMemory, Runnable then) {
        settling = true;
        inMemory.run();
        if (disk.failed()) {
            // What this copy says of itself no longer counts, and its device may take nothing more.
            settling = false;
            then.run();
            io.reconsider();
            followed.attachIfPossible();
            return;
        }
        Epoch at = epoch;
        Lineage data = lineage;
        side.superblock.change(durable -> durable.inSyncAt(at, data).pinned(side.desk.uid()), () -> {
            if (!over && at.equals(epoch)) {
                settling = false;
                then.run();
                io.reconsider();
                followed.attachIfPossible();
            }
        });
    }

    private void recover() {
        if (alone()) {
            ready = true;
            serveIfAllowed();
        } else {
            awaitUntil = side.out.after(side.config.waits().activeReturnsMillis());
            reconcileUntil = side.out.after(2L * side.config.waits().activeReturnsMillis());
            followed.attachIfPossible();
        }
    }

    /**
     * The follower has been brought to this side's view. Now both sides flush, disk by disk: what they were found equal in may be in a
     * cache only, also here (what this side received as a standby), and no activity log names it. Writes made meanwhile are hot.
     */
    void resynced(Resync done) {
        io.foreground().ignore();
        flushFrom(0, done);
    }

    private void flushFrom(int disk, Resync done) {
        if (followed.joining().resync() != done) {
            return;
        }
        if (disk < side.sizes.count()) {
            io.flushes().flush(disk, () -> flushFrom(disk + 1, done));
        } else if (ready) {
            followed.joining().seal();
        } else {
            io.log().forgetAll();
            side.out.emit(new Effect.ClearBookkeeping(side.out.token(), List.of()));
            ready = true;
            followed.joining().completed();
            serveIfAllowed();
        }
    }

    // ------------------------------------------------------------------------------------------------------- may I
    // serve

    /** Whether requests may begin and be answered: not while the record still counts a copy that has failed. */
    boolean serving() {
        return serving && (!disk.failed() || disk.out());
    }

    boolean diskFailed() {
        return disk.failed();
    }

    /** Whether the record says that this side's copy is out while it stays the active. */
    boolean withoutDisk() {
        return disk.out();
    }

    OwnDisk disk() {
        return disk;
    }

    /** Whether the record is known to name this side in its epoch. */
    boolean elected() {
        return elected;
    }

    /** The follower, if the record lists it in sync: it holds every acknowledged write. */
    @Nullable
    Link inSyncLink() {
        Link link = attachedLink();
        return link != null && known().inSync().contains(link.peer) ? link : null;
    }

    boolean ready() {
        return ready;
    }

    boolean settled() {
        return elected && !settling && !over && quiesced();
    }

    /** A write of an earlier role can still be on its way to the disk: nothing may be read, compared or served before it lands. */
    private boolean quiesced() {
        return started || side.localWrites.none();
    }

    long epoch() {
        return epoch.value();
    }

    Lineage lineage() {
        return lineage;
    }

    DirtyMap dirty() {
        return dirty;
    }

    GuestIo io() {
        return io;
    }

    Followed followed() {
        return followed;
    }

    HandOver handOver() {
        return handOver;
    }

    Verify verify() {
        return verify;
    }

    Growth growth() {
        return growth;
    }

    /** This side's disks became larger by what an earlier lead asked for: whoever follows may be smaller now. */
    void outgrew() {
        Link link = followed.link();
        if (link != null && link.smaller(side.sizes) >= 0) {
            followed.lose("its disks are smaller than this side's");
        }
    }

    Twin twin() {
        return twin;
    }

    @Nullable
    Link attachedLink() {
        return followed.attachedLink();
    }

    boolean marksDirty() {
        return lineage.base() != 0;
    }

    /** Other copies that the record may list in sync. */
    SortedSet<CopyId> others() {
        return side.desk.others();
    }

    boolean alone() {
        return others().isEmpty();
    }

    /** Whether a request may be finished that no other copy confirmed. If so, it is: a peer that comes back has missed it. */
    boolean acknowledgesAlone() {
        boolean may = alone() && !disk.failed() && (!settling || !side.rules.unconfirmedShrinkCounts());
        if (may) {
            followed.joining().wentOnWithout();
        }
        return may;
    }

    boolean hasLeave() {
        return alone() || !side.rules.needsLease() || followed.lease().holds();
    }

    /** Called whenever a condition may have come true. */
    void serveIfAllowed() {
        if (!ready
                || settling
                || disk.failed() && !disk.out()
                || over
                || handOver.deciding()
                || twin.deciding()
                || !hasLeave()
                || !quiesced()) {
            return;
        }
        if (!serving) {
            serving = true;
            renewGate();
            side.guest.run(epoch(), cause, !started);
            started = true;
            side.problems.clear(Problem.Kind.SUSPENDED);
            side.publish();
            io.open();
            followed.attachIfPossible();
        } else {
            renewGate();
        }
    }

    /** Keeps the gate open for the rest of the lease, or without end when nobody else can be promoted. */
    void renewGate() {
        boolean unbounded = alone() && side.desk.wished() != CasDesk.Kind.GROW;
        long until = unbounded ? Effect.RenewGate.ALONE : followed.lease().until();
        if (serving && until != gateUntil) {
            gateUntil = until;
            side.out.emit(new Effect.RenewGate(until));
        }
    }

    /** First thing in every step: an ended lease ends serving, whatever the step brings. */
    void checkLeave() {
        if (serving && !hasLeave()) {
            suspend("neither the peer nor the arbiter gives leave to go on");
        }
    }

    private void suspend(String why) {
        stopServing();
        side.guest.freeze();
        side.problems.raise(
                Problem.Kind.SUSPENDED,
                "The guest is frozen and its I/O held: " + why + ". It goes on by itself when either is back.",
                Map.of("epoch", epoch.toString()));
        side.publish();
    }

    /** Holds I/O and closes the gate. */
    void stopServing() {
        if (serving) {
            serving = false;
            gateUntil = 0;
            side.out.emit(new Effect.CloseGate());
        }
    }

    // --------------------------------------------------------------------------------------------------------- time,
    // faults

    void tick() {
        side.desk.tick();
        if (!settled()) {
            return;
        }
        followed.tick();
        disk.judge();
        io.hedge(LateReads.LATE_NANOS);
        growth.goOn();
        boolean waited = ready || side.out.now() >= awaitUntil;
        if (waited && !ready && attachedLink() != null && side.out.now() >= reconcileUntil) {
            followed.lose("comparing takes too long; it is filled while the guest runs instead");
            wishShrink();
        }
        if (!alone() && waited && followed.mayBeDropped() && !handOver.deciding()) {
            wishShrink();
        }
        if (!serving && ready) {
            side.desk.readOften();
        }
        serveIfAllowed();
        verify.tick();
        twin.tick();
    }

    /** Asks the arbiter to go on without the others. */
    void wishShrink() {
        if (side.desk.wished() != CasDesk.Kind.SHRINK && !disk.failed()) {
            side.desk.wish(CasDesk.Kind.SHRINK, side.self(), new TreeSet<>(java.util.Set.of(side.self())));
        }
    }

    /** Nobody else can be listed any more. */
    void forgetNeedlessShrink() {
        if (alone()) {
            side.desk.withdraw();
        }
    }

    /** Asks the arbiter to list the follower; from now it may be listed, so its lease is needed and the gate bounded first. */
    void wishGrow(CopyId joiner) {
        TreeSet<CopyId> both = new TreeSet<>(known().inSync());
        both.add(joiner);
        if (serving) {
            gateUntil = followed.lease().until();
            side.out.emit(new Effect.RenewGate(gateUntil));
        }
        side.desk.wish(CasDesk.Kind.GROW, side.self(), both);
    }

    /** The end of this leadership: another leads, or this side must begin again. */
    void end(boolean guestDies) {
        over = true;
        stopServing();
        verify.end();
        followed.release();
        side.foundHot = io.log().hotExtents();
        side.foundDirty = dirty.masks();
        if (guestDies) {
            io.drop();
        }
    }

    Role role() {
        if (!ready) {
            return Role.RECOVERING;
        }
        return serving ? Role.ACTIVE : Role.SUSPENDED;
    }
}
