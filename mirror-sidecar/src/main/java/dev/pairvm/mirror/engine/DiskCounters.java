package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.nbd.NbdReply;

/** Sees the guest's requests come and go, for metrics: each method gives a reply that passes the answer on. */
interface DiskCounters {
    NbdReply read(int bytes, NbdReply reply);

    NbdReply write(int bytes, NbdReply reply);

    NbdReply flush(NbdReply reply);

    /** Counts nothing. */
    DiskCounters NONE = new DiskCounters() {
        @Override
        public NbdReply read(int bytes, NbdReply reply) {
            return reply;
        }

        @Override
        public NbdReply write(int bytes, NbdReply reply) {
            return reply;
        }

        @Override
        public NbdReply flush(NbdReply reply) {
            return reply;
        }
    };
}
