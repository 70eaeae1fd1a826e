package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.nbd.NbdBackend;
import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdExtentsReply;
import dev.pairvm.mirror.nbd.NbdReply;
import dev.pairvm.mirror.store.WriteLog;
import dev.pairvm.mirror.store.WriteLog.Kind;
import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;

/** An export whose writes, zeroes, trims and flushes are taken down with their answers: what the client was told. */
record RecordedExport(NbdBackend export, WriteLog log) implements NbdBackend {
    private static ByteBuffer none() {
        return ByteBuffer.allocate(0);
    }

    @Override
    public void read(long offset, int length, ByteBuf target, NbdReply reply) {
        export.read(offset, length, target, reply);
    }

    @Override
    public void write(long offset, ByteBuf payload, boolean fua, NbdReply reply) {
        WriteLog.Op op =
                log.begin(fua ? Kind.DURABLE_WRITE : Kind.WRITE, offset, payload.readableBytes(), payload.nioBuffer());
        export.write(offset, payload, fua, new Noted(op, reply));
    }

    @Override
    public void zero(long offset, long length, boolean mayPunch, boolean onlyIfFast, boolean fua, NbdReply reply) {
        WriteLog.Op op = log.begin(fua ? Kind.DURABLE_ZERO : Kind.ZERO, offset, length, none());
        export.zero(offset, length, mayPunch, onlyIfFast, fua, new Noted(op, reply));
    }

    @Override
    public void trim(long offset, long length, boolean fua, NbdReply reply) {
        // Copies agree on what was trimmed, so it is zeros: see DiskBackend.
        WriteLog.Op op = log.begin(fua ? Kind.DURABLE_ZERO : Kind.ZERO, offset, length, none());
        export.trim(offset, length, fua, new Noted(op, reply));
    }

    @Override
    public void flush(NbdReply reply) {
        export.flush(new Noted(log.begin(Kind.FLUSH, 0, 0, none()), reply));
    }

    @Override
    public void cache(long offset, long length, NbdReply reply) {
        export.cache(offset, length, reply);
    }

    @Override
    public void blockStatus(long offset, long length, NbdExtentsReply reply) {
        export.blockStatus(offset, length, reply);
    }

    @Override
    public void clientGone(int remaining) {
        export.clientGone(remaining);
    }

    /** Notes before it passes on: what the client knows, the log knows. */
    private final class Noted implements NbdReply {
        private final WriteLog.Op op;
        private final NbdReply reply;

        Noted(WriteLog.Op op, NbdReply reply) {
            this.op = op;
            this.reply = reply;
        }

        @Override
        public void done() {
            log.end(op, true);
            reply.done();
        }

        @Override
        public void failed(NbdError error) {
            log.end(op, false);
            reply.failed(error);
        }

        @Override
        public void abandon() {
            log.end(op, false);
            reply.abandon();
        }
    }
}
