package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.control.MirrorMetrics;
import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdReply;
import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** Measures each request of one disk from its arrival to its answer. Event loop only. */
final class MeteredDisk implements DiskCounters {
    private final MirrorMetrics.DiskMeter meter;
    /** As many as were ever under way at once. */
    private final ArrayDeque<Timed> free = new ArrayDeque<>();

    MeteredDisk(MirrorMetrics.DiskMeter meter) {
        this.meter = meter;
    }

    private enum Kind {
        READ,
        WRITE,
        FLUSH
    }

    @Override
    public NbdReply read(int bytes, NbdReply reply) {
        return timed(Kind.READ, bytes, reply);
    }

    @Override
    public NbdReply write(int bytes, NbdReply reply) {
        return timed(Kind.WRITE, bytes, reply);
    }

    @Override
    public NbdReply flush(NbdReply reply) {
        return timed(Kind.FLUSH, 0, reply);
    }

    private Timed timed(Kind kind, int bytes, NbdReply reply) {
        Timed kept = free.poll();
        Timed timed = kept == null ? new Timed() : kept;
        timed.kind = kind;
        timed.bytes = bytes;
        timed.reply = reply;
        timed.began = System.nanoTime();
        return timed;
    }

    private final class Timed implements NbdReply {
        private Kind kind = Kind.READ;
        private int bytes;
        private @Nullable NbdReply reply;
        private long began;

        @Override
        public void done() {
            count(true);
            over().done();
        }

        @Override
        public void failed(NbdError error) {
            count(false);
            over().failed(error);
        }

        @Override
        public ByteBuf replaceTarget() {
            NbdReply client = reply;
            if (client == null) {
                throw new IllegalStateException("the request was answered");
            }
            return client.replaceTarget();
        }

        @Override
        public void abandon() {
            over().abandon();
        }

        /** The client; this object is free for another request. */
        private NbdReply over() {
            NbdReply client = reply;
            if (client == null) {
                throw new IllegalStateException("a request was answered twice");
            }
            reply = null;
            free.push(this);
            return client;
        }

        private void count(boolean ok) {
            long nanos = System.nanoTime() - began;
            switch (kind) {
                case READ -> meter.read(bytes, nanos, ok);
                case WRITE -> meter.write(bytes, nanos, ok);
                case FLUSH -> meter.flush(nanos, ok);
            }
        }
    }
}
