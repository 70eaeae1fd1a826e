package dev.pairvm.mirror.core;

/** A read or write of the guest on its way; one object for each, no tables beside it. */
final class GuestRequest extends LoggedWrite {
    final GuestIo pipeline;
    final long request;
    final boolean zero;
    final boolean fua;
    /** When it came. */
    final long since;

    long io;
    long seq;
    long sentAt;
    boolean localDone;
    boolean peerDone;
    boolean begun;
    /** The local store was asked first, and has not answered: who answers first, wins. */
    boolean hedged;
    /** The peer can not read it. */
    boolean refused;
    /** What the peer answers is written here as well: the local copy has a bad place. */
    boolean repair;
    /** That write is under way; the range stays locked. */
    boolean repairing;

    /** When the local store was asked, by {@link Outbox#wakingNanos}; 0 while it is not. */
    long localSince;

    boolean answered;
    int errno;

    GuestRequest(GuestIo pipeline, Event.WriteReceived write) {
        super(write.disk(), write.offset(), write.length(), true);
        this.pipeline = pipeline;
        this.request = write.request();
        this.since = pipeline.now();
        this.zero = write.zero();
        this.fua = write.fua();
    }

    GuestRequest(GuestIo pipeline, Event.ReadReceived read) {
        super(read.disk(), read.offset(), read.length(), false);
        this.pipeline = pipeline;
        this.request = read.request();
        this.since = pipeline.now();
        this.zero = false;
        this.fua = false;
    }

    boolean isWrite() {
        return exclusive;
    }

    @Override
    void granted() {
        pipeline.granted(this);
    }

    @Override
    void hot() {
        pipeline.hot(this);
    }
}
