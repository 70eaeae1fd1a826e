package dev.pairvm.mirror.link;

/** Counts frames and bytes of all connections since the start, before encryption. Event loop only. */
public final class LinkTraffic {
    private long framesOut;
    private long bytesOut;
    private long framesIn;
    private long bytesIn;

    LinkTraffic() {}

    void sent(int bytes) {
        framesOut++;
        bytesOut += bytes;
    }

    void received(int bytes) {
        bytesIn += bytes;
    }

    void frameReceived() {
        framesIn++;
    }

    public long framesOut() {
        return framesOut;
    }

    public long bytesOut() {
        return bytesOut;
    }

    public long framesIn() {
        return framesIn;
    }

    public long bytesIn() {
        return bytesIn;
    }
}
