package dev.pairvm.mirror.core;

import java.util.ArrayDeque;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Persists superblocks one at a time; what depends on one runs when it is durable. */
final class SuperblockDesk {
    /** {@code sizes} absent: as they are. */
    private record Change(
            UnaryOperator<Superblock> change, @Nullable Supplier<List<Long>> sizes, Runnable then) {}

    private final Outbox out;
    private final ArrayDeque<Change> waiting = new ArrayDeque<>();
    private final DiskSizes sizes;
    private Superblock durable;
    private @Nullable Superblock writing;
    private List<Long> writingSizes = List.of();
    private @Nullable Runnable then;
    private long token;

    /** {@code sizes} become what is durable. */
    SuperblockDesk(Outbox out, Superblock found, DiskSizes sizes) {
        this.out = out;
        this.durable = found;
        this.sizes = sizes;
    }

    /** The superblock that is durable now. */
    Superblock durable() {
        return durable;
    }

    /** Changes the superblock; {@code then} runs when it is durable, at once if nothing changes. */
    void change(UnaryOperator<Superblock> change, Runnable next) {
        waiting.add(new Change(change, null, next));
        pump();
    }

    /** The same with the disks' sizes beside it, in one and the same write; asked for when its turn comes. */
    void change(UnaryOperator<Superblock> change, Supplier<List<Long>> diskBytes, Runnable next) {
        waiting.add(new Change(change, diskBytes, next));
        pump();
    }

    /** Whether the token was this desk's. */
    boolean persisted(long answered) {
        if (answered != token || writing == null || then == null) {
            return false;
        }
        durable = writing;
        resized(writingSizes);
        Runnable next = then;
        writing = null;
        then = null;
        next.run();
        pump();
        return true;
    }

    boolean owns(long answered) {
        return writing != null && answered == token;
    }

    private void resized(List<Long> now) {
        List<Long> before = sizes.all();
        sizes.become(now);
        for (int disk = 0; disk < now.size(); disk++) {
            if (!now.get(disk).equals(before.get(disk))) {
                out.emit(new Effect.DiskResized(disk, now.get(disk)));
            }
        }
    }

    private void pump() {
        while (writing == null && !waiting.isEmpty()) {
            Change next = waiting.remove();
            Superblock wanted = next.change().apply(durable);
            List<Long> bytes = next.sizes() == null ? sizes.all() : next.sizes().get();
            if (wanted.equals(durable) && bytes.equals(sizes.all())) {
                next.then().run();
            } else {
                writing = wanted;
                writingSizes = bytes;
                then = next.then();
                token = out.token();
                out.emit(new Effect.PersistSuperblock(token, wanted, bytes));
            }
        }
    }
}
