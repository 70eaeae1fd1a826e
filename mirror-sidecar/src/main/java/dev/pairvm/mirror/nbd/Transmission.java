package dev.pairvm.mirror.nbd;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * The transmission phase of one connection (proto.md, "Transmission"): checks requests, hands them to the backend, keeps count of
 * what is under way, and puts the answers into words.
 */
final class Transmission {
    /** Request objects kept for reuse. */
    private static final int MAX_POOLED = 64;

    /** How the connection goes on. */
    enum Progress {
        AGAIN,
        WAIT,
        CLOSE,
        CLOSE_WHEN_DONE
    }

    private final NbdConnection connection;
    private final ByteBufAllocator allocator;
    private final Replies replies;
    private final NbdExport export;
    private final boolean structured;
    private final MetaContexts.Selection contexts;
    private final NbdLimits limits;
    private final ArrayDeque<Request> free = new ArrayDeque<>();
    private @Nullable Request receiving;
    private long bytesToSkip;
    private int requests;
    private long bytes;
    private boolean full;
    private boolean disconnected;

    Transmission(
            NbdConnection connection,
            ByteBufAllocator allocator,
            Replies replies,
            Handshake.Agreement agreement,
            NbdLimits limits) {
        this.connection = connection;
        this.allocator = allocator;
        this.replies = replies;
        this.export = agreement.export();
        this.structured = agreement.structured();
        this.contexts = agreement.contexts();
        this.limits = limits;
    }

    /** The write payload that the next bytes of the socket belong to, if one is incomplete. */
    @Nullable
    ByteBuf payloadBeingReceived() {
        return receiving == null ? null : receiving.buffer();
    }

    /** Whether there is use for more bytes of the socket. */
    boolean mayReceive() {
        return !full;
    }

    /** Whether nothing is under way. */
    boolean isIdle() {
        return requests == 0;
    }

    /** The export that was agreed on. */
    NbdExport export() {
        return export;
    }

    /** Takes the next step with the bytes that are there. */
    Progress consume(ByteBuf in) {
        Request incomplete = receiving;
        if (incomplete != null) {
            return receive(incomplete, in);
        }
        if (bytesToSkip > 0) {
            int skipped = (int) Math.min(bytesToSkip, in.readableBytes());
            in.skipBytes(skipped);
            bytesToSkip -= skipped;
            return bytesToSkip > 0 ? Progress.WAIT : Progress.AGAIN;
        }
        if (in.readableBytes() < Wire.REQUEST_BYTES) {
            full = false;
            return Progress.WAIT;
        }
        return request(in);
    }

    private Progress request(ByteBuf in) {
        int at = in.readerIndex();
        if (in.getInt(at) != Wire.REQUEST_MAGIC) {
            return Progress.CLOSE;
        }
        int flags = in.getUnsignedShort(at + 4);
        int command = in.getUnsignedShort(at + 6);
        long cookie = in.getLong(at + 8);
        long offset = in.getLong(at + 16);
        long length = in.getUnsignedInt(at + 24);
        if (command == Wire.CMD_DISC) {
            return Progress.CLOSE_WHEN_DONE;
        }
        NbdError refusal = refusal(command, flags, offset, length);
        if (refusal != null) {
            in.skipBytes(Wire.REQUEST_BYTES);
            if (command == Wire.CMD_WRITE) {
                bytesToSkip = length;
            }
            refuse(command, cookie, refusal);
            return Progress.AGAIN;
        }
        if (length == 0 && command != Wire.CMD_FLUSH) {
            // Left open by the protocol; nothing to do, so the backends need not know of it.
            in.skipBytes(Wire.REQUEST_BYTES);
            replyEmpty(command, cookie);
            return Progress.AGAIN;
        }
        long charge = command == Wire.CMD_READ || command == Wire.CMD_WRITE ? length : 0;
        full = requests >= limits.maxInFlightRequests()
                || bytes > 0 && charge > 0 && bytes + charge > limits.maxInFlightBytes();
        if (full) {
            return Progress.WAIT;
        }
        in.skipBytes(Wire.REQUEST_BYTES);
        requests++;
        bytes += charge;
        Request request = free.poll();
        if (request == null) {
            request = new Request(this);
        }
        request.begin(command, flags, cookie, offset, length);
        if (command == Wire.CMD_WRITE) {
            request.buffer(allocator.directBuffer((int) length, (int) length));
            receiving = request;
            return Progress.AGAIN;
        }
        dispatch(request);
        return Progress.AGAIN;
    }

    private Progress receive(Request request, ByteBuf in) {
        ByteBuf payload = request.buffer();
        int take = Math.min(in.readableBytes(), payload.writableBytes());
        if (take > 0) {
            payload.writeBytes(in, take);
        }
        if (payload.isWritable()) {
            return Progress.WAIT;
        }
        receiving = null;
        dispatch(request);
        return Progress.AGAIN;
    }

