package dev.pairvm.mirror.nbd;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The option haggling of one connection (proto.md, "Fixed newstyle negotiation" and "Option types"). Consumes whole options
 * from the connection's buffer and appends the answers.
 */
final class Handshake {
    /** Longest option that is looked into: a meta context request with some dozen queries; longer ones are skipped. */
    static final int MAX_OPTION_BYTES = 16 << 10;

    private static final int OPTION_HEADER_BYTES = 16;

    /** What the client gets when it enters transmission. */
    record Agreement(NbdExport export, boolean structured, MetaContexts.Selection contexts) {}

    /** How the connection goes on. */
    enum Progress {
        /** Consumed something; call again. */
        AGAIN,
        /** A whole option is not there yet. */
        NEED_MORE,
        /** Over: {@link #agreement} says what was agreed. */
        AGREED,
        /** Send what was answered, then close. */
        CLOSE
    }

    private final NbdExports exports;
    private final Replies replies;
    private boolean greeted;
    private boolean noZeroes;
    private boolean structured;
    private MetaContexts.@Nullable Selection selection;
    private long bytesToSkip;
    private @Nullable Agreement agreement;

    Handshake(NbdExports exports, Replies replies) {
        this.exports = exports;
        this.replies = replies;
    }

    /** Sends the server's first words. */
    void greet() {
        replies.append(18)
                .writeLong(Wire.INIT_MAGIC)
                .writeLong(Wire.OPTION_MAGIC)
                .writeShort(Wire.FLAG_FIXED_NEWSTYLE | Wire.FLAG_NO_ZEROES);
    }

    /** What was agreed, once {@link #consume} said so. */
    Agreement agreement() {
        Agreement agreed = agreement;
        if (agreed == null) {
            throw new IllegalStateException("the handshake is not over");
        }
        return agreed;
    }

    /** Takes the next step with the bytes that are there. */
    Progress consume(ByteBuf in) {
        if (!greeted) {
            return clientFlags(in);
        }
        if (bytesToSkip > 0) {
            int skipped = (int) Math.min(bytesToSkip, in.readableBytes());
            in.skipBytes(skipped);
            bytesToSkip -= skipped;
            return bytesToSkip > 0 ? Progress.NEED_MORE : Progress.AGAIN;
        }
        if (in.readableBytes() < OPTION_HEADER_BYTES) {
            return Progress.NEED_MORE;
        }
        int at = in.readerIndex();
        if (in.getLong(at) != Wire.OPTION_MAGIC) {
            return Progress.CLOSE;
        }
        int option = in.getInt(at + 8);
        long length = in.getUnsignedInt(at + 12);
        if (length > MAX_OPTION_BYTES) {
            return tooBig(in, option, length);
        }
        if (in.readableBytes() < OPTION_HEADER_BYTES + length) {
            return Progress.NEED_MORE;
        }
        in.skipBytes(OPTION_HEADER_BYTES);
        int end = in.readerIndex() + (int) length;
        Progress progress = option(option, in, end);
        in.readerIndex(end);
        return progress;
    }

    private Progress clientFlags(ByteBuf in) {
        if (in.readableBytes() < 4) {
            return Progress.NEED_MORE;
        }
        int flags = in.readInt();
        if ((flags & ~(Wire.FLAG_FIXED_NEWSTYLE | Wire.FLAG_NO_ZEROES)) != 0) {
            return Progress.CLOSE;
        }
        noZeroes = (flags & Wire.FLAG_NO_ZEROES) != 0;
        greeted = true;
        return Progress.AGAIN;
    }

    private Progress tooBig(ByteBuf in, int option, long length) {
        if (option == Wire.OPT_EXPORT_NAME) {
            return Progress.CLOSE;
        }
        in.skipBytes(OPTION_HEADER_BYTES);
        bytesToSkip = length;
        return answer(option, Wire.REP_ERR_TOO_BIG, "options are limited to " + MAX_OPTION_BYTES + " bytes");
    }

