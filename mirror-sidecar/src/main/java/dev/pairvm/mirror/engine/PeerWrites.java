package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.nbd.NbdClient;
import io.netty.buffer.ByteBuf;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The way of the active's writes on this side: into the store, or through the NBD server inside the twin's QEMU (level 3), which keeps
 * what it overwrites, so that the twin can go back to the last checkpoint, and then writes into the same store. On the event loop.
 *
 * <pre>
 *            through                    back, hold
 *  STORE ──────────────► TWIN ───────────────────────────► HELD
 *    ▲                     │ cut                             │ back: all answered; resume: the twin is dead
 *    └─────────────────────┴─────────────────────────────────┘
 * </pre>
 *
 * <p>Safety: (1) every write is answered once, and as done only when it is in the store, unless {@link #cut} says that its sender counts
 * for nothing any more. (2) A write whose way through the twin broke is written again, but not before {@link #resume}: until the twin is
 * dead and nothing of it is under way to the store, an older write could land on top of it.
 */
final class PeerWrites {
    /** A twin that keeps a write for so long is as good as dead; a checkpoint keeps it for some tens of milliseconds. */
    static final long STUCK_NANOS = 1_000_000_000L;

    /** One write of the lead. */
    interface Write {
        int disk();

        long offset();

        int length();

        boolean fua();

        /** Null for zeroes. */
        @Nullable
        ByteBuf payload();

        /** Writes it into the store; {@link PeerWrites#stored} follows. */
        void store();

        /** It ended another way: 0, or an errno. */
        void ended(int errno);
    }

    private enum Way {
        STORE,
        TWIN,
        HELD
    }

    /** On its way through the twin. Not a record: each is itself. */
    private static final class Sent {
        final Write write;
        final long since;

        Sent(Write write, long since) {
            this.write = write;
            this.since = since;
        }
    }

    private final LongSupplier nanos;
    private Way way = Way.STORE;
    private List<NbdClient> clients = List.of();
    private Consumer<String> broken = why -> {};
    private int storing;
    private @Nullable Runnable whenStored;
    private @Nullable Runnable whenBack;
    private final Set<Sent> sent = new LinkedHashSet<>();
    private final ArrayDeque<Write> held = new ArrayDeque<>();

    PeerWrites(LongSupplier nanos) {
        this.nanos = nanos;
    }

    void begin(Write write) {
        switch (way) {
            case STORE -> store(write);
            case TWIN -> send(write);
            case HELD -> held.add(write);
        }
    }

    private void store(Write write) {
        storing++;
        write.store();
    }

    /** A write that {@link Write#store} began has ended. */
    void stored() {
        storing--;
        Runnable waiting = whenStored;
        if (storing == 0 && waiting != null) {
            whenStored = null;
            waiting.run();
        }
    }

    /**
     * From now through the twin.
     *
     * @param exports one per disk, in their order
     * @param broken told why, once, if the way breaks by itself; what follows is {@link #hold}, and {@link #resume} or {@link #cut}
     * @param then run when every write that went into the store directly has ended there
     */
    void through(List<NbdClient> exports, Consumer<String> broken, Runnable then) {
        if (way != Way.STORE) {
            throw new IllegalStateException("the writes of the active do not go into the store now: " + way);
        }
        way = Way.TWIN;
        clients = List.copyOf(exports);
        this.broken = broken;
        clients.forEach(client -> client.onEnd(() -> breaks("the twin's QEMU closed its disks")));
        if (storing == 0) {
            then.run();
        } else {
            whenStored = then;
        }
    }

    private void breaks(String why) {
        if (way == Way.TWIN || whenBack != null) {
            Consumer<String> told = broken;
            broken = again -> {};
            told.accept(why);
        }
    }

    private void send(Write write) {
        Sent one = new Sent(write, nanos.getAsLong());
        sent.add(one);
        NbdClient client = clients.get(write.disk());
        ByteBuf payload = write.payload();
        if (payload == null) {
            client.zero(write.offset(), write.length(), write.fua(), errno -> answered(one, errno));
        } else {
            client.write(write.offset(), payload, write.fua(), errno -> answered(one, errno));
        }
    }

    private void answered(Sent one, int errno) {
        if (errno != NbdClient.GONE && sent.remove(one)) {
            one.write.ended(errno);
            backIfAnswered();
        }
    }

    /** Whether a write waits for the twin longer than any living one takes. */
    void watch() {
        for (Sent oldest : sent) {
            if (nanos.getAsLong() - oldest.since > STUCK_NANOS) {
                breaks("the twin's QEMU has not answered a write for " + STUCK_NANOS / 1_000_000 + " ms");
            }
            return;
        }
    }

    /** Back into the store, the twin being alive: {@code then} runs when nothing is under way through it. If it breaks, {@code broken} hears. */
    void back(Runnable then) {
        if (way == Way.STORE) {
            then.run();
        } else {
            way = Way.HELD;
            whenBack = then;
            backIfAnswered();
        }
    }

    private void backIfAnswered() {
        Runnable then = whenBack;
        if (then != null && sent.isEmpty()) {
            whenBack = null;
            resume();
            then.run();
        }
    }

    /** The way through the twin is broken; writes wait. */
    void hold() {
        if (way == Way.TWIN) {
            way = Way.HELD;
        }
        whenBack = null;
        close();
    }

    /** Into the store from now, first what waits, in its order. Before: no twin is alive, or nothing of the active's is under way through it. */
    void resume() {
        close();
        way = Way.STORE;
        List<Write> waiting = new ArrayList<>();
        sent.forEach(one -> waiting.add(one.write));
        waiting.addAll(held);
        sent.clear();
        held.clear();
        waiting.forEach(this::store);
    }

    /** The active counts for nothing any more: what it still had under way is answered, without being written. */
    void cut() {
        whenBack = null;
        close();
        way = Way.STORE;
        List<Write> dropped = new ArrayList<>();
        sent.forEach(one -> dropped.add(one.write));
        dropped.addAll(held);
        sent.clear();
        held.clear();
        dropped.forEach(write -> write.ended(0));
    }

    private void close() {
        List<NbdClient> closing = clients;
        clients = List.of();
        broken = why -> {};
        closing.forEach(NbdClient::close);
    }

    /** How long a return into the store may wait for the twin's answers. */
    static final Duration BACK_LIMIT = Duration.ofMillis(500);
}
