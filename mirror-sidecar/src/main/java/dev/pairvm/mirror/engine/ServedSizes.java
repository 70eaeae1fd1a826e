package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.mirror.nbd.NbdServer;
import java.util.List;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/**
 * How large each disk is now, for all who show it: the exports, QEMU, reports. Written on the event loop, read by any thread.
 *
 * <p>NBD has no word for a disk that grows. Clients of its export are sent away when their last answer is out; QEMU comes back by itself,
 * sends again what was not answered, and reads the size anew.
 */
final class ServedSizes {
    private final List<MirrorConfig.Disk> disks;
    private final String backupPrefix;
    private final AtomicLongArray bytes;
    private final GuestPort guest;
    private @Nullable NbdServer nbd;

    /** The sizes as they are at the start. */
    ServedSizes(List<MirrorConfig.Disk> disks, String backupPrefix, List<Long> atStart, GuestPort guest) {
        this.disks = disks;
        this.backupPrefix = backupPrefix;
        this.bytes =
                new AtomicLongArray(atStart.stream().mapToLong(Long::longValue).toArray());
        this.guest = guest;
        guest.diskSizes(all());
    }

    long of(int disk) {
        return bytes.get(disk);
    }

    private List<Long> all() {
        return java.util.stream.IntStream.range(0, bytes.length())
                .mapToObj(bytes::get)
                .toList();
    }

    /** The exports are served from now; a disk may have been resized since they were made. */
    void serve(NbdServer server) {
        nbd = server;
        for (int disk = 0; disk < bytes.length(); disk++) {
            show(server, disk);
        }
    }

    /** By the core. */
    void resized(int disk, long size) {
        bytes.set(disk, size);
        NbdServer server = nbd;
        if (server != null) {
            show(server, disk);
        }
        guest.diskSizes(all());
    }

    private void show(NbdServer server, int disk) {
        String name = disks.get(disk).name();
        server.resize(name, bytes.get(disk));
        server.resize(backupPrefix + name, bytes.get(disk));
    }
}
