package dev.pairvm.mirror.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Effect;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Message;
import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdReply;
import dev.pairvm.mirror.store.CopyStore;
import dev.pairvm.mirror.store.IoWorkers;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** In which order frames leave and local operations begin; the loop turns when the test says so. */
class StoreEffectsTest {
    private final ArrayDeque<Runnable> loop = new ArrayDeque<>();
    private final List<Object> seen = new ArrayList<>();
    private final HeldFrames peer = new HeldFrames();
    private final GuestRequests requests = new GuestRequests();
    private final IoWorkers workers = new IoWorkers(1);
    private CopyStore store;
    private StoreEffects effects;

    @BeforeEach
    void open(@TempDir Path folder) throws Exception {
        store = CopyStore.open(List.of(MirrorPair.folder(folder.resolve("disk"))), workers, loop::add);
        effects = new StoreEffects(
                store, workers, loop::add, requests, peer, new PeerWrites(System::nanoTime), seen::add);
    }

    @AfterEach
    void close() {
        workers.close();
        store.close();
    }

    private void turn() {
        for (int tasks = loop.size(); tasks > 0; tasks--) {
            loop.remove().run();
        }
    }

    private Effect.WriteLocal write(long io, int length) {
        long request = requests.open(new Nobody(), Unpooled.directBuffer(length).writeZero(length));
        return new Effect.WriteLocal(io, request, 0, io * 4096, length, false, false);
    }

    @Test
    void aSmallWriteOfTheGuestBeginsWhenItsFrameHasLeft() {
        peer.sendLater();
        effects.write(write(1, 4096));
        effects.write(write(2, 4096));
        assertThat(seen).isEmpty();
        turn();
        assertThat(seen).containsExactly("frames left", new Event.LocalWriteDone(1), new Event.LocalWriteDone(2));
    }

    @Test
    void whatIsWrittenFromWithinWaitsForItsOwnFrame() {
        peer.sendLater();
        effects.write(write(1, 4096));
        peer.onLeaving = () -> {
            peer.sendLater();
            effects.write(write(2, 4096));
        };
        turn();
        assertThat(seen).startsWith("frames left", new Event.LocalWriteDone(1));
        turn();
        assertThat(seen.subList(2, seen.size())).containsExactly("frames left", new Event.LocalWriteDone(2));
    }

    @Test
    void withoutAFrameNothingWaits() {
        effects.write(write(1, 4096));
        assertThat(seen).containsExactly(new Event.LocalWriteDone(1));
    }

    /** The request may be answered by the peer alone meanwhile, when the local copy was given up. */
    @Test
    void aWriteThatWaitsKeepsItsBytesWhenTheRequestIsOver() {
        peer.sendLater();
        Effect.WriteLocal write = write(1, 4096);
        effects.write(write);
        requests.answer(write.request(), 0);
        turn();
        assertThat(seen).containsExactly("frames left", new Event.LocalWriteDone(1));
    }

    /** Frames leave by a task that is queued when the first is sent, as in the link. */
    private final class HeldFrames implements PeerPort {
        private boolean holds;
        private Runnable onLeaving = () -> {};

        void sendLater() {
            holds = true;
            loop.add(() -> {
                holds = false;
                seen.add("frames left");
                Runnable now = onLeaving;
                onLeaving = () -> {};
                now.run();
            });
        }

        @Override
        public boolean holdsFrames() {
            return holds;
        }

        @Override
        public void send(CopyId to, Message message, @Nullable ByteBuf payload) {}

        @Override
        public void drop(CopyId from, String why) {}

        @Override
        public void setBeacons(CopyId to, long session, boolean granting) {}

        @Override
        public void stopGranting(LongConsumer lastHeardAt) {}

        @Override
        public void stopBeacons() {}
    }

    private static final class Nobody implements NbdReply {
        @Override
        public void done() {}

        @Override
        public void failed(NbdError error) {}

        @Override
        public void abandon() {}
    }
}
