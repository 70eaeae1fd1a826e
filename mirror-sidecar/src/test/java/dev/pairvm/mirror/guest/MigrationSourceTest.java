package dev.pairvm.mirror.guest;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The order of what a migrating QEMU says, where its own decisions and the orders cross. */
class MigrationSourceTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final String SMALL =
            "{\"status\": \"active\", \"ram\": {\"remaining\": 0, \"mbps\": 100, \"dirty-sync-count\": 2}}";

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final SlowQemu qemu = new SlowQemu();
    private final MigrationSource source = new MigrationSource(qemu, group.next());

    @AfterEach
    void cleanUp() throws InterruptedException {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    /** A QEMU that answers when the test says so. */
    private static final class SlowQemu implements MigrationSource.Port {
        private record Asked(String command, CompletableFuture<JsonNode> answer) {}

        private final Queue<Asked> asked = new ArrayDeque<>();
        private @Nullable Consumer<String> statuses;
        private int resumed;

        @Override
        public CompletableFuture<JsonNode> execute(String name, ObjectNode arguments) {
            Asked next = new Asked(name, new CompletableFuture<>());
            asked.add(next);
            return next.answer();
        }

        @Override
        public CompletableFuture<JsonNode> repeat(String query, Function<JsonNode, Boolean> enough) {
            return execute(query, JsonNodeFactory.instance.objectNode());
        }

        @Override
        public void onMigration(@Nullable Consumer<String> listener) {
            statuses = listener;
        }

        @Override
        public void movedAway() {}

        @Override
        public CompletableFuture<Void> startOrResume() {
            resumed++;
            return CompletableFuture.completedFuture(null);
        }

        private CompletableFuture<JsonNode> take(String command) {
            Asked oldest = requireNonNull(asked.poll(), () -> "nothing was asked, expected " + command);
            assertThat(oldest.command()).isEqualTo(command);
            return oldest.answer();
        }

        void answers(String command, String json) throws Exception {
            take(command).complete(new ObjectMapper().readTree(json));
        }

        void refuses(String command) {
            take(command).completeExceptionally(new GuestException("no"));
        }

        void says(String status) {
            requireNonNull(statuses).accept(status);
        }
    }

    private CompletableFuture<Void> begun() throws Exception {
        CompletableFuture<Void> paused = source.start(Path.of("/nowhere"), Duration.ofMillis(100), LIMIT);
        qemu.answers("migrate-set-capabilities", "{}");
        qemu.answers("migrate-set-parameters", "{}");
        qemu.answers("migrate", "{}");
        return paused;
    }

    @Test
    void anIdleGuestThatQemuStopsByItselfIsNotPausedBeforeQemuHasTakenTheOrderToStop() throws Exception {
        CompletableFuture<Void> paused = begun();
        qemu.answers("query-migrate", SMALL);
        // The order is on its way; QEMU found nothing left to move meanwhile. It will flush the disks when it takes it.
        qemu.says("pre-switchover");
        assertThat(paused).as("the disks are still needed").isNotDone();
        qemu.answers("stop", "{}");
        assertThat(paused).isNotDone();
        qemu.answers("migrate-set-parameters", "{}");
        assertThat(paused).isCompleted();
        assertThat(qemu.asked).isEmpty();
    }

    @Test
    void itIsNotToldToStopWhenItsAnswerIsOlderThanItsOwnSwitch() throws Exception {
        CompletableFuture<Void> paused = begun();
        CompletableFuture<JsonNode> late = qemu.take("query-migrate");
        qemu.says("pre-switchover");
        assertThat(paused).isCompleted();
        late.complete(new ObjectMapper().readTree(SMALL));
        assertThat(qemu.asked).isEmpty();
    }

    @Test
    void aGuestThatCanNotBeStoppedGoesOnHereAlthoughQemuHadSwitched() throws Exception {
        CompletableFuture<Void> paused = begun();
        qemu.answers("query-migrate", SMALL);
        qemu.says("pre-switchover");
        qemu.refuses("stop");
        qemu.answers("migrate_cancel", "{}");
        assertThat(paused).isNotDone();
        qemu.answers("query-migrate", "{\"status\": \"cancelled\"}");
        assertThat(paused).isCompletedExceptionally();
        assertThat(qemu.resumed).isEqualTo(1);
    }
}
