package dev.pairvm.mirror.nbd;

/** The answer to a block status request: any number of {@link #extent} calls, in order from the offset asked, then done. */
public interface NbdExtentsReply extends NbdReply {
    /**
     * The next extent. What exceeds the request or the server's bound is cut off.
     *
     * @param length bytes, above 0
     * @param hole whether nothing is allocated there
     * @param zero whether it reads as zeros
     * @return whether another extent would still fit
     */
    boolean extent(long length, boolean hole, boolean zero);
}