    private @Nullable NbdError refusal(int command, int flags, long offset, long length) {
        int allowed = allowedFlags(command);
        if (allowed < 0 || (flags & ~allowed) != 0) {
            return NbdError.EINVAL;
        }
        boolean writes = command == Wire.CMD_WRITE || command == Wire.CMD_WRITE_ZEROES || command == Wire.CMD_TRIM;
        if (writes && export.readOnly()) {
            return NbdError.EPERM;
        }
        if (command == Wire.CMD_FLUSH) {
            return offset == 0 && length == 0 ? null : NbdError.EINVAL;
        }
        boolean transfers = command == Wire.CMD_READ || command == Wire.CMD_WRITE;
        if (transfers && length > NbdLimits.MAX_REQUEST_BYTES || command == Wire.CMD_BLOCK_STATUS && length == 0) {
            return NbdError.EINVAL;
        }
        if (offset < 0 || offset > export.sizeBytes() - length) {
            return writes ? NbdError.ENOSPC : NbdError.EINVAL;
        }
        int block = export.minimumBlockBytes();
        return offset % block == 0 && length % block == 0 ? null : NbdError.EINVAL;
    }

    /** The flags that a command may carry; -1 for a command that is unknown or was not agreed on. */
    private int allowedFlags(int command) {
        // FUA is to be accepted on every command (proto.md, "Command flags").
        return switch (command) {
            case Wire.CMD_READ -> Wire.CMD_FLAG_FUA | (structured ? Wire.CMD_FLAG_DF : 0);
            case Wire.CMD_WRITE, Wire.CMD_FLUSH, Wire.CMD_TRIM, Wire.CMD_CACHE -> Wire.CMD_FLAG_FUA;
            case Wire.CMD_WRITE_ZEROES -> Wire.CMD_FLAG_FUA | Wire.CMD_FLAG_NO_HOLE | Wire.CMD_FLAG_FAST_ZERO;
            case Wire.CMD_BLOCK_STATUS -> contexts.isEmpty() ? -1 : Wire.CMD_FLAG_FUA | Wire.CMD_FLAG_REQ_ONE;
            default -> -1;
        };
    }

    private void dispatch(Request request) {
        NbdBackend backend = export.backend();
        long offset = request.offset();
        long length = request.length();
        boolean fua = request.has(Wire.CMD_FLAG_FUA);
        noteChange(request);
        switch (request.command()) {
            case Wire.CMD_READ -> {
                ByteBuf target = readTarget((int) length);
                request.buffer(target);
                backend.read(offset, (int) length, target, request);
            }
            case Wire.CMD_WRITE -> backend.write(offset, request.buffer(), fua, request);
            case Wire.CMD_FLUSH -> backend.flush(request);
            case Wire.CMD_TRIM -> backend.trim(offset, length, fua, request);
            case Wire.CMD_CACHE -> backend.cache(offset, length, request);
            case Wire.CMD_WRITE_ZEROES ->
                backend.zero(
                        offset,
                        length,
                        !request.has(Wire.CMD_FLAG_NO_HOLE),
                        request.has(Wire.CMD_FLAG_FAST_ZERO),
                        fua,
                        request);
            case Wire.CMD_BLOCK_STATUS -> {
                if (contexts.allocation()) {
                    backend.blockStatus(offset, length, request);
                } else {
                    request.done();
                }
            }
            default -> throw new IllegalStateException("command " + request.command() + " was not refused");
        }
    }

    /** Room for the reply to a read, the writer index where its data begin. */
    ByteBuf readTarget(int length) {
        int header = readHeaderBytes();
        ByteBuf target = allocator.directBuffer(header + length, header + length);
        return target.writerIndex(header);
    }

    /** Bytes before the data of a read reply. */
    private int readHeaderBytes() {
        return structured ? Wire.CHUNK_HEADER_BYTES + 8 : Wire.SIMPLE_REPLY_BYTES;
    }

    /** A request will never be answered. */
    void abandoned(Request request) {
        uncount(request);
        noteChange(request);
        request.releaseBuffer();
        recycle(request);
        if (!disconnected) {
            connection.abort();
        } else {
            tellIfIdle();
        }
    }

    private void tellIfIdle() {
        if (requests == 0) {
            connection.orphansEnded();
        }
    }

    private void uncount(Request request) {
        requests--;
        if (request.command() == Wire.CMD_READ || request.command() == Wire.CMD_WRITE) {
            bytes -= request.length();
        }
    }

    /** A request is answered; {@code error} is null when it succeeded. */
    void ended(Request request, @Nullable NbdError error) {
        uncount(request);
        noteChange(request);
        if (disconnected) {
            request.releaseBuffer();
            recycle(request);
            tellIfIdle();
            return;
        }
        if (error != null) {
            request.releaseBuffer();
            refuse(request.command(), request.cookie(), error);
        } else {
            switch (request.command()) {
                case Wire.CMD_READ -> replyRead(request);
                case Wire.CMD_BLOCK_STATUS -> replyExtents(request);
                default -> {
                    request.releaseBuffer();
                    simple(request.cookie(), 0);
                }
            }
        }
        recycle(request);
        if (!connection.isClosing()) {
            connection.requestEnded();
        } else if (requests == 0) {
            connection.lastRequestEnded();
        } else {
            replies.flushLater();
        }
    }

