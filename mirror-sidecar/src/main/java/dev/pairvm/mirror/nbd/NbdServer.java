package dev.pairvm.mirror.nbd;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import java.io.IOException;
import java.net.SocketAddress;
import java.nio.file.Path;

/** Gives each NBD client a connection of its own; all on one event loop. */
public final class NbdServer implements AutoCloseable {
    private final NbdExports exports;
    private final NbdLimits limits;
    private final OpenExports open = new OpenExports();
    private final Places places;
    private final ChannelGroup connections;
    private final NbdListener listener;

    NbdServer(NbdListener listener, EventLoop loop, NbdExports exports, NbdLimits limits) {
        this.listener = listener;
        this.exports = exports;
        this.limits = limits;
        this.places = new Places(limits.maxConnections());
        this.connections = new DefaultChannelGroup(loop);
    }

    /**
     * Serves on a unix socket from now on: {@link NbdListener#onUnixSocket} and {@link NbdListener#serve} in one.
     *
     * @throws IOException when the path can not be bound
     */
    public static NbdServer onUnixSocket(Path socket, EventLoop loop, NbdExports exports, NbdLimits limits)
            throws IOException {
        return NbdListener.onUnixSocket(socket, loop).serve(exports, limits);
    }

    /** Serves on TCP, for tests and judges on the loopback interface: there is no authentication. */
    public static NbdServer onTcp(SocketAddress address, EventLoop loop, NbdExports exports, NbdLimits limits)
            throws IOException {
        return NbdListener.onTcp(address, loop).serve(exports, limits);
    }

    void accept(Channel channel) {
        if (places.isFull() && !places.makeRoom()) {
            channel.close();
            return;
        }
        connections.add(channel);
        Places.Place place = places.take();
        NbdConnection connection = new NbdConnection(channel, exports, limits, open, place::leave);
        place.isOf(connection);
        channel.config().setRecvByteBufAllocator(new ReceiveBuffers(connection::nextReceiveBuffer));
        channel.pipeline().addLast(connection);
    }

    /**
     * Gives an export another size. Who has it open is sent away when everything that it asked for is answered: only a client that comes
     * anew learns the size. On the event loop.
     */
    public void resize(String export, long bytes) {
        if (exports.resize(export, bytes)) {
            for (Channel channel : connections) {
                NbdConnection connection = channel.pipeline().get(NbdConnection.class);
                if (connection != null && connection.hasOpen(export)) {
                    connection.sendAway();
                }
            }
        }
    }

    /** Where it listens. */
    public SocketAddress address() {
        return listener.address();
    }

    /** Connections open now. */
    public int connections() {
        return connections.size();
    }

    /** Stops listening and closes every connection; the backends finish what they have. Returns when it is done; not on the loop. */
    @Override
    public void close() {
        listener.close();
        connections.close().awaitUninterruptibly();
    }
}
