package dev.pairvm.mirror.link;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Joins one local socket and one stream, byte for byte, half-closes included. Asks the socket for bytes only when the stream takes
 * the next piece, and credits the peer only when the socket has taken the last: neither side can fill this process. A socket whose
 * input ended stays open for what the peer still sends, for {@value #HALF_CLOSED_SECONDS} seconds without a byte. Event loop only.
 */
final class SocketRelay extends ChannelInboundHandlerAdapter implements StreamChannel.Handler {
    /**
     * A socket that was closed altogether looks like a half-closed one until something is written to it, and epoll reports its
     * hang-up again and again: it may not stay.
     */
    static final int HALF_CLOSED_SECONDS = 2;

    /** From the peer, before the socket was connected: at most a window of it. */
    private final ArrayDeque<ByteBuf> early = new ArrayDeque<>();
    /**
     * From the socket, before the stream could take it. Netty delivers bytes nobody asked for when the other side hangs up; they are
     * no more than the socket's buffer held.
     */
    private final ArrayDeque<ByteBuf> unsent = new ArrayDeque<>();

    private @Nullable Channel socket;
    private @Nullable StreamChannel stream;
    private boolean endedThere;
    private boolean socketEnded;
    private boolean endSent;
    private boolean outputEnded;
    private int bytesSinceEnd;

    /** Options a relayed socket must have: one read of at most a piece when asked for. */
    static void configure(Channel socket) {
        socket.config().setAutoRead(false);
        socket.config()
                .setOption(
                        ChannelOption.RECVBUF_ALLOCATOR,
                        new FixedRecvByteBufAllocator(StreamChannel.CHUNK_BYTES).maxMessagesPerRead(1));
    }

    /** The local side is there. */
    void socketConnected(Channel connected) {
        socket = connected;
        for (ByteBuf piece = early.poll(); piece != null; piece = early.poll()) {
            toSocket(connected, piece);
        }
        if (endedThere) {
            endOutput(connected);
        }
        pump();
    }

    void streamIs(StreamChannel opened) {
        stream = opened;
    }

    /** Whether there is no stream any more. */
    boolean isOver() {
        return stream == null;
    }

    /** Gives the stream what it takes; its end only behind the last byte. */
    private void pump() {
        StreamChannel to = stream;
        if (to == null) {
            release();
            return;
        }
        while (to.canWrite()) {
            ByteBuf piece = unsent.poll();
            if (piece == null) {
                break;
            }
            to.write(piece);
        }
        if (!unsent.isEmpty()) {
            return;
        }
        if (!socketEnded) {
            if (socket != null && to.canWrite()) {
                socket.read();
            }
        } else if (!endSent) {
            endSent = true;
            to.end();
            if (endedThere) {
                closeIfOver();
            } else if (socket != null && socket.isActive()) {
                awaitPeersEnd(socket);
            }
        }
    }

    // --------------------------------------------------------------------------------------------- from the local
    // socket

    @Override
    public void channelRead(ChannelHandlerContext context, Object arrived) {
        ByteBuf piece = (ByteBuf) arrived;
        if (piece.isReadable()) {
            unsent.add(piece);
            pump();
        } else {
            piece.release();
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        pump(); // a read may come back empty-handed
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            socketEnded = true;
            pump();
        }
    }

    /** Closed after its last byte was read. Where half-closes are not known (NIO) this is how its end shows. */
    @Override
    public void channelInactive(ChannelHandlerContext context) {
        socketEnded = true;
        pump();
    }

    private void awaitPeersEnd(Channel halfClosed) {
        int before = bytesSinceEnd;
        halfClosed
                .eventLoop()
                .schedule(
                        () -> {
                            StreamChannel from = stream;
                            if (from == null || endedThere || !halfClosed.isActive()) {
                                return;
                            }
                            if (bytesSinceEnd != before) {
                                awaitPeersEnd(halfClosed);
                            } else {
                                stream = null;
                                from.reset("the local socket ended, and nothing was sent to it for "
                                        + HALF_CLOSED_SECONDS + " s");
                                halfClosed.close();
                            }
                        },
                        HALF_CLOSED_SECONDS,
                        TimeUnit.SECONDS);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
        StreamChannel to = stream;
        stream = null;
        release();
        if (to != null) {
            to.reset("the local socket failed: " + failure.getMessage());
        }
        context.close();
    }

    // ---------------------------------------------------------------------------------------------------- from the
    // stream

    @Override
    public void opened(StreamChannel opened) {
        stream = opened;
        pump();
    }

    @Override
    public void received(StreamChannel from, ByteBuf piece) {
        bytesSinceEnd += socketEnded ? piece.readableBytes() : 0;
        if (socket == null) {
            early.add(piece); // at most a window of it
        } else {
            toSocket(socket, piece);
        }
    }

    private void toSocket(Channel to, ByteBuf piece) {
        int length = piece.readableBytes();
        to.writeAndFlush(piece).addListener(written -> {
            StreamChannel from = stream;
            if (from != null && written.isSuccess()) {
                from.consumed(length);
            } else if (from != null) {
                stream = null;
                release();
                from.reset("the local socket was closed");
            }
        });
    }

    @Override
    public void writable(StreamChannel to) {
        pump();
    }

    @Override
    public void ended(StreamChannel from) {
        endedThere = true;
        if (socket != null) {
            endOutput(socket);
        }
    }

    /** Behind everything written before. */
    private void endOutput(Channel connected) {
        connected.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(done -> {
            if (connected instanceof DuplexChannel duplex) {
                duplex.shutdownOutput();
            }
            outputEnded = true;
            closeIfOver();
        });
    }

    private void closeIfOver() {
        if (endSent && outputEnded && socket != null) {
            socket.close();
        }
    }

    @Override
    public void closed(StreamChannel gone, String why) {
        release();
        stream = null;
        if (socket != null) {
            socket.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
        }
    }

    private void release() {
        early.forEach(ByteBuf::release);
        early.clear();
        unsent.forEach(ByteBuf::release);
        unsent.clear();
    }
}
