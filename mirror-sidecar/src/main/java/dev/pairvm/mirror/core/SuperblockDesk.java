package dev.pairvm.mirror.core;

import java.util.ArrayDeque;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Persists superblocks one at a time; what depends on one runs when it is durable. */
final class SuperblockDesk {
    private record Change(UnaryOperator<Superblock> change, Runnable then) {}

    private final Outbox out;
    private final ArrayDeque<Change> waiting = new ArrayDeque<>();
    private Superblock durable;
    private @Nullable Superblock writing;
    private @Nullable Runnable then;
    private long token;

    SuperblockDesk(Outbox out, Superblock found) {
        this.out = out;
        this.durable = found;
    }

    /** The superblock that is durable now. */
    Superblock durable() {
        return durable;
    }

    /** Changes the superblock; {@code then} runs when it is durable, at once if nothing changes. */
    void change(UnaryOperator<Superblock> change, Runnable next) {
        waiting.add(new Change(change, next));
        pump();
    }

    /** Whether the token was this desk's. */
    boolean persisted(long answered) {
        if (answered != token || writing == null || then == null) {
            return false;
        }
        durable = writing;
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

    private void pump() {
        while (writing == null && !waiting.isEmpty()) {
            Change next = waiting.remove();
            Superblock wanted = next.change().apply(durable);
            if (wanted.equals(durable)) {
                next.then().run();
            } else {
                writing = wanted;
                then = next.then();
                token = out.token();
                out.emit(new Effect.PersistSuperblock(token, wanted));
            }
        }
    }
}
