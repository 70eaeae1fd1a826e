package dev.pairvm.mirror.nbd;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEventLoop;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Writes to one export of another NBD server: the one inside the standby's QEMU, which takes this pair's writes while it runs as the
 * active's twin (level 3). Fixed newstyle, {@code GO}, simple replies; it does not read and does not connect anew, for a session whose
 * connection broke is over.
 *
 * <p>Called on the event loop, which also calls the answers back. At most {@link #MOST_OUTSTANDING} requests are under way at once;
 * every one is answered exactly once, with {@link #GONE} when the connection ended first: then the write may or may not have been
 * carried out.
 */
public final class NbdClient implements AutoCloseable {
    /** Requests under way: as many as the pair's protocol lets run. */
    public static final int MOST_OUTSTANDING = 2048;
    /** Answer to what was under way, or begun, when the connection had ended: ESHUTDOWN. */
    public static final int GONE = 108;

    private static final int CONNECT_SECONDS = 5;

    /** Told once how a request ended. */
    @FunctionalInterface
    public interface Answer {
        /**
         * The request ended.
         *
         * @param errno 0, or why it failed
         */
        void answered(int errno);
    }

    private final Channel channel;
    private final NbdClientHandshake.Export export;
    private final @Nullable Answer[] underWay = new Answer[MOST_OUTSTANDING];
    private final int[] free = new int[MOST_OUTSTANDING];
    private int freeCount = MOST_OUTSTANDING;
    private @Nullable Runnable ended;
    private boolean flushing;
    private boolean gone;

    private NbdClient(Channel channel, NbdClientHandshake.Export export) {
        this.channel = channel;
        this.export = export;
        for (int i = 0; i < free.length; i++) {
            free[i] = free.length - 1 - i;
        }
    }

    /**
     * Connects to a unix socket and opens an export.
     *
     * @param sizeBytes the size that it must have
     * @param loop epoll or NIO
     * @return completes on the loop; fails with an {@link IOException} that names what the server said, within 5 s
     */
    public static CompletableFuture<NbdClient> connect(Path socket, String export, long sizeBytes, EventLoop loop) {
        CompletableFuture<NbdClient> opened = new CompletableFuture<>();
        boolean epoll = loop instanceof IoEventLoop io && io.isCompatible(EpollIoHandle.class);
        var connecting = new Bootstrap()
                .group(loop)
                .channel(epoll ? EpollDomainSocketChannel.class : NioDomainSocketChannel.class)
                .handler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline()
                                .addLast(new NbdClientHandshake(
                                        export,
                                        found -> begin(channel, export, found, sizeBytes, opened),
                                        opened::completeExceptionally));
                    }
                })
                .connect(epoll ? new DomainSocketAddress(socket.toFile()) : UnixDomainSocketAddress.of(socket))
                .addListener(done -> {
                    if (!done.isSuccess()) {
                        opened.completeExceptionally(new IOException(
                                "cannot connect to " + socket + ": "
                                        + done.cause().getMessage(),
                                done.cause()));
                    }
                });
        loop.schedule(
                () -> {
                    if (opened.completeExceptionally(new IOException("export " + export + " at " + socket
                            + " was not opened within " + CONNECT_SECONDS + " s"))) {
                        connecting.channel().close();
                    }
                },
                CONNECT_SECONDS,
                TimeUnit.SECONDS);
        return opened;
    }

    private static void begin(
            Channel channel,
            String name,
            NbdClientHandshake.Export found,
            long sizeBytes,
            CompletableFuture<NbdClient> opened) {
        String refusal = found.sizeBytes() != sizeBytes
                ? "has " + found.sizeBytes() + " bytes, not " + sizeBytes
                : !found.has(Wire.FLAG_SEND_FLUSH) || found.has(Wire.FLAG_READ_ONLY)
                        ? "can not be written and flushed"
                        : "";
        if (!refusal.isEmpty()) {
            opened.completeExceptionally(new IOException("export " + name + " " + refusal));
            channel.close();
            return;
        }
        NbdClient client = new NbdClient(channel, found);
        channel.pipeline().addLast(client.new Replies());
        opened.complete(client);
    }

    /** Called once, on the loop, when the connection has ended, after the last answer. */
    public void onEnd(Runnable listener) {
        ended = listener;
        if (gone) {
            listener.run();
        }
    }

    /**
     * Writes the readable bytes of {@code payload}, which is retained until they are sent and not changed.
     *
     * @param durable whether they must be durable when it is answered (FUA)
     */
    public void write(long offset, ByteBuf payload, boolean durable, Answer answer) {
        if (begin(Wire.CMD_WRITE, offset, payload.readableBytes(), durable, answer)) {
            channel.write(payload.retainedDuplicate());
            flushSoon();
        }
    }

    /** Makes a range read as zeros, {@code length} ≤ 4 GiB - 1. */
    public void zero(long offset, long length, boolean durable, Answer answer) {
        if (!export.has(Wire.FLAG_SEND_WRITE_ZEROES)) {
            throw new IllegalStateException("the export takes no zeroes");
        }
        if (begin(Wire.CMD_WRITE_ZEROES, offset, length, durable, answer)) {
            flushSoon();
        }
    }

    /** Makes everything durable that was answered before. */
    public void flush(Answer answer) {
        if (begin(Wire.CMD_FLUSH, 0, 0, false, answer)) {
            flushSoon();
        }
    }

    private boolean begin(int command, long offset, long length, boolean durable, Answer answer) {
        if (offset < 0 || length < 0 || length > 0xffffffffL || offset > export.sizeBytes() - length) {
            throw new IllegalArgumentException("[" + offset + ", +" + length + ") is not within the export");
        }
        if (gone) {
            answer.answered(GONE);
            return false;
        }
        boolean fua = durable && export.has(Wire.FLAG_SEND_FUA);
        if (durable && !fua) {
            throw new IllegalStateException("the export can not write durably");
        }
        int slot = take(answer);
        channel.write(channel.alloc()
                .ioBuffer(Wire.REQUEST_BYTES, Wire.REQUEST_BYTES)
                .writeInt(Wire.REQUEST_MAGIC)
                .writeShort(fua ? Wire.CMD_FLAG_FUA : 0)
                .writeShort(command)
                .writeLong(slot)
                .writeLong(offset)
                .writeInt((int) length));
        return true;
    }

    private int take(Answer answer) {
        if (freeCount == 0) {
            throw new IllegalStateException(MOST_OUTSTANDING + " requests are under way already");
        }
        int slot = free[--freeCount];
        underWay[slot] = answer;
        return slot;
    }

    /** One system call for what is begun in one turn of the loop. */
    private void flushSoon() {
        if (!flushing) {
            flushing = true;
            channel.eventLoop().execute(() -> {
                flushing = false;
                channel.flush();
            });
        }
    }

    /** Ends the connection; what is under way is answered with {@link #GONE}. */
    @Override
    public void close() {
        channel.close();
    }

    /** What the server answers: 16 bytes each. */
    private final class Replies extends ChannelInboundHandlerAdapter {
        private @Nullable ByteBuf rest;

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            ByteBuf in = (ByteBuf) message;
            try {
                take(context, in);
            } finally {
                in.release();
            }
        }

        private void take(ChannelHandlerContext context, ByteBuf in) {
            while (in.isReadable()) {
                ByteBuf reply = in;
                ByteBuf begun = rest;
                if (begun != null || in.readableBytes() < Wire.SIMPLE_REPLY_BYTES) {
                    if (begun == null) {
                        begun = context.alloc().buffer(Wire.SIMPLE_REPLY_BYTES, Wire.SIMPLE_REPLY_BYTES);
                        rest = begun;
                    }
                    begun.writeBytes(in, Math.min(in.readableBytes(), begun.writableBytes()));
                    if (begun.isWritable()) {
                        return;
                    }
                    rest = null;
                    reply = begun;
                }
                boolean understood = reply(reply);
                if (reply != in) {
                    reply.release();
                }
                if (!understood) {
                    context.close();
                    return;
                }
            }
        }

        private boolean reply(ByteBuf in) {
            int magic = in.readInt();
            int errno = in.readInt();
            long slot = in.readLong();
            Answer answer = slot < 0 || slot >= underWay.length ? null : underWay[(int) slot];
            if (magic != Wire.SIMPLE_REPLY_MAGIC || answer == null) {
                return false;
            }
            underWay[(int) slot] = null;
            free[freeCount++] = (int) slot;
            answer.answered(errno);
            return true;
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            gone = true;
            ByteBuf begun = rest;
            rest = null;
            if (begun != null) {
                begun.release();
            }
            for (int slot = 0; slot < underWay.length; slot++) {
                Answer answer = underWay[slot];
                underWay[slot] = null;
                if (answer != null) {
                    answer.answered(GONE);
                }
            }
            Runnable listener = ended;
            if (listener != null) {
                listener.run();
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
            context.close();
        }
    }
}