    private Progress option(int option, ByteBuf in, int end) {
        return switch (option) {
            case Wire.OPT_EXPORT_NAME -> exportName(in, end);
            case Wire.OPT_ABORT -> {
                answer(option, Wire.REP_ACK, "");
                yield Progress.CLOSE;
            }
            case Wire.OPT_LIST -> in.readerIndex() == end ? list() : invalid(option, "takes no data");
            case Wire.OPT_STARTTLS ->
                in.readerIndex() == end
                        ? answer(option, Wire.REP_ERR_POLICY, "no TLS on a socket that never leaves the pod")
                        : invalid(option, "takes no data");
            case Wire.OPT_INFO, Wire.OPT_GO -> info(option, in, end);
            case Wire.OPT_STRUCTURED_REPLY -> {
                if (in.readerIndex() != end) {
                    yield invalid(option, "takes no data");
                }
                structured = true;
                yield answer(option, Wire.REP_ACK, "");
            }
            case Wire.OPT_LIST_META_CONTEXT, Wire.OPT_SET_META_CONTEXT -> metaContext(option, in, end);
            default -> answer(option, Wire.REP_ERR_UNSUP, "");
        };
    }

    private Progress exportName(ByteBuf in, int end) {
        Optional<NbdExport> export =
                exports.find(in.toString(in.readerIndex(), end - in.readerIndex(), StandardCharsets.UTF_8));
        if (export.isEmpty()) {
            return Progress.CLOSE;
        }
        ByteBuf out = replies.append(10 + 124);
        out.writeLong(export.get().sizeBytes());
        out.writeShort(flagsOf(export.get()));
        if (!noZeroes) {
            out.writeZero(124);
        }
        return agree(export.get());
    }

    private Progress list() {
        for (NbdExport export : exports.all()) {
            byte[] name = export.name().getBytes(StandardCharsets.UTF_8);
            byte[] description = export.description().getBytes(StandardCharsets.UTF_8);
            header(Wire.OPT_LIST, Wire.REP_SERVER, 4 + name.length + description.length)
                    .writeInt(name.length)
                    .writeBytes(name)
                    .writeBytes(description);
        }
        return answer(Wire.OPT_LIST, Wire.REP_ACK, "");
    }

    private Progress info(int option, ByteBuf in, int end) {
        String name = string(in, end - 2);
        if (name == null) {
            return invalid(option, "length of the export name is wrong");
        }
        int requests = in.readUnsignedShort();
        if (end - in.readerIndex() != 2 * requests) {
            return invalid(option, "number of information requests is wrong");
        }
        Optional<NbdExport> found = exports.find(name);
        if (found.isEmpty()) {
            return answer(option, Wire.REP_ERR_UNKNOWN, "no such export");
        }
        NbdExport export = found.get();
        header(option, Wire.REP_INFO, 12)
                .writeShort(Wire.INFO_EXPORT)
                .writeLong(export.sizeBytes())
                .writeShort(flagsOf(export));
        for (int i = 0; i < requests; i++) {
            inform(option, in.readUnsignedShort(), export);
        }
        answer(option, Wire.REP_ACK, "");
        return option == Wire.OPT_GO ? agree(export) : Progress.AGAIN;
    }

    private void inform(int option, int wanted, NbdExport export) {
        switch (wanted) {
            case Wire.INFO_NAME -> text(option, wanted, export.name());
            case Wire.INFO_DESCRIPTION -> text(option, wanted, export.description());
            case Wire.INFO_BLOCK_SIZE ->
                header(option, Wire.REP_INFO, 14)
                        .writeShort(wanted)
                        .writeInt(export.minimumBlockBytes())
                        .writeInt(Math.max(4096, export.minimumBlockBytes()))
                        .writeInt(NbdLimits.MAX_REQUEST_BYTES);
            default -> {
                // Export was sent already; what is not known is to be ignored.
            }
        }
    }

    private void text(int option, int kind, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        header(option, Wire.REP_INFO, 2 + bytes.length).writeShort(kind).writeBytes(bytes);
    }

