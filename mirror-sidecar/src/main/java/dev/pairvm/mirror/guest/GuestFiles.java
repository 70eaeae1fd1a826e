package dev.pairvm.mirror.guest;

import java.nio.file.Path;

/**
 * The directory that the mirror's and QEMU's containers share, and what lies in it. Both containers see it under the same path.
 *
 * @param directory {@code /run/pairvm} in a pod; must be short: a unix socket's path has at most 107 bytes
 * @param overlays where a twin's overlays lie; durable, on the copy's storage, see {@link OverlayFiles}
 */
public record GuestFiles(Path directory, Path overlays) {
    /** Checks the length. */
    public GuestFiles {
        int longest = directory.resolve("migration.sock").toString().length();
        if (longest > 107) {
            throw new IllegalArgumentException(
                    directory + " is too long for unix sockets in it (" + longest + " > 107)");
        }
    }

    /** Without a durable place for overlays: level 3 can not be had from here. */
    public GuestFiles(Path directory) {
        this(directory, directory.resolve("overlays"));
    }

    /** Served by the mirror: the guest's disks, one NBD export per disk. */
    public Path nbdSocket() {
        return directory.resolve("nbd.sock");
    }

    /** Served by QEMU: its monitor; one client at a time. */
    public Path qmpSocket() {
        return directory.resolve("qmp.sock");
    }

    /** Served by QEMU: the guest's serial console; one client at a time. */
    public Path serialSocket() {
        return directory.resolve("serial.sock");
    }

    /** The last bytes of the guest's serial console, kept by {@link SerialLog}. */
    public Path serialLog() {
        return directory.resolve("serial.log");
    }

    /** Served by a QEMU that waits for a live migration. */
    public Path migrationSocket() {
        return directory.resolve("migration.sock");
    }

    /** The guest's cloud-init volume. */
    public Path cloudInitImage() {
        return directory.resolve("cidata.iso");
    }

    /** The launcher's files. */
    public Path launchDirectory() {
        return directory.resolve("launch");
    }

    /** Which run of QEMU was ever let run as the guest; written before it is. */
    public Path guestMark() {
        return directory.resolve("guest");
    }
}
