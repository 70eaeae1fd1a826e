package dev.pairvm.mirror.core;

/** A read or write of the guest on its way; one object for each, no tables beside it. */
final class GuestRequest extends RangeLocks.Holder {
    final GuestIo pipeline;
    final long request;
    final boolean zero;
    final boolean fua;
    long io;
    long seq;
    long sentAt;
    boolean localDone;
    boolean peerDone;
    boolean begun;

    GuestRequest(GuestIo pipeline, Event.WriteReceived write) {
        super(write.disk(), write.offset(), write.length(), true);
        this.pipeline = pipeline;
        this.request = write.request();
        this.zero = write.zero();
        this.fua = write.fua();
    }

    GuestRequest(GuestIo pipeline, Event.ReadReceived read) {
        super(read.disk(), read.offset(), read.length(), false);
        this.pipeline = pipeline;
        this.request = read.request();
        this.zero = false;
        this.fua = false;
    }

    boolean isWrite() {
        return exclusive;
    }

    int firstExtent() {
        return DirtyMap.firstExtent(offset);
    }

    int lastExtent() {
        return DirtyMap.lastExtent(offset, length);
    }

    @Override
    void granted() {
        pipeline.granted(this);
    }

    /** Its extents are hot. */
    void hot() {
        pipeline.hot(this);
    }
}
