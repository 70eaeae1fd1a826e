package dev.pairvm.mirror.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A monitor that is silent, refuses, talks nonsense, answers in the wrong order, or dies. */
class QmpClientTest {
    private static final Duration LONG = Duration.ofSeconds(20);
    private static final Duration SHORT = Duration.ofMillis(100);

    @TempDir
    Path directory;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final BlockingQueue<QmpEvent> events = new LinkedBlockingQueue<>();
    private final BlockingQueue<QmpException.Lost> losses = new LinkedBlockingQueue<>();
    private final QmpListener listener = new QmpListener() {
        @Override
        public void onEvent(QmpEvent event) {
            events.add(event);
        }

        @Override
        public void onLost(QmpException.Lost cause) {
            losses.add(cause);
        }
    };
    private EventLoop loop = group.next();
    private FakeMonitor qemu;
    private Path socket;

    @BeforeEach
    void aMonitor() throws Exception {
        socket = directory.resolve("qmp.sock");
        qemu = new FakeMonitor(socket);
    }

    @AfterEach
    void cleanUp() throws Exception {
        qemu.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    private CompletableFuture<QmpClient> connecting(Duration limit) {
        return onLoop(() -> QmpClient.connect(socket, loop, limit, listener));
    }

    private QmpClient connected() throws Exception {
        CompletableFuture<QmpClient> connecting = connecting(LONG);
        qemu.greet();
        return connecting.get(20, TimeUnit.SECONDS);
    }

    private <T> CompletableFuture<T> onLoop(Supplier<CompletableFuture<T>> action) {
        CompletableFuture<T> result = new CompletableFuture<>();
        loop.execute(() -> action.get().whenComplete((value, failure) -> {
            if (failure == null) {
                result.complete(value);
            } else {
                result.completeExceptionally(failure);
            }
        }));
        return result;
    }

    private static void fails(CompletableFuture<?> future, Class<? extends QmpException> kind, String message) {
        assertThatThrownBy(() -> future.get(20, TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isInstanceOf(kind)
                .hasMessageContaining(message);
    }

    @Test
    void negotiatesOutOfBandAndAnswers() throws Exception {
        CompletableFuture<QmpClient> connecting = connecting(LONG);
        qemu.accept();
        qemu.say(FakeMonitor.GREETING + "\r\n");
        assertThat(qemu.hear()).contains("qmp_capabilities").contains("\"enable\":[\"oob\"]");
        qemu.say("{\"return\": {}, \"id\": 1}\r\n");
        QmpClient client = connecting.get(20, TimeUnit.SECONDS);
        CompletableFuture<JsonNode> status = onLoop(() -> client.execute("query-status", LONG));
        assertThat(qemu.hear()).isEqualTo("{\"execute\":\"query-status\",\"id\":2}");
        qemu.say("{\"return\": {\"status\": \"running\"}, \"id\": 2}\r\n");
        assertThat(status.get(20, TimeUnit.SECONDS).path("status").asText()).isEqualTo("running");
        onLoop(() -> client.executeOutOfBand(
                "yank", JsonNodeFactory.instance.objectNode().put("a", 1), LONG));
        assertThat(qemu.hear()).isEqualTo("{\"exec-oob\":\"yank\",\"id\":3,\"arguments\":{\"a\":1}}");
    }

    @Test
    void worksOnEpollToo() throws Exception {
        if (Epoll.isAvailable()) {
            MultiThreadIoEventLoopGroup epoll = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
            loop = epoll.next();
            assertThat(connected().isOpen()).isTrue();
            epoll.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
        }
    }

    @Test
    void answersInAnyOrderFindTheirCommands() throws Exception {
        QmpClient client = connected();
        CompletableFuture<JsonNode> first = onLoop(() -> client.execute("first", LONG));
        CompletableFuture<JsonNode> second = onLoop(() -> client.execute("second", LONG));
        qemu.hear();
        qemu.hear();
        qemu.say("{\"return\": \"b\", \"id\": 3}\r\n{\"return\": \"a\", \"id\": 2}\r\n");
        assertThat(first.get(20, TimeUnit.SECONDS).asText()).isEqualTo("a");
        assertThat(second.get(20, TimeUnit.SECONDS).asText()).isEqualTo("b");
    }

    @Test
    void aRefusalLeavesTheConnectionUsable() throws Exception {
        QmpClient client = connected();
        CompletableFuture<JsonNode> refused = onLoop(() -> client.execute("cont", LONG));
        qemu.hear();
        qemu.say("{\"id\": 2, \"error\": {\"class\": \"GenericError\", \"desc\": \"Resetting is required\"}}\r\n");
        fails(refused, QmpException.Refused.class, "QEMU refused cont: Resetting is required");
        assertThat(client.isOpen()).isTrue();
    }

    @Test
    void silenceFailsTheCommandNotTheConnection() throws Exception {
        QmpClient client = connected();
        CompletableFuture<JsonNode> unanswered = onLoop(() -> client.execute("stop", SHORT));
        fails(unanswered, QmpException.Unanswered.class, "did not answer stop within 100 ms");
        CompletableFuture<JsonNode> next = onLoop(() -> client.execute("query-status", LONG));
        assertThat(qemu.hear()).contains("stop");
        assertThat(qemu.hear()).contains("query-status");
        qemu.say("{\"return\": \"late\", \"id\": 2}\r\n{\"return\": \"now\", \"id\": 3}\r\n");
        assertThat(next.get(20, TimeUnit.SECONDS).asText())
                .as("the late answer is nobody's")
                .isEqualTo("now");
    }

    @Test
    void aQemuThatAcceptsButNeverGreetsIsGivenUp() {
        fails(connecting(SHORT), QmpException.Lost.class, "did not greet within 100 ms");
        assertThat(losses).isEmpty();
    }

    @Test
    void aSocketWithNobodyBehindItFailsAtOnce() throws Exception {
        qemu.close();
        fails(connecting(LONG), QmpException.Lost.class, "no connection to");
    }

    @Test
    void whatIsNotQmpIsNotTalkedTo() throws Exception {
        CompletableFuture<QmpClient> connecting = connecting(LONG);
        qemu.accept();
        qemu.say("{\"hello\": 1}\n");
        fails(connecting, QmpException.Lost.class, "does not greet as QEMU does");
    }

    @Test
    void garbageEndsTheConnection() throws Exception {
        QmpClient client = connected();
        CompletableFuture<JsonNode> waiting = onLoop(() -> client.execute("query-status", LONG));
        qemu.say("\u0001\u0002 this is not JSON\n");
        fails(waiting, QmpException.Lost.class, "not JSON");
        assertThat(losses.poll(20, TimeUnit.SECONDS)).isNotNull();
        assertThat(client.isOpen()).isFalse();
        fails(onLoop(() -> client.execute("cont", LONG)), QmpException.Lost.class, "not JSON");
    }

    @Test
    void aLineWithoutEndIsNotCollected() throws Exception {
        QmpClient client = connected();
        Thread.ofVirtual().start(() -> {
            try {
                qemu.say("{\"x\": \"" + "a".repeat(2 << 20));
            } catch (Exception closed) {
                // as it should be
            }
        });
        QmpException.Lost loss = losses.poll(20, TimeUnit.SECONDS);
        assertThat(loss).isNotNull().hasMessageContaining("more than 1048576 bytes");
        assertThat(client.isOpen()).isFalse();
    }

    @Test
    void aQemuThatDiesFailsWhatIsOutstanding() throws Exception {
        QmpClient client = connected();
        CompletableFuture<JsonNode> waiting = onLoop(() -> client.execute("cont", LONG));
        qemu.hear();
        qemu.hangUp();
        fails(waiting, QmpException.Lost.class, "closed its monitor");
        assertThat(losses.poll(20, TimeUnit.SECONDS)).isNotNull();
        assertThat(losses.poll(50, TimeUnit.MILLISECONDS)).as("told once").isNull();
    }

    @Test
    void eventsComeWithTheirTimes() throws Exception {
        connected();
        qemu.say("{\"timestamp\": {\"seconds\": 7, \"microseconds\": 5}, \"event\": \"SHUTDOWN\","
                + " \"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}\r\n"
                + "{\"timestamp\": {\"seconds\": -1, \"microseconds\": -1}, \"event\": \"STOP\"}\r\n");
        QmpEvent shutdown = events.poll(20, TimeUnit.SECONDS);
        assertThat(shutdown).isNotNull();
        assertThat(shutdown.micros()).isEqualTo(7_000_005);
        assertThat(shutdown.data().path("reason").asText()).isEqualTo("guest-shutdown");
        QmpEvent stop = events.poll(20, TimeUnit.SECONDS);
        assertThat(stop).isNotNull();
        assertThat(stop.micros()).isEqualTo(-1);
        assertThat(stop.data().isMissingNode()).isTrue();
    }

    @Test
    void outOfBandPassesWhatHangs() throws Exception {
        QmpClient client = connected();
        List<CompletableFuture<JsonNode>> hanging = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            hanging.add(onLoop(() -> client.execute("query-status", LONG)));
        }
        CompletableFuture<JsonNode> yank =
                onLoop(() -> client.executeOutOfBand("yank", JsonNodeFactory.instance.objectNode(), LONG));
        for (int id = 2; id < 8; id++) {
            assertThat(qemu.hear()).isEqualTo("{\"execute\":\"query-status\",\"id\":" + id + "}");
        }
        assertThat(qemu.hear())
                .as("QEMU does not read on with eight unanswered commands")
                .isEqualTo("{\"exec-oob\":\"yank\",\"id\":12}");
        qemu.say("{\"return\": {}, \"id\": 12}\r\n");
        yank.get(20, TimeUnit.SECONDS);
        for (int id = 2; id < 12; id++) {
            qemu.say("{\"return\": " + id + ", \"id\": " + id + "}\r\n");
        }
        for (int i = 0; i < 10; i++) {
            assertThat(hanging.get(i).get(20, TimeUnit.SECONDS).asInt()).isEqualTo(i + 2);
        }
    }

    @Test
    void whatWasGivenUpBeforeItWasSentIsNotSent() throws Exception {
        QmpClient client = connected();
        for (int i = 0; i < 6; i++) {
            onLoop(() -> client.execute("hangs", LONG));
        }
        fails(
                onLoop(() -> client.execute("system_reset", SHORT)),
                QmpException.Unanswered.class,
                "did not answer system_reset within 100 ms");
        onLoop(() -> client.execute("query-status", LONG));
        for (int i = 0; i < 6; i++) {
            assertThat(qemu.hear()).contains("hangs");
        }
        qemu.say("{\"return\": {}, \"id\": 2}\r\n");
        assertThat(qemu.hear()).contains("query-status");
    }

    @Test
    void withoutTheOfferNothingIsSentOutOfBand() throws Exception {
        CompletableFuture<QmpClient> connecting = connecting(LONG);
        qemu.accept();
        qemu.say(FakeMonitor.GREETING.replace("\"oob\"", "") + "\r\n");
        assertThat(qemu.hear()).doesNotContain("enable");
        qemu.say("{\"return\": {}, \"id\": 1}\r\n");
        QmpClient client = connecting.get(20, TimeUnit.SECONDS);
        fails(
                onLoop(() -> client.executeOutOfBand("yank", JsonNodeFactory.instance.objectNode(), LONG)),
                QmpException.Refused.class,
                "offers no out-of-band commands");
    }

    @Test
    void moreCommandsThanItsBoundAreRefusedHere() throws Exception {
        QmpClient client = connected();
        for (int i = 0; i < 64; i++) {
            onLoop(() -> client.execute("query-status", LONG));
        }
        fails(onLoop(() -> client.execute("one-more", LONG)), QmpException.Lost.class, "64 commands unanswered");
    }
}
