package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.control.MirrorMetrics;
import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdReply;

/** Measures each request of one disk from its arrival to its answer. */
final class MeteredDisk implements DiskCounters {
    private final MirrorMetrics.DiskMeter meter;

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
        return new Timed(Kind.READ, bytes, reply);
    }

    @Override
    public NbdReply write(int bytes, NbdReply reply) {
        return new Timed(Kind.WRITE, bytes, reply);
    }

    @Override
    public NbdReply flush(NbdReply reply) {
        return new Timed(Kind.FLUSH, 0, reply);
    }

    private final class Timed implements NbdReply {
        private final Kind kind;
        private final int bytes;
        private final NbdReply reply;
        private final long began = System.nanoTime();

        Timed(Kind kind, int bytes, NbdReply reply) {
            this.kind = kind;
            this.bytes = bytes;
            this.reply = reply;
        }

        @Override
        public void done() {
            count(true);
            reply.done();
        }

        @Override
        public void failed(NbdError error) {
            count(false);
            reply.failed(error);
        }

        @Override
        public void abandon() {
            reply.abandon();
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
