package dev.pairvm.mirror.nbd;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;

/**
 * The client's side of the fixed newstyle handshake (proto.md, "Fixed newstyle negotiation"): one {@code GO} for one export, no other
 * option, then this handler leaves the pipeline. A server that says anything else is refused; its words are bounded to 64 KiB.
 */
final class NbdClientHandshake extends ByteToMessageDecoder {
    private static final int MOST_REPLY_BYTES = 64 << 10;
    private static final int OPTION_REPLY_HEAD_BYTES = 20;
    private static final int GREETING_BYTES = 18;

    /** What the server said of the export. */
    record Export(long sizeBytes, int flags) {
        boolean has(int flag) {
            return (flags & flag) != 0;
        }
    }

    private final String name;
    private final Consumer<Export> opened;
    private final Consumer<Throwable> refused;
    private boolean greeted;
    private boolean over;
    private long sizeBytes = -1;
    private int flags;

    /** Exactly one of the two is called, unless the connection can not be made at all. */
    NbdClientHandshake(String name, Consumer<Export> opened, Consumer<Throwable> refused) {
        this.name = name;
        this.opened = opened;
        this.refused = refused;
    }

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) throws IOException {
        if (over) {
            return;
        }
        if (!greeted) {
            if (in.readableBytes() >= GREETING_BYTES) {
                greet(context, in);
            }
        } else if (in.readableBytes() >= OPTION_REPLY_HEAD_BYTES) {
            optionReply(context, in);
        }
    }

    private void greet(ChannelHandlerContext context, ByteBuf in) throws IOException {
        check(
                in.readLong() == Wire.INIT_MAGIC && in.readLong() == Wire.OPTION_MAGIC,
                "is no NBD server of the newstyle");
        int offered = in.readUnsignedShort();
        check((offered & Wire.FLAG_FIXED_NEWSTYLE) != 0, "does not know the fixed newstyle");
        greeted = true;
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        ByteBuf words = context.alloc().buffer();
        words.writeInt(Wire.FLAG_FIXED_NEWSTYLE | offered & Wire.FLAG_NO_ZEROES);
        words.writeLong(Wire.OPTION_MAGIC).writeInt(Wire.OPT_GO).writeInt(4 + bytes.length + 2);
        words.writeInt(bytes.length).writeBytes(bytes).writeShort(0);
        context.writeAndFlush(words);
    }

    private void optionReply(ChannelHandlerContext context, ByteBuf in) throws IOException {
        int start = in.readerIndex();
        long magic = in.readLong();
        int option = in.readInt();
        int type = in.readInt();
        long length = in.readUnsignedInt();
        check(magic == Wire.OPTION_REPLY_MAGIC && option == Wire.OPT_GO, "answered another option");
        check(length <= MOST_REPLY_BYTES, "answered " + length + " bytes");
        if (in.readableBytes() < length) {
            in.readerIndex(start);
            return;
        }
        ByteBuf data = in.readSlice((int) length);
        if (type == Wire.REP_INFO) {
            check(length >= 2, "gave an empty information");
            if (data.readUnsignedShort() == Wire.INFO_EXPORT) {
                check(length == 12, "gave a malformed size");
                sizeBytes = data.readLong();
                flags = data.readUnsignedShort();
            }
        } else {
            check(
                    type == Wire.REP_ACK,
                    "refused it, 0x" + Integer.toHexString(type) + ": " + data.toString(StandardCharsets.UTF_8));
            check(sizeBytes >= 0, "did not say how large it is");
            over = true;
            opened.accept(new Export(sizeBytes, flags));
            context.pipeline().remove(this);
        }
    }

    private void check(boolean holds, String otherwise) throws IOException {
        if (!holds) {
            throw new IOException("the server of export " + name + " " + otherwise);
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
        over = true;
        refused.accept(failure.getCause() instanceof IOException said ? said : failure);
        context.close();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) throws Exception {
        if (!over) {
            over = true;
            refused.accept(new IOException("the server of export " + name + " hung up"));
        }
        super.channelInactive(context);
    }
}
