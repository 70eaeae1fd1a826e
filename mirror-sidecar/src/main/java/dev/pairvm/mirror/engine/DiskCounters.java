package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.nbd.NbdReply;

/** Told of the guest's requests, for metrics. */
interface DiskCounters {
    void read(int bytes);

    void write(int bytes);

    void flush();

    /** A reply that measures the time until it is answered. */
    NbdReply timed(NbdReply reply);

    /** Counts nothing. */
    DiskCounters NONE = new DiskCounters() {
        @Override
        public void read(int bytes) {}

        @Override
        public void write(int bytes) {}

        @Override
        public void flush() {}

        @Override
        public NbdReply timed(NbdReply reply) {
            return reply;
        }
    };
}
