package dev.pairvm.mirror.core;

import java.util.List;

/**
 * How large this copy's disks are, as its superblock says durably. A lead serves exactly this much of each; a follower may hold more
 * than its lead, never less.
 */
final class DiskSizes {
    private final long[] bytes;

    DiskSizes(List<Long> atStart) {
        bytes = atStart.stream().mapToLong(Long::longValue).toArray();
    }

    int count() {
        return bytes.length;
    }

    long of(int disk) {
        return bytes[disk];
    }

    List<Long> all() {
        return java.util.Arrays.stream(bytes).boxed().toList();
    }

    /** These sizes with another one for that disk. */
    List<Long> with(int disk, long size) {
        List<Long> all = new java.util.ArrayList<>(all());
        all.set(disk, size);
        return List.copyOf(all);
    }

    /** They are durable now. */
    void become(List<Long> sizes) {
        for (int disk = 0; disk < bytes.length; disk++) {
            bytes[disk] = sizes.get(disk);
        }
    }

    /** Whether the range is not whole on the disk of that index; also if there is none. */
    boolean outside(int disk, long offset, long length) {
        return disk < 0 || disk >= bytes.length || offset < 0 || length <= 0 || offset > bytes[disk] - length;
    }
}
