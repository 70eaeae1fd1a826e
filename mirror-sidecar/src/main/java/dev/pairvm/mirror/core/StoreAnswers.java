package dev.pairvm.mirror.core;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the local store answers, handed to the one who asked; and what follows when it fails. */
final class StoreAnswers {
    private final Side side;
    private final Standing at;
    private final Map<Long, Long> standbyReads = new HashMap<>();

    StoreAnswers(Side side, Standing at) {
        this.side = side;
        this.at = at;
    }

    void read(Event.ReadReceived read) {
        Lead leading = at.lead;
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

    void localDone(long io) {
        Long probe = standbyReads.isEmpty() ? null : standbyReads.remove(io); // no boxing where nobody probes
        if (probe != null) {
            side.out.emit(new Effect.ReplyToGuest(probe, 0));
            return;
        }
        Lead leading = at.lead;
        if (leading != null && leading.io().localDone(io)) {
            return;
        }
        Follower following = at.follower;
        if (following != null) {
            following.localDone(io);
        }
    }

    void flushDone(long io) {
        if (at.stopFlushed(io)) {
            return;
        }
        Lead leading = at.lead;
        if (leading == null || !leading.io().flushes().localDone(io)) {
            localDone(io);
        }
    }

    void hashed(Event.LocalHashed hashed) {
        Lead leading = at.lead;
        Follower following = at.follower;
        if (leading != null && leading.verify().hashed(hashed)) {
            return;
        }
        if (leading != null && leading.followed().joining().resync() != null) {
            leading.followed().joining().resync().hashed(hashed);
        } else if (following != null) {
            following.hashed(hashed);
        }
    }

    void hashed(Event.PiecesHashed hashed) {
        Lead leading = at.lead;
        Follower following = at.follower;
        if (leading != null && leading.followed().joining().resync() != null) {
            leading.followed().joining().resync().hashed(hashed);
        } else if (following != null) {
            following.hashed(hashed);
        }
    }

    void failed(Event.LocalFailed failed) {
        Lead leading = at.lead;
        Follower following = at.follower;
        if (failed.kind() == Event.LocalFailed.Kind.WRITE) {
            side.localWrites.ended();
        }
        Long probe = standbyReads.remove(failed.io());
        if (probe != null) {
            side.out.emit(new Effect.ReplyToGuest(probe, failed.errno()));
            return;
        }
        DiskFault fault = DiskFault.of(failed);
        if (leading != null) {
            failed(leading, failed, fault);
        } else {
            failCopy(following, failed, fault);
        }
        if (at.stopping && side.state() == CopyState.FAILED) {
            side.out.emit(new Effect.ReadyToExit());
        }
        at.following.attachIfReady();
    }

    private static void failed(Lead leading, Event.LocalFailed failed, DiskFault fault) {
        if (failed.kind() != Event.LocalFailed.Kind.READ) {
            leading.disk().fail(fault);
            leading.io().repairFailed(failed.io());
        } else if (leading.followed().joining().resync() != null
                && leading.followed().joining().resync().owns(failed.io())) {
            unreadable(leading, fault);
        } else if (!leading.verify().canNotRead(failed.io())) {
            leading.io().readFailed(failed.io(), () -> leading.disk().fail(fault));
        }
    }

    /**
     * The lead can not read what it compares. A peer in sync has all of it and this side has not served yet, so that copy is the better one:
     * the guest starts there. One that is being filled can not be given what nobody has; it is tried again later, not at once.
     */
    private static void unreadable(Lead leading, DiskFault fault) {
        if (!leading.ready() && leading.inSyncLink() != null) {
            leading.disk().fail(fault);
        } else {
            leading.followed().postpone("a chunk can not be read here: " + fault.sentence());
        }
    }

    private void failCopy(@Nullable Follower following, Event.LocalFailed failed, DiskFault fault) {
        if (following != null) {
            following.failed(failed);
        }
        if (failed.kind() != Event.LocalFailed.Kind.READ) {
            at.copyFailed = true;
            side.failDisk(fault);
            side.publish();
        }
    }

    void chunkUnreadable(Event.ChunkUnreadable unreadable) {
        var fault = new DiskFault(Event.LocalFailed.Kind.READ, unreadable.errno(), Event.LocalFailed.NO_DISK);
        at.ifLeading(l -> unreadable(l, fault));
    }
}
