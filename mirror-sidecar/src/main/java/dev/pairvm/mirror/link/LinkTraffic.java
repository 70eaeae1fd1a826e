package dev.pairvm.mirror.link;

/** Counts frames, bytes (before encryption) and changes of path of all connections since the start. Event loop only. */
public final class LinkTraffic {
    private long framesOut;
    private long bytesOut;
    private long framesIn;
    private long pathSwitches;
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

    void pathSwitched() {
        pathSwitches++;
    }

    /** Times that frames moved to another path while the link stayed up. */
    public long pathSwitches() {
        return pathSwitches;
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
