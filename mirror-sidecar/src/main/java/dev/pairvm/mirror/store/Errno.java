package dev.pairvm.mirror.store;

/**
 * An error number of Linux, as a failed system call left it.
 *
 * @param number as in {@code errno(3)}, x86-64 and arm64 agree on those named here
 */
public record Errno(int number) {
    /** Input/output error: the device could not read or write a sector. */
    public static final Errno EIO = new Errno(5);
    /** Interrupted by a signal before anything was done; never leaves this package. */
    static final Errno EINTR = new Errno(4);
    /** Would block: the data is not in the page cache, or another process holds the lock. */
    static final Errno EAGAIN = new Errno(11);
    /** Invalid argument, for a device also "not aligned to its sectors". */
    public static final Errno EINVAL = new Errno(22);
    /** Not a device that knows this control call. */
    static final Errno ENOTTY = new Errno(25);
    /** No space left on the file system. */
    public static final Errno ENOSPC = new Errno(28);
    /** No such data: beyond the last extent, or beyond the end. */
    static final Errno ENXIO = new Errno(6);
    /** The file system does not implement the operation. */
    static final Errno EOPNOTSUPP = new Errno(95);
    /** The kernel does not implement the call. */
    static final Errno ENOSYS = new Errno(38);

    /** The symbolic name where it is a common one for disks, otherwise {@code errno N}. */
    public String symbol() {
        return switch (number) {
            case 1 -> "EPERM";
            case 2 -> "ENOENT";
            case 4 -> "EINTR";
            case 5 -> "EIO";
            case 6 -> "ENXIO";
            case 9 -> "EBADF";
            case 11 -> "EAGAIN";
            case 12 -> "ENOMEM";
            case 13 -> "EACCES";
            case 16 -> "EBUSY";
            case 17 -> "EEXIST";
            case 19 -> "ENODEV";
            case 20 -> "ENOTDIR";
            case 21 -> "EISDIR";
            case 22 -> "EINVAL";
            case 25 -> "ENOTTY";
            case 27 -> "EFBIG";
            case 28 -> "ENOSPC";
            case 30 -> "EROFS";
            case 38 -> "ENOSYS";
            case 52 -> "EBADE";
            case 61 -> "ENODATA";
            case 95 -> "EOPNOTSUPP";
            case 110 -> "ETIMEDOUT";
            case 117 -> "EUCLEAN";
            case 121 -> "EREMOTEIO";
            case 122 -> "EDQUOT";
            default -> "errno " + number;
        };
    }

    @Override
    public String toString() {
        return symbol();
    }
}
