package dev.pairvm.mirror.link;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.mirror.core.Event;
import dev.pairvm.mirror.core.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.EventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One side of a link with a loop of its own, and what it heard, in order. */
final class LinkSide implements LinkListener, AutoCloseable {
    final CopyId copy;
    final MultiThreadIoEventLoopGroup group;
    final EventLoop loop;
    final PeerLink link;
    final int port;
    final List<String> story = new CopyOnWriteArrayList<>();
    final List<Message> messages = new CopyOnWriteArrayList<>();
    final List<byte[]> payloads = new CopyOnWriteArrayList<>();
    final List<Event.BeaconHeard> beacons = new CopyOnWriteArrayList<>();
    final List<Refusal> refusals = new CopyOnWriteArrayList<>();
    final List<String> sentences = new CopyOnWriteArrayList<>();
    volatile @Nullable PeerHealth health;
    volatile @Nullable PeerUp up;
    volatile Consumer<Message> onMessage = message -> {};

    LinkSide(String machineUid, String copy, TlsFiles tls) throws Exception {
        this(machineUid, copy, tls, 20, true);
    }

    LinkSide(String machineUid, String copy, TlsFiles tls, int beaconMillis, boolean epoll) throws Exception {
        this(copy, tls, epoll, new LinkConfig(machineUid, new CopyId(copy), 0, beaconMillis));
    }

    /** A side as {@code config} has it, perhaps of another release. */
    LinkSide(String copy, TlsFiles tls, boolean epoll, LinkConfig config) throws Exception {
        this.copy = new CopyId(copy);
        IoHandlerFactory handlers = epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
        group = new MultiThreadIoEventLoopGroup(1, handlers);
        loop = group.next();
        link = new PeerLink(config, tls, loop, MonotonicClock.boottime(), this);
        port = link.listen().get(10, TimeUnit.SECONDS);
        loop.scheduleAtFixedRate(link.beacons()::loopTicked, 0, 25, TimeUnit.MILLISECONDS);
    }

    /** Runs on the loop and waits. */
    <T> T on(Callable<T> call) {
        try {
            return loop.submit(call).get(10, TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    void run(Runnable task) {
        on(() -> {
            task.run();
            return true;
        });
    }

    /** Lets this side know the other at these addresses. */
    void knows(LinkSide other, PeerAddress... at) {
        run(() -> link.peers(Map.of(other.copy, List.of(at))));
    }

    PeerAddress at(String host) {
        return new PeerAddress(host, port);
    }

    @Override
    public void linkUp(PeerUp now) {
        up = now;
        story.add("up " + now.peer());
    }

    @Override
    public void linkDown(CopyId peer, Event.LinkDown.Cause cause, String why) {
        up = null;
        story.add("down " + peer + " " + cause);
    }

    @Override
    public void messageReceived(CopyId peer, Message message, @Nullable ByteBuf payload) {
        payloads.add(payload == null ? new byte[0] : ByteBufUtil.getBytes(payload));
        if (payload != null) {
            payload.release();
        }
        messages.add(message);
        onMessage.accept(message);
    }

    @Override
    public void writabilityChanged(CopyId peer, boolean writable) {
        story.add(writable ? "writable" : "full");
    }

    @Override
    public void beaconHeard(Event.BeaconHeard heard, PeerHealth now) {
        health = now;
        beacons.add(heard);
    }

    @Override
    public void pathsChanged(CopyId peer) {}

    @Override
    public void refused(Refusal reason, String sentence) {
        refusals.add(reason);
        sentences.add(sentence);
    }

    @Override
    public void close() throws Exception {
        run(link::close);
        group.shutdownGracefully(0, 2, TimeUnit.SECONDS).await(5, TimeUnit.SECONDS);
    }
}
