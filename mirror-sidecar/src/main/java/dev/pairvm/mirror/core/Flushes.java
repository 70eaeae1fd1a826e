package dev.pairvm.mirror.core;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Group commit: per disk one flush at a time, local and at the peer beside each other; all that arrive meanwhile share the next. A
 * flush begun after it was asked for covers every write that was replied to before.
 */
final class Flushes {
    private static final class Batch {
        final int disk;
        final List<Runnable> then;
        long io;
        long seq;
        long sentAt;
        long localSince;
        boolean localDone;
        boolean peerDone;

        Batch(int disk, List<Runnable> then) {
            this.disk = disk;
            this.then = then;
        }
    }

    private final Outbox out;
    private final Rules rules;
    private final GuestIo io;
    private final ActivityLog log;
    private final List<List<Runnable>> waiting = new ArrayList<>();
    private final List<@Nullable Batch> running = new ArrayList<>();

    Flushes(int disks, Outbox out, Rules rules, GuestIo io, ActivityLog log) {
        this.out = out;
        this.rules = rules;
        this.io = io;
        this.log = log;
        for (int disk = 0; disk < disks; disk++) {
            waiting.add(new ArrayList<>());
            running.add(null);
        }
    }

    /** Runs {@code then} when everything replied to before is durable on every copy that counts. */
    void flush(int disk, Runnable then) {
        waiting.get(disk).add(then);
        if (running.get(disk) == null) {
            begin(disk);
        }
    }

    /** Like {@link #flush}, but a flush that already waits to begin will do. */
    void flushSoon(int disk) {
        if (running.get(disk) == null && waiting.get(disk).isEmpty()) {
            flush(disk, () -> {});
        }
    }

    private void begin(int disk) {
        Batch batch = new Batch(disk, new ArrayList<>(waiting.get(disk)));
        waiting.get(disk).clear();
        running.set(disk, batch);
        log.flushBegun(disk);
        send(batch);
        if (io.withoutDisk()) {
            batch.localDone = true;
        } else {
            batch.io = out.token();
            batch.localSince = out.wakingNanos();
            out.emit(new Effect.FlushLocal(batch.io, disk));
        }
    }

    /** The local copy is out, and the record says so: the peer's flush is all that counts. */
    void localDiskGone() {
        for (Batch batch : running) {
            if (batch != null) {
                batch.localDone = true;
            }
        }
    }

    private void send(Batch batch) {
        batch.seq = rules.flushesPeer() ? io.sendFlush(batch.disk) : 0;
        batch.sentAt = out.now();
        batch.peerDone = !rules.flushesPeer();
    }

    /** A follower has come: what it has not confirmed it gets again. */
    void attached() {
        for (Batch batch : running) {
            if (batch != null && !batch.peerDone) {
                send(batch);
            }
        }
    }

    /** A follower that is not in sync has come: what an earlier one confirmed does not count. */
    void forgetPeer() {
        for (Batch batch : running) {
            if (batch != null) {
                batch.peerDone = false;
            }
        }
    }

    boolean localDone(long token) {
        for (Batch batch : running) {
            if (batch != null && batch.io == token) {
                batch.localDone = true;
                finish(batch);
                return true;
            }
        }
        return false;
    }

    void peerDone(long seq) {
        for (Batch batch : running) {
            if (batch != null && batch.seq == seq) {
                batch.peerDone = true;
                finish(batch);
                return;
            }
        }
    }

    /** What counts has changed. */
    void reconsider() {
        for (int disk = 0; disk < running.size(); disk++) {
            Batch batch = running.get(disk);
            if (batch != null) {
                finish(batch);
            }
        }
    }

    private void finish(Batch batch) {
        if (batch.localDone && io.peerSatisfied(batch.peerDone) && running.get(batch.disk) == batch) {
            running.set(batch.disk, null);
            log.flushDone(batch.disk);
            batch.then.forEach(Runnable::run);
            if (!waiting.get(batch.disk).isEmpty() && running.get(batch.disk) == null) {
                begin(batch.disk);
            }
        }
    }

    /** A disk whose local flush began before this, by {@link Outbox#wakingNanos}, and has not ended; -1 if there is none. */
    int stuckDisk(long before) {
        for (Batch batch : running) {
            if (batch != null && !batch.localDone && batch.localSince < before) {
                return batch.disk;
            }
        }
        return -1;
    }

    /** Age in nanoseconds of the oldest flush that the follower has not confirmed, 0 if none. */
    long oldestUnconfirmed() {
        long age = 0;
        for (Batch batch : running) {
            if (batch != null && batch.seq != 0 && !batch.peerDone) {
                age = Math.max(age, out.now() - batch.sentAt);
            }
        }
        return age;
    }
}
