package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What level 3 is made of: bounds of its sockets, overlays and their mark, the graph that tells of a commit, counted pauses. */
class ColoPiecesTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path directory;

    @Test
    void socketsHaveBounds() {
        assertThatThrownBy(() -> new TwinSockets(Path.of("/run"), 33)).hasMessageContaining("from 0 to 32, got 33");
        assertThatThrownBy(() -> new TwinSockets(Path.of("/" + "x".repeat(100)), 1))
                .hasMessageContaining("choose a shorter directory");
        assertThat(new TwinSockets(Path.of("/run"), 2).answers(1)).isEqualTo(Path.of("/run/answers-1"));
    }

    @Test
    void overlaysThatCountAreMarkedAndNotReplaced() throws Exception {
        OverlayFiles overlays = new OverlayFiles(directory.resolve("deep/overlays"));
        overlays.prepare();
        Files.writeString(overlays.active("root"), "data");
        overlays.markUncommitted();
        assertThat(new OverlayFiles(overlays.directory()).areUncommitted()).isTrue();
        assertThatThrownBy(overlays::prepare).hasMessageContaining("were not committed");
        overlays.delete(List.of("root"));
        assertThat(overlays.areUncommitted()).isFalse();
        assertThat(overlays.active("root")).doesNotExist();
        overlays.prepare();
    }

    @Test
    void aPlaceThatCanNotBeWrittenIsNamed() throws Exception {
        Path file = Files.writeString(directory.resolve("file"), "");
        OverlayFiles overlays = new OverlayFiles(file);
        assertThatThrownBy(overlays::prepare).hasMessageContaining("file can not be made");
        assertThatThrownBy(overlays::markUncommitted).hasMessageContaining("the twin does not take over");
    }

    @Test
    void aMarkTellsATwinFromAGuest() throws Exception {
        GuestMark mark = new GuestMark(directory.resolve("guest"));
        mark.writeTwin(7);
        assertThat(mark.names(7)).isFalse();
        assertThat(mark.namesTwin(7)).isTrue();
        assertThat(mark.namesTwin(8)).isFalse();
        mark.write(7);
        assertThat(mark.names(7)).isTrue();
        assertThat(mark.namesTwin(7)).isFalse();
    }

    private static JsonNode graph(String below, boolean job) throws Exception {
        return JSON.readTree(
                "{\"nodes\": [{\"id\": 1, \"name\": \"disk0\", \"type\": \"block-driver\"}, {\"id\": 2, \"name\": \""
                        + below + "\", \"type\": \"block-driver\"}"
                        + (job ? ", {\"id\": 3, \"name\": \"\", \"type\": \"block-job\"}" : "")
                        + "], \"edges\": [{\"parent\": 1, \"child\": 2, \"name\": \"file\"}]}");
    }

    @Test
    void theGraphTellsHowFarACommitIs() throws Exception {
        assertThat(OverlayNodes.commit(0, graph("#block123", true))).isEqualTo(OverlayNodes.Commit.RUNNING);
        assertThat(OverlayNodes.commit(0, graph("active0", false))).isEqualTo(OverlayNodes.Commit.FAILED);
        assertThat(OverlayNodes.commit(0, graph("base0", false))).isEqualTo(OverlayNodes.Commit.DONE);
        for (String strange : List.of("[]", "7", "{}", "{\"nodes\": 3, \"edges\": [{}]}", "{\"edges\": [[1]]}")) {
            assertThatThrownBy(() -> OverlayNodes.commit(0, JSON.readTree(strange)))
                    .hasMessageContaining("disk0");
        }
        assertThatThrownBy(() -> OverlayNodes.commit(0, MissingNode.getInstance()))
                .isInstanceOf(GuestException.class);
        assertThatThrownBy(() -> OverlayNodes.commit(1, graph("base0", false))).hasMessageContaining("disk1");
    }

    private static QmpEvent event(String name, long micros) {
        return new QmpEvent(name, MissingNode.getInstance(), micros);
    }

    @Test
    void pausesAreCounted() {
        AtomicLong nanos = new AtomicLong();
        Checkpoints counted = new Checkpoints(nanos::get, Duration.ofMillis(100));
        assertThat(counted.heard(event("RESUME", 5)))
                .as("a resumption without a stop")
                .isFalse();
        for (int i = 0; i < 3; i++) {
            nanos.addAndGet(Duration.ofMillis(100).toNanos());
            counted.heard(event("STOP", 1_000_000 * i));
            nanos.addAndGet(Duration.ofMillis(1).toNanos());
            assertThat(counted.heard(event("RESUME", 1_000_000 * i + 20_000 + i)))
                    .isTrue();
        }
        nanos.addAndGet(Duration.ofMillis(10).toNanos());
        counted.heard(event("STOP", -1));
        nanos.addAndGet(Duration.ofMillis(7).toNanos());
        counted.heard(event("RESUME", -1));
        nanos.addAndGet(Duration.ofMillis(3).toNanos());
        Checkpoints.Figures all = counted.figures();
        assertThat(all.completed()).isEqualTo(4);
        assertThat(all.early())
                .as("only the last came before the interval was over")
                .isOne();
        assertThat(all.longestPause()).isEqualTo(Duration.ofNanos(20_002_000));
        assertThat(all.lastPause())
                .as("by this side's clock where QEMU has none")
                .isEqualTo(Duration.ofMillis(7));
        assertThat(all.age()).isEqualTo(Duration.ofMillis(3));
    }
}
