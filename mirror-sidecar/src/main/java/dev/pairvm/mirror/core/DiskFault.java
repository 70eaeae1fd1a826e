package dev.pairvm.mirror.core;

import dev.pairvm.api.mirror.CopyId;
import java.util.Map;

/**
 * What was wrong with this copy's device when it was given up.
 *
 * @param kind what could not be done
 * @param errno why, by the kernel's number
 * @param disk index of the disk, or {@link Event.LocalFailed#NO_DISK}
 */
record DiskFault(Event.LocalFailed.Kind kind, int errno, int disk) {
    private static final int ETIMEDOUT = 110;

    static DiskFault of(Event.LocalFailed failed) {
        return new DiskFault(failed.kind(), failed.errno(), failed.disk());
    }

    /** It did not fail, it did not answer: to the guest that is the same. */
    static DiskFault stuck(Event.LocalFailed.Kind kind, int disk) {
        return new DiskFault(kind, ETIMEDOUT, disk);
    }

    String sentence() {
        String where = disk == Event.LocalFailed.NO_DISK ? "" : " on disk " + disk;
        return kind.name().toLowerCase(java.util.Locale.ROOT) + where + " failed, errno " + errno;
    }

    Problem problem(CopyId copy) {
        return new Problem(
                Problem.Kind.DISK_FAILED,
                "This copy's device failed (" + sentence() + "); the copy is out. Replace the volume.",
                Map.of(
                        "copy",
                        copy.value(),
                        "operation",
                        kind.name(),
                        "errno",
                        Integer.toString(errno),
                        "disk",
                        Integer.toString(disk)));
    }
}
