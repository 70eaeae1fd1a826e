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
        Long probe = standbyReads.remove(io);
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
        String what = failed.kind() + ", errno " + failed.errno();
        if (leading != null) {
            boolean read = failed.kind() == Event.LocalFailed.Kind.READ;
            if (read
                    && leading.followed().joining().resync() != null
                    && leading.followed().joining().resync().owns(failed.io())) {
                leading.followed().lose("a chunk can not be read here: " + what);
            } else if (!read || !leading.alone()) {
                leading.failDisk(what);
            } else {
                leading.io().failRead(failed.io());
            }
        } else {
            failCopy(following, failed, what);
        }
        at.following.attachIfReady();
    }

    private void failCopy(@Nullable Follower following, Event.LocalFailed failed, String what) {
        if (following != null) {
            following.failed(failed);
        }
        if (failed.kind() != Event.LocalFailed.Kind.READ) {
            at.copyFailed = true;
            side.problems.raise(
                    Problem.Kind.DISK_FAILED,
                    "This copy's device failed (" + what + "); the copy is out. Replace the volume.",
                    Map.of("copy", side.self().value()));
            side.superblock.change(durable -> durable.withState(CopyState.FAILED), () -> {});
            side.publish();
        }
    }

    void chunkUnreadable(Event.ChunkUnreadable unreadable) {
        at.ifLeading(l -> l.followed().lose("chunk of frame " + unreadable.seq() + " can not be read here"));
    }
}
