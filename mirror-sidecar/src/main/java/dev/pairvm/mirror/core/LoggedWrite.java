package dev.pairvm.mirror.core;

/** Something that makes the copies differ while it is under way: its extents are in the activity log before it begins. */
abstract class LoggedWrite extends RangeLocks.Holder {
    /** The activity log counts it; a write without a local disk is none of its business. */
    boolean logged;

    LoggedWrite(int disk, long offset, long length, boolean exclusive) {
        super(disk, offset, length, exclusive);
    }

    int firstExtent() {
        return DirtyMap.firstExtent(offset);
    }

    int lastExtent() {
        return DirtyMap.lastExtent(offset, length);
    }

    /** Its extents are hot. */
    abstract void hot();
}