    private void recycle(Request request) {
        if (free.size() < MAX_POOLED) {
            free.push(request);
        }
    }

    private void replyRead(Request request) {
        ByteBuf reply = request.takeBuffer();
        int header = readHeaderBytes();
        long length = request.length();
        if (reply.writerIndex() != header + length) {
            int got = reply.writerIndex() - header;
            reply.release();
            throw new IllegalStateException("the backend read " + got + " bytes instead of " + length);
        }
        if (!structured) {
            reply.setInt(0, Wire.SIMPLE_REPLY_MAGIC).setInt(4, 0).setLong(8, request.cookie());
        } else {
            reply.setInt(0, Wire.STRUCTURED_REPLY_MAGIC)
                    .setShort(4, Wire.REPLY_FLAG_DONE)
                    .setShort(6, Wire.REPLY_OFFSET_DATA)
                    .setLong(8, request.cookie())
                    .setInt(16, 8 + (int) length)
                    .setLong(20, request.offset());
        }
        replies.send(reply);
    }

    private void replyExtents(Request request) {
        int last = contexts.changes().size();
        if (contexts.allocation()) {
            replyExtents(request, MetaContexts.ALLOCATION_ID, last == 0, request.finishExtents(allocator));
        }
        for (int i = 0; i < last; i++) {
            replyExtents(
                    request,
                    MetaContexts.ALLOCATION_ID + 1 + i,
                    i == last - 1,
                    changes(request, contexts.changes().get(i)));
        }
    }

    private void replyExtents(Request request, int context, boolean done, ByteBuf extents) {
        chunk(Wire.REPLY_BLOCK_STATUS, done ? Wire.REPLY_FLAG_DONE : 0, request.cookie(), 4 + extents.readableBytes())
                .writeInt(context);
        if (extents.readableBytes() <= 4096) {
            replies.append(extents.readableBytes()).writeBytes(extents);
            extents.release();
        } else {
            replies.sendBehind(extents);
        }
    }

    private ByteBuf changes(Request request, MetaContexts.Changes changes) {
        ByteBuf list = extentsBuffer();
        long at = request.offset();
        long end = at + request.length();
        int most = request.has(Wire.CMD_FLAG_REQ_ONE) ? 1 : Request.MAX_EXTENTS;
        for (int i = 0; i < most && at < end; i++) {
            ChangeBitmaps.Bitmap bitmap = changes.bitmap().orElse(null);
            long until = bitmap == null ? end : bitmap.sameUntil(at, end);
            boolean dirty = bitmap == null || bitmap.isDirty(at);
            list.writeInt((int) (until - at)).writeInt(dirty ? Wire.STATE_DIRTY : 0);
            at = until;
        }
        return list;
    }

    /** Both when a change begins and when it is over; see {@link ChangeBitmaps}. */
    private void noteChange(Request request) {
        if (export.changes().isPresent()) {
            int command = request.command();
            if (command == Wire.CMD_WRITE || command == Wire.CMD_TRIM || command == Wire.CMD_WRITE_ZEROES) {
                export.changes().get().changed(request.offset(), request.length());
            }
        }
    }

    /** A buffer for block status descriptors. */
    ByteBuf extentsBuffer() {
        return allocator.directBuffer(64 * 8, Request.MAX_EXTENTS * 8);
    }

    private void refuse(int command, long cookie, NbdError error) {
        if (structured && (command == Wire.CMD_READ || command == Wire.CMD_BLOCK_STATUS)) {
            chunk(Wire.REPLY_ERROR, cookie, 6).writeInt(error.wire()).writeShort(0);
        } else {
            simple(cookie, error.wire());
        }
    }

    private void replyEmpty(int command, long cookie) {
        if (structured && command == Wire.CMD_READ) {
            chunk(Wire.REPLY_NONE, cookie, 0);
        } else {
            simple(cookie, 0);
        }
    }

    private void simple(long cookie, int error) {
        replies.append(Wire.SIMPLE_REPLY_BYTES)
                .writeInt(Wire.SIMPLE_REPLY_MAGIC)
                .writeInt(error)
                .writeLong(cookie);
    }

    private ByteBuf chunk(int type, long cookie, int payload) {
        return chunk(type, Wire.REPLY_FLAG_DONE, cookie, payload);
    }

    private ByteBuf chunk(int type, int flags, long cookie, int payload) {
        return replies.append(Wire.CHUNK_HEADER_BYTES + 8)
                .writeInt(Wire.STRUCTURED_REPLY_MAGIC)
                .writeShort(flags)
                .writeShort(type)
                .writeLong(cookie)
                .writeInt(payload);
    }

    /** The client is gone: what is under way ends without an answer, and its connection is told when all of it has. */
    void disconnected() {
        disconnected = true;
        Request incomplete = receiving;
        receiving = null;
        if (incomplete != null) {
            uncount(incomplete);
            incomplete.releaseBuffer();
        }
        tellIfIdle();
    }
}
