package dev.pairvm.mirror.store;

/** What reading the superblock of one disk found. */
sealed interface SuperblockRead {
    /** Both slots are zeros: nothing was ever written here. */
    record Blank() implements SuperblockRead {}

    /**
     * Neither slot is whole, and they are not zeros. Never to be treated as blank: an in-sync copy may lie here.
     *
     * @param ours whether one of the slots bears this format's mark; if not, the volume may simply hold somebody else's old data
     * @param reason what is wrong, for people
     */
    record Damaged(boolean ours, String reason) implements SuperblockRead {}

    /**
     * The newer whole slot.
     *
     * @param sequence rises by one with each write
     * @param disk name of the disk that wrote it
     * @param imageBytes size of the disk when it was written
     * @param content what the core stored
     */
    record Found(long sequence, String disk, long imageBytes, byte[] content) implements SuperblockRead {}
}
