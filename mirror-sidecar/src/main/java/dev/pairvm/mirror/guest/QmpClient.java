package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.handler.codec.TooLongFrameException;
import java.io.IOException;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One connection to QEMU's monitor: commands with answers, events, all on one event loop, which is the only thread that may call
 * it. See QEMU's {@code docs/interop/qmp-spec}.
 */
public final class QmpClient {
    /** {@code query-named-block-nodes} of a machine of many disks stays far below. */
    private static final int MAX_LINE_BYTES = 1 << 20;
    /** More commands than anybody here has outstanding; a QEMU that answers none must not fill our memory. */
    private static final int MAX_OUTSTANDING = 64;
    /** As many again, for those that are to get through when nothing else does. */
    private static final int MAX_OUT_OF_BAND = 64;
    /**
     * In-band commands that QEMU has and did not answer. With eight in its queue it stops reading, and an out-of-band command behind
     * them is not seen any more ({@code QMP_REQ_QUEUE_LEN_MAX} in QEMU's monitor).
     */
    private static final int MAX_AT_QEMU = 6;

    private static final ObjectMapper JSON = new ObjectMapper();

    private final EventLoop loop;
    private final Duration limit;
    private final QmpListener listener;
    private final CompletableFuture<QmpClient> connected = new CompletableFuture<>();
    private final Map<Long, Outstanding> outstanding = new HashMap<>();
    /** In-band commands sent and not answered, also those that nobody waits for any more. */
    private final Set<Long> atQemu = new HashSet<>();

    private final Deque<Line> waiting = new ArrayDeque<>();
    private boolean outOfBand;
    private @Nullable Channel channel;
    private long nextId = 1;
    private boolean greeted;
    private QmpException.@Nullable Lost lost;

    private record Outstanding(String command, boolean outOfBand, CompletableFuture<JsonNode> answer) {}

    private record Line(long id, byte[] bytes) {}

    private QmpClient(EventLoop loop, Duration limit, QmpListener listener) {
        this.loop = loop;
        this.limit = limit;
        this.listener = listener;
    }

    /**
     * Connects and negotiates out-of-band commands. The listener is told of a loss only after the returned future succeeded.
     *
     * @param loop NIO or epoll
     * @param limit for the connection, the greeting and the negotiation together
     * @return fails with {@link QmpException}
     */
    public static CompletableFuture<QmpClient> connect(
            Path socket, EventLoop loop, Duration limit, QmpListener listener) {
        QmpClient client = new QmpClient(loop, limit, listener);
        client.open(socket);
        return client.connected;
    }

