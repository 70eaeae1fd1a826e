package dev.pairvm.mirror.core;

import org.jspecify.annotations.Nullable;

/**
 * How a follower comes to hold everything: what differs is brought to this side's view, it seals itself, and the record lists it. Knows
 * also whether a follower whose link broke still holds everything.
 */
final class Joining {
    private final Side side;
    private final Lead lead;
    private final Followed followed;
    private @Nullable Resync resync;
    private long sealWord;
    private boolean sealed;
    private long completeLife;
    private long knownClean = -1;

    Joining(Side side, Lead lead, Followed followed) {
        this.side = side;
        this.lead = lead;
        this.followed = followed;
    }

    @Nullable
    Resync resync() {
        return resync;
    }

    long sealedAs() {
        return sealWord;
    }

    /** The guest was handed over in this epoch with nothing outstanding: the old active's log names nothing that differs. */
    void handedOverClean(long epoch) {
        knownClean = epoch;
    }

    /** Whether a copy of this lineage has the data of this side, but for what was not acknowledged. */
    boolean sameData(Message.Hello hello) {
        long word = hello.lineage().current();
        return hello.state() == CopyState.IN_SYNC
                && (word == lead.lineage().current() || sealWord != 0 && word == sealWord);
    }

    void attached(Link from, Message.AttachKind kind) {
        switch (kind) {
            case CONTINUE -> {
                sealed = !lead.known().inSync().contains(from.peer);
                lead.io().foreground().learn();
            }
            // The guest waits for the end of it: no cap.
            case RECONCILE -> begin(from, afterRestart(from), Long.MAX_VALUE);
            case RESYNC -> {
                sealed = false;
                begin(from, differences(from), side.config.resync().maxBytesPerSecond());
            }
        }
    }

    private void begin(Link from, DirtyMap todo, long cap) {
        ResyncPace pace = new ResyncPace(side.out, lead.io().foreground(), cap);
        Resync started = new Resync(side.out, side.rules, lead, from, todo, lead.dirty(), side.sizes, pace);
        resync = started;
        started.pump();
    }

    /** Something has happened: more may be begun, or the time has come for it. */
    void goOn() {
        Resync running = resync;
        if (running != null) {
            running.pump();
        }
    }

    private DirtyMap afterRestart(Link from) {
        DirtyMap todo = new DirtyMap(side.sizes);
        if (knownClean != lead.epoch() && side.rules.reconcilesBeforeServing()) {
            lead.io().log().hotExtents().forEach(todo::addExtent);
            addReturningLog(from, todo);
        }
        return todo;
    }

    /** The active's bitmap and the returning copy's log if it still has the data the bitmap is relative to; else everything. */
    private DirtyMap differences(Link from) {
        DirtyMap todo = new DirtyMap(side.sizes);
        Message.Hello hello = from.hello();
        long word = hello == null ? 0 : hello.lineage().current();
        boolean partial =
                word != 0 && lead.marksDirty() && (word == lead.lineage().base() || word == sealWord);
        if (partial) {
            todo.addAll(lead.dirty());
            addReturningLog(from, todo);
        } else {
            todo.addAll();
        }
        return todo;
    }

    private void addReturningLog(Link from, DirtyMap todo) {
        Message.Hello hello = from.hello();
        if (hello != null && side.rules.comparesReturningLog()) {
            hello.hot().stream()
                    .filter(extent -> extent.disk() < todo.disks() && extent.index() < todo.extents(extent.disk()))
                    .forEach(todo::addExtent);
        }
    }

    /** Everything is copied; now the follower makes it durable and says so of itself. */
    void seal() {
        Link to = followed.attachedLink();
        if (to == null) {
            return;
        }
        sealWord = side.words.next();
        if (side.rules.sealsBeforeGrow()) {
            side.send(to, new Message.Seal(lead.epoch(), to.session(), sealWord));
        } else {
            sealed = true;
        }
    }

    void sealed(Message.Sealed message) {
        if (message.lineage() == sealWord) {
            sealed = true;
            growIfPossible();
        }
    }

    void growIfPossible() {
        Link from = followed.attachedLink();
        if (sealed
                && from != null
                && lead.settled()
                && side.desk.wished() == null
                && side.desk.mayAsk()
                && !lead.known().inSync().contains(from.peer)
                && (!side.guest.uncommitted() || !side.rules.growsOnlyWhenCommitted())
                && followed.lease().holds()) {
            completed();
            lead.wishGrow(from.peer);
        }
    }

    /**
     * A shrink that got no answer while the peer was away can still be applied although the peer is back. Another change against the
     * same version, which keeps everything but the epoch, settles that.
     */
    void settleDoubt() {
        Link from = followed.attachedLink();
        if (from != null
                && lead.settled()
                && side.desk.inDoubt()
                && side.desk.wished() == null
                && side.desk.mayAsk()
                && lead.known().inSync().contains(from.peer)
                && !lead.handOver().deciding()) {
            side.desk.wish(CasDesk.Kind.KEEP, side.self(), lead.known().inSync());
        }
    }

    /** The follower holds everything: as long as it lives, its link may break and come back. */
    void completed() {
        lead.io().foreground().learn();
        Link from = followed.attachedLink();
        Message.Hello hello = from == null ? null : from.hello();
        completeLife = hello == null ? 0 : hello.life();
    }

    boolean isComplete(Link from) {
        Message.Hello hello = from.hello();
        return hello != null && (hello.life() == completeLife || !side.rules.distrustsNewLife());
    }

    /** A request was finished that no follower confirmed, or it is known to differ: whoever comes back is not complete any more. */
    void wentOnWithout() {
        completeLife = 0;
    }

    /** The record lists it. */
    void grown() {
        resync = null;
    }

    void lost() {
        Resync running = resync;
        resync = null;
        sealed = false;
        lead.io().foreground().ignore();
        if (running != null) {
            running.abandon();
        }
    }
}