    private Progress metaContext(int option, ByteBuf in, int end) {
        boolean set = option == Wire.OPT_SET_META_CONTEXT;
        if (set) {
            // Whatever comes of it, an earlier selection is gone.
            selection = null;
        }
        if (!structured) {
            return invalid(option, "structured replies come first");
        }
        String name = string(in, end - 4);
        if (name == null) {
            return invalid(option, "length of the export name is wrong");
        }
        long announced = in.readUnsignedInt();
        List<String> queries = new ArrayList<>();
        for (long i = 0; i < announced; i++) {
            String query = string(in, end);
            if (query == null) {
                return invalid(option, "length of a query is wrong");
            }
            queries.add(query);
        }
        if (in.readerIndex() != end) {
            return invalid(option, "data follow the last query");
        }
        Optional<NbdExport> export = exports.find(name);
        if (export.isEmpty()) {
            return answer(option, Wire.REP_ERR_UNKNOWN, "no such export");
        }
        if (!set) {
            MetaContexts.list(export.get(), queries).forEach(context -> context(option, 0, context));
        } else if (MetaContexts.beginsTooMany(queries)) {
            return invalid(option, "at most " + ChangeBitmaps.MOST + " records of changes can begin");
        } else {
            MetaContexts.Selection selected = MetaContexts.select(export.get(), queries);
            int id = MetaContexts.ALLOCATION_ID;
            if (selected.allocation()) {
                context(option, id, MetaContexts.ALLOCATION);
            }
            for (MetaContexts.Changes changes : selected.changes()) {
                context(option, ++id, changes.context());
            }
            selection = selected;
        }
        return answer(option, Wire.REP_ACK, "");
    }

    private void context(int option, int id, String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        header(option, Wire.REP_META_CONTEXT, 4 + bytes.length).writeInt(id).writeBytes(bytes);
    }

    /** A string with its length before it, which must end at or before {@code limit}; null if it does not. */
    private static @Nullable String string(ByteBuf in, int limit) {
        if (limit - in.readerIndex() < 4) {
            return null;
        }
        long length = in.readUnsignedInt();
        if (length > limit - in.readerIndex() || length > 4096) {
            return null;
        }
        return in.readCharSequence((int) length, StandardCharsets.UTF_8).toString();
    }

    private Progress agree(NbdExport export) {
        MetaContexts.Selection selected = selection;
        // A selection of another export is none (proto.md, "NBD_OPT_SET_META_CONTEXT").
        agreement = new Agreement(
                export,
                structured,
                selected != null && selected.export().equals(export)
                        ? selected
                        : new MetaContexts.Selection(export, false, List.of()));
        return Progress.AGREED;
    }

    private int flagsOf(NbdExport export) {
        int flags = Wire.FLAG_HAS_FLAGS
                | Wire.FLAG_SEND_FLUSH
                | Wire.FLAG_SEND_FUA
                | Wire.FLAG_CAN_MULTI_CONN
                | Wire.FLAG_SEND_CACHE;
        if (structured) {
            flags |= Wire.FLAG_SEND_DF;
        }
        return export.readOnly()
                ? flags | Wire.FLAG_READ_ONLY
                : flags | Wire.FLAG_SEND_TRIM | Wire.FLAG_SEND_WRITE_ZEROES | Wire.FLAG_SEND_FAST_ZERO;
    }

    private Progress invalid(int option, String why) {
        return answer(option, Wire.REP_ERR_INVALID, why);
    }

    private Progress answer(int option, int type, String message) {
        byte[] bytes = message.getBytes(StandardCharsets.UTF_8);
        header(option, type, bytes.length).writeBytes(bytes);
        return Progress.AGAIN;
    }

    private ByteBuf header(int option, int type, int length) {
        return replies.append(20 + length)
                .writeLong(Wire.OPTION_REPLY_MAGIC)
                .writeInt(option)
                .writeInt(type)
                .writeInt(length);
    }
}