    private void open(Path socket) {
        boolean epoll = loop instanceof IoEventLoop io && io.isCompatible(EpollIoHandle.class);
        SocketAddress address = epoll ? new DomainSocketAddress(socket.toString()) : UnixDomainSocketAddress.of(socket);
        ChannelFuture opening = new Bootstrap()
                .group(loop)
                .channel(epoll ? EpollDomainSocketChannel.class : NioDomainSocketChannel.class)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, Math.toIntExact(limit.toMillis()))
                .handler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel opened) {
                        channel = opened;
                        opened.pipeline().addLast(new LineBasedFrameDecoder(MAX_LINE_BYTES, true, true));
                        opened.pipeline().addLast(new Lines());
                    }
                })
                .connect(address);
        opening.addListener(done -> {
            if (!done.isSuccess()) {
                lose("no connection to " + socket + ": " + done.cause().getMessage());
            }
        });
        // A frozen QEMU's socket still accepts; without this its silence would be waited for without end.
        loop.schedule(
                () -> {
                    if (!connected.isDone()) {
                        lose(socket + " did not greet within " + limit.toMillis() + " ms");
                    }
                },
                limit.toMillis(),
                TimeUnit.MILLISECONDS);
    }

    private final class Lines extends SimpleChannelInboundHandler<ByteBuf> {
        @Override
        protected void channelRead0(ChannelHandlerContext context, ByteBuf line) {
            if (lost != null || !line.isReadable()) {
                return;
            }
            JsonNode message;
            try {
                message = JSON.readTree(line.toString(StandardCharsets.UTF_8));
            } catch (JsonProcessingException e) {
                lose("QEMU's monitor sent what is not JSON: " + e.getOriginalMessage());
                return;
            }
            received(message);
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            lose("QEMU closed its monitor");
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            if (cause instanceof TooLongFrameException) {
                lose("QEMU's monitor sent a line of more than " + MAX_LINE_BYTES + " bytes");
            } else if (cause instanceof IOException) {
                lose("the connection to QEMU's monitor broke: " + cause.getMessage());
            } else {
                lose("reading QEMU's monitor failed: " + cause);
            }
        }
    }

    private void received(JsonNode message) {
        if (message.has("QMP")) {
            negotiate(message.path("QMP"));
        } else if (!greeted) {
            lose("the other end of the monitor's socket does not greet as QEMU does");
        } else if (message.has("event")) {
            JsonNode at = message.path("timestamp");
            long seconds = at.path("seconds").asLong(-1);
            listener.onEvent(new QmpEvent(
                    message.path("event").asText(),
                    message.has("data") ? message.get("data") : MissingNode.getInstance(),
                    seconds < 0
                            ? -1
                            : seconds * 1_000_000 + at.path("microseconds").asLong()));
        } else if (message.has("return") || message.has("error")) {
            answered(message);
        } else {
            lose("QEMU's monitor sent a message that is neither greeting, answer nor event");
        }
    }

    private void negotiate(JsonNode greeting) {
        if (greeted) {
            lose("QEMU's monitor greeted twice");
            return;
        }
        greeted = true;
        ObjectNode arguments = JSON.createObjectNode();
        for (JsonNode capability : greeting.path("capabilities")) {
            outOfBand |= capability.asText().equals("oob");
        }
        if (outOfBand) {
            arguments.putArray("enable").add("oob");
        }
        execute("qmp_capabilities", arguments, limit).whenComplete((accepted, failure) -> {
            if (failure == null) {
                connected.complete(this);
            } else {
                lose("QEMU's monitor could not be negotiated with: " + failure.getMessage());
            }
        });
    }

    private void answered(JsonNode message) {
        long id = message.path("id").asLong(-1);
        atQemu.remove(id);
        sendWaiting();
        Outstanding command = outstanding.remove(id);
        if (command == null) {
            // The late answer to a command given up on, or an error that QEMU could not attribute; nobody waits for it.
            return;
        }
        if (message.has("return")) {
            command.answer.complete(message.get("return"));
        } else {
            JsonNode error = message.path("error");
            command.answer.completeExceptionally(new QmpException.Refused(
                    command.command,
                    error.path("class").asText("GenericError"),
                    error.path("desc").asText("no reason given")));
        }
    }

    /** From the first reason on, everything fails with it. */
    private void lose(String why) {
        if (lost != null) {
            return;
        }
        QmpException.Lost cause = new QmpException.Lost(why);
        lost = cause;
        if (channel != null) {
            channel.close();
        }
        List<Outstanding> unanswered = new ArrayList<>(outstanding.values());
        outstanding.clear();
        waiting.clear();
        unanswered.forEach(command -> command.answer.completeExceptionally(cause));
        if (!connected.completeExceptionally(cause)) {
            listener.onLost(cause);
        }
    }

    /**
     * Sends a command. Commands are carried out by QEMU's main loop, one after the other; some may wait here until QEMU has answered
     * earlier ones.
     *
     * @param limit for the answer, from now on
     * @return the {@code return} member of the answer; fails with {@link QmpException}
     */
    public CompletableFuture<JsonNode> execute(String command, ObjectNode arguments, Duration limit) {
        return send("execute", command, arguments, limit);
    }

    /** As {@link #execute(String, ObjectNode, Duration)}, without arguments. */
    public CompletableFuture<JsonNode> execute(String command, Duration limit) {
        return send("execute", command, JSON.createObjectNode(), limit);
    }

    /**
     * Sends a command that QEMU's monitor thread carries out although its main loop hangs. Only {@code yank}, {@code
     * migrate-pause}, {@code migrate-recover} and {@code query-yank} are allowed so. Overtakes every in-band command.
     *
     * @return as {@link #execute(String, ObjectNode, Duration)}; fails at once where QEMU did not offer out-of-band commands
     */
    public CompletableFuture<JsonNode> executeOutOfBand(String command, ObjectNode arguments, Duration limit) {
        if (lost == null && !outOfBand) {
            return CompletableFuture.failedFuture(
                    new QmpException.Refused(command, "CommandNotFound", "its monitor offers no out-of-band commands"));
        }
        return send("exec-oob", command, arguments, limit);
    }

    private CompletableFuture<JsonNode> send(String how, String command, ObjectNode arguments, Duration limit) {
        QmpException.Lost gone = lost;
        Channel open = channel;
        if (gone != null) {
            return CompletableFuture.failedFuture(gone);
        }
        boolean overtaking = how.equals("exec-oob");
        long alike = outstanding.values().stream()
                .filter(each -> each.outOfBand == overtaking)
                .count();
        if (open == null || alike >= (overtaking ? MAX_OUT_OF_BAND : MAX_OUTSTANDING)) {
            return CompletableFuture.failedFuture(
                    new QmpException.Lost("QEMU's monitor has " + alike + " commands unanswered"));
        }
        long id = nextId++;
        CompletableFuture<JsonNode> answer = new CompletableFuture<>();
        outstanding.put(id, new Outstanding(command, overtaking, answer));
        ObjectNode message = JSON.createObjectNode().put(how, command).put("id", id);
        if (!arguments.isEmpty()) {
            message.set("arguments", arguments);
        }
        Line line = new Line(id, (message + "\n").getBytes(StandardCharsets.UTF_8));
        if (overtaking) {
            write(open, line);
        } else {
            waiting.add(line);
            sendWaiting();
        }
        Future<?> timer = loop.schedule(
                () -> {
                    if (outstanding.remove(id) != null) {
                        answer.completeExceptionally(new QmpException.Unanswered(command, limit));
                    }
                },
                limit.toMillis(),
                TimeUnit.MILLISECONDS);
        answer.whenComplete((result, failure) -> timer.cancel(false));
        return answer;
    }

    private void sendWaiting() {
        Channel open = channel;
        while (open != null && atQemu.size() < MAX_AT_QEMU && !waiting.isEmpty()) {
            Line next = waiting.remove();
            // One that was given up while it waited here is not sent at all.
            if (outstanding.containsKey(next.id)) {
                atQemu.add(next.id);
                write(open, next);
            }
        }
    }

    private static void write(Channel open, Line line) {
        open.writeAndFlush(open.alloc().buffer(line.bytes.length).writeBytes(line.bytes));
    }

    /** Whether commands can be sent. */
    public boolean isOpen() {
        return lost == null && connected.isDone();
    }

    /** Ends the connection; outstanding commands fail with {@link QmpException.Lost}. QEMU lives on. */
    public void close() {
        lose("this side closed the monitor");
    }
}
