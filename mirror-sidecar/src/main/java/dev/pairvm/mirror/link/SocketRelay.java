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
import org.jspecify.annotations.Nullable;

/**
 * Joins one local socket and one stream, byte for byte, half-closes included. Reads the socket only when the stream takes the next
 * piece, and credits the peer only when the socket has taken the last: neither side can fill this process. Event loop only.
 */
final class SocketRelay extends ChannelInboundHandlerAdapter implements StreamChannel.Handler {
    private final ArrayDeque<ByteBuf> early = new ArrayDeque<>();
    private @Nullable Channel socket;
    private @Nullable StreamChannel stream;
    private boolean endedThere;
    private boolean socketEnded;

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
        readMore();
    }

    void streamIs(StreamChannel opened) {
        stream = opened;
    }

    private void readMore() {
        if (socket != null && !socketEnded && stream != null && stream.canWrite()) {
            socket.read();
        }
    }

    // --------------------------------------------------------------------------------------------- from the local
    // socket

    @Override
    public void channelRead(ChannelHandlerContext context, Object arrived) {
        ByteBuf piece = (ByteBuf) arrived;
        if (stream != null && stream.canWrite() && piece.isReadable()) {
            stream.write(piece);
        } else {
            piece.release();
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        readMore(); // a read may come back empty-handed
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (event instanceof ChannelInputShutdownEvent && !socketEnded) {
            socketEnded = true;
            if (stream != null) {
                stream.end();
            }
        }
    }

    /** Closed after its last byte was read. Where half-closes are not known (NIO) this is how its end shows. */
    @Override
    public void channelInactive(ChannelHandlerContext context) {
        if (!socketEnded) {
            socketEnded = true;
            if (stream != null) {
                stream.end();
            }
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
        if (stream != null) {
            stream.reset("the local socket failed: " + failure.getMessage());
        }
        context.close();
    }

    // ---------------------------------------------------------------------------------------------------- from the
    // stream

    @Override
    public void opened(StreamChannel opened) {
        stream = opened;
        readMore();
    }

    @Override
    public void received(StreamChannel from, ByteBuf piece) {
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
                from.reset("the local socket was closed");
            }
        });
    }

    @Override
    public void writable(StreamChannel to) {
        readMore();
    }

    @Override
    public void ended(StreamChannel from) {
        endedThere = true;
        if (socket instanceof DuplexChannel duplex) {
            // behind everything written before
            socket.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(done -> {
                duplex.shutdownOutput();
                closeIfOver();
            });
        }
    }

    private void closeIfOver() {
        if (socketEnded && endedThere && socket != null) {
            socket.close();
        }
    }

    @Override
    public void closed(StreamChannel gone, String why) {
        early.forEach(ByteBuf::release);
        early.clear();
        stream = null;
        if (socket != null) {
            socket.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
        }
    }
}
