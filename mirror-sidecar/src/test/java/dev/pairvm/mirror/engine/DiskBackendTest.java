package dev.pairvm.mirror.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdReply;
import dev.pairvm.mirror.store.AsyncDisk;
import dev.pairvm.mirror.store.DiskStore;
import dev.pairvm.mirror.store.IoWorkers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a guest may ask of its disk beyond the core's longest request. */
class DiskBackendTest {
    private static final long GIB = 1L << 30;
    private static final int PIECE = 32 << 20;

    @TempDir
    Path dir;

    private final GuestRequests requests = new GuestRequests();
    private final List<Event.WriteReceived> asked = new ArrayList<>();
    private final List<String> answers = new ArrayList<>();
    private final IoWorkers workers = new IoWorkers(1);
    private @SuppressWarnings("NullAway.Init") DiskStore store;
    private @SuppressWarnings("NullAway.Init") DiskBackend backend;

    private final NbdReply guest = new NbdReply() {
        @Override
        public void done() {
            answers.add("done");
        }

        @Override
        public void failed(NbdError error) {
            answers.add(error.name());
        }

        @Override
        public void abandon() {
            answers.add("abandoned");
        }
    };

    @BeforeEach
    void open() throws Exception {
        store = DiskStore.open(new MirrorConfig.Disk(
                "root", dir.toString(), MirrorConfig.Disk.Kind.FILE, 4 * GIB, Optional.empty(), Optional.empty()));
        backend = new DiskBackend(
                0,
                new AsyncDisk(store, workers, Runnable::run),
                requests,
                event -> asked.add((Event.WriteReceived) event),
                () -> false,
                new TwinBacking(),
                DiskCounters.NONE);
    }

    @AfterEach
    void close() {
        store.close();
        workers.close();
    }

    @Test
    void aLongTrimIsOneRequestAtATimeAndOneAnswer() {
        backend.trim(GIB, 2 * GIB - PIECE / 2, false, guest);
        int pieces = 0;
        long next = GIB;
        while (answers.isEmpty()) {
            assertThat(requests.size()).as("requests of one trim under way").isEqualTo(1);
            Event.WriteReceived piece = asked.removeFirst();
            assertThat(piece.offset()).isEqualTo(next);
            assertThat(piece.zero()).isTrue();
            next += piece.length();
            pieces++;
            requests.answer(piece.request(), 0);
        }
        assertThat(next).isEqualTo(3 * GIB - PIECE / 2);
        assertThat(pieces).isEqualTo(64);
        assertThat(answers).containsExactly("done");
        assertThat(asked).isEmpty();
    }

    @Test
    void theFirstFailureEndsIt() {
        backend.zero(0, GIB, true, false, true, guest);
        requests.answer(asked.removeFirst().request(), 0);
        requests.answer(asked.removeFirst().request(), 5);

        assertThat(answers).containsExactly("EIO");
        assertThat(asked).isEmpty();
        assertThat(requests.size()).isZero();
    }

    @Test
    void aTrimOfADeadGuestStopsWhereItIs() {
        backend.trim(0, GIB, false, guest);
        requests.forget(asked.removeFirst().request());

        assertThat(answers).containsExactly("abandoned");
        assertThat(asked).isEmpty();
    }
}
