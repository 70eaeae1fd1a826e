package dev.pairvm.mirror.store;

import dev.pairvm.mirror.store.DiskException.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A file or block device of Linux, opened for reading and writing and locked against every other process. Buffered: data pass
 * the page cache, and {@link #flush} makes them durable. (Direct I/O would show write errors at the write and keep no second
 * copy in memory, but without an asynchronous engine beneath it random reads and writes come out slower; so it is not offered.)
 *
 * <p>Short transfers and interrupted calls are carried on; every other error is reported at once and never tried again.
 */
final class LinuxFile implements BlockFile {
    private static final int ZERO_CHUNK_BYTES = 64 << 10;
    private static final int DIRECT_BYTES = 4096;
    private static final int NOT_OPENED = -1;
    private static final int NOT_POSSIBLE = -2;
    private static final MemorySegment ZEROS = Arena.global().allocate(ZERO_CHUNK_BYTES, 4096);

    private final String path;
    private final int fd;
    private final boolean device;
    private final boolean fastZero;
    private volatile boolean cachedReads = true;
    /** A second descriptor for direct reads; opened by the first one. */
    private int directFd = NOT_OPENED;

    private LinuxFile(String path, int fd, boolean device, boolean fastZero) {
        this.path = path;
        this.fd = fd;
        this.device = device;
        this.fastZero = fastZero;
    }

    /** Opens or creates a regular file; a lock by another process, a directory or missing permission is a setup error. */
    static LinuxFile openFile(Path path) throws DiskSetupException {
        return open(path.toString(), Linux.O_RDWR | Linux.O_CREAT | Linux.O_CLOEXEC, false);
    }

    /** Opens a block device and claims it for this process; anything else at that path is a setup error. */
    static LinuxFile openDevice(Path path) throws DiskSetupException {
        // O_EXCL without O_CREAT claims the device itself: flock alone would not be seen through another container's
        // device node.
        return open(path.toString(), Linux.O_RDWR | Linux.O_EXCL | Linux.O_CLOEXEC, true);
    }

    private static LinuxFile open(String path, int flags, boolean device) throws DiskSetupException {
        long fd = uninterrupted(() -> Linux.open(path, flags, 0640));
        if (fd < 0) {
            throw new DiskSetupException("cannot open " + path + ": " + new Errno((int) -fd)
                    + (device ? "; a volume of mode Block must be at this path and not be in use" : ""));
        }
        int descriptor = (int) fd;
        try {
            if (device != Linux.deviceSize(descriptor) >= 0) {
                throw new DiskSetupException(path + (device ? " is not a block device" : " is not a regular file")
                        + "; check the volume mode of the claim");
            }
            long locked = uninterrupted(() -> Linux.flock(descriptor, Linux.LOCK_EX | Linux.LOCK_NB));
            if (locked < 0) {
                throw new DiskSetupException(path + " is locked by another process (" + new Errno((int) -locked)
                        + "); only one mirror may have a copy open");
            }
            return new LinuxFile(path, descriptor, device, !device && punchesHoles(descriptor));
        } catch (DiskSetupException e) {
            Linux.close(descriptor);
            throw e;
        }
    }

    /** Asks by punching a hole behind the end, which changes nothing. */
    private static boolean punchesHoles(int fd) {
        long end = Linux.lseek(fd, 0, Linux.SEEK_END);
        return end >= 0 && Linux.fallocate(fd, Linux.FALLOC_FL_PUNCH_HOLE | Linux.FALLOC_FL_KEEP_SIZE, end, 4096) == 0;
    }

    private interface Call {
        long run();
    }

    private static long uninterrupted(Call call) {
        long result;
        do {
            result = call.run();
        } while (result == -Errno.EINTR.number());
        return result;
    }

    @Override
    public String path() {
        return path;
    }

    @Override
    public long sizeBytes() throws DiskException {
        long size = device ? Linux.deviceSize(fd) : Linux.lseek(fd, 0, Linux.SEEK_END);
        if (size < 0) {
            throw failed(Operation.MAP, 0, 0, size);
        }
        return size;
    }

    @Override
    public long mostBytes() throws DiskException {
        if (device) {
            return sizeBytes();
        }
        try {
            long total = Files.getFileStore(Path.of(path)).getTotalSpace();
            return total <= 0 ? Long.MAX_VALUE : total; // some file systems do not say
        } catch (IOException e) {
            throw failed(Operation.MAP, 0, 0, -Errno.EIO.number());
        }
    }

    @Override
    public void read(long offset, long address, int length) throws DiskException {
        int done = 0;
        while (done < length) {
            long n = Linux.pread(fd, address + done, length - done, offset + done);
            if (n > 0) {
                done += (int) n;
            } else if (n == 0) {
                MemorySegment.ofAddress(address + done)
                        .reinterpret(length - done)
                        .fill((byte) 0);
                return;
            } else if (n != -Errno.EINTR.number()) {
                throw failed(Operation.READ, offset + done, length - done, n);
            }
        }
    }

    @Override
    public void readDevice(long offset, long address, int length) throws DiskException {
        int direct = direct();
        if (direct < 0) {
            read(offset, address, length);
            return;
        }
        int whole = Math.ceilDiv(length, DIRECT_BYTES) * DIRECT_BYTES;
        long n = uninterrupted(() -> Linux.pread(direct, address, whole, offset));
        if (n >= length) {
            return;
        }
        if (n >= 0 || n == -Errno.EINVAL.number()) {
            // The end of an image that is no whole number of blocks, or a device of larger sectors.
            read(offset, address, length);
            return;
        }
        throw failed(Operation.READ, offset, length, n);
    }

    /** By the descriptor, not by the path: another file may have that name by now. */
    private synchronized int direct() {
        if (directFd == NOT_OPENED) {
            long opened = uninterrupted(
                    () -> Linux.open("/proc/self/fd/" + fd, Linux.O_RDONLY | Linux.O_DIRECT | Linux.O_CLOEXEC, 0));
            directFd = opened < 0 ? NOT_POSSIBLE : (int) opened;
        }
        return directFd;
    }

    @Override
    public int readCached(long offset, long address, int length) throws DiskException {
        if (!cachedReads) {
            return 0;
        }
        long n = Linux.preadCached(fd, address, length, offset);
        if (n >= 0) {
            return (int) n;
        }
        if (n == -Errno.EOPNOTSUPP.number() || n == -Errno.ENOSYS.number() || n == -Errno.EINVAL.number()) {
            cachedReads = false;
        } else if (n != -Errno.EAGAIN.number() && n != -Errno.EINTR.number()) {
            throw failed(Operation.READ, offset, length, n);
        }
        return 0;
    }

    @Override
    public void write(long offset, long address, int length) throws DiskException {
        int done = 0;
        while (done < length) {
            long n = Linux.pwrite(fd, address + done, length - done, offset + done);
            if (n > 0) {
                done += (int) n;
            } else if (n == 0) {
                // POSIX leaves this open; a device that takes nothing and says nothing is broken.
                throw failed(Operation.WRITE, offset + done, length - done, -Errno.EIO.number());
            } else if (n != -Errno.EINTR.number()) {
                throw failed(Operation.WRITE, offset + done, length - done, n);
            }
        }
    }

    @Override
    public void writeDurably(long offset, long address, int length) throws DiskException {
        int done = 0;
        while (done < length) {
            // Not tried again after an interrupt: some of it may have failed to become durable.
            long n = Linux.pwriteDurably(fd, address + done, length - done, offset + done);
            if (n == -Errno.EOPNOTSUPP.number() || n == -Errno.ENOSYS.number()) {
                write(offset + done, address + done, length - done);
                flush();
                return;
            }
            if (n <= 0) {
                throw failed(Operation.WRITE, offset + done, length - done, n == 0 ? -Errno.EIO.number() : n);
            }
            done += (int) n;
        }
    }

    @Override
    public void zero(long offset, long length, Zeros zeros) throws DiskException {
        int mode = Linux.FALLOC_FL_KEEP_SIZE
                | switch (zeros) {
                    case PUNCH -> Linux.FALLOC_FL_PUNCH_HOLE;
                    case KEEP_ALLOCATED -> Linux.FALLOC_FL_ZERO_RANGE;
                };
        long result = uninterrupted(() -> Linux.fallocate(fd, mode, offset, length));
        if (result == 0) {
            return;
        }
        // Not known to this file system, or (devices) not aligned to its sectors: zeros can always be written.
        if (result == -Errno.EOPNOTSUPP.number()
                || result == -Errno.ENOSYS.number()
                || device && result == -Errno.EINVAL.number()) {
            writeZeros(offset, length);
            return;
        }
        throw failed(Operation.ZERO, offset, length, result);
    }

    private void writeZeros(long offset, long length) throws DiskException {
        for (long done = 0; done < length; ) {
            int chunk = (int) Math.min(ZERO_CHUNK_BYTES, length - done);
            write(offset + done, ZEROS.address(), chunk);
            done += chunk;
        }
    }

    @Override
    public boolean zeroIsFast() {
        return fastZero;
    }

    @Override
    public void flush() throws DiskException {
        // EINTR is an error like others here: whether anything reached the device is unknown.
        long result = Linux.fdatasync(fd);
        if (result < 0) {
            throw failed(Operation.FLUSH, 0, 0, result);
        }
    }

    @Override
    public long nextData(long offset, long end) throws DiskException {
        return seek(offset, end, Linux.SEEK_DATA);
    }

    @Override
    public long nextHole(long offset, long end) throws DiskException {
        return seek(offset, end, Linux.SEEK_HOLE);
    }

    private long seek(long offset, long end, int whence) throws DiskException {
        long at = Linux.lseek(fd, offset, whence);
        if (at >= 0) {
            return Math.min(at, end);
        }
        if (at == -Errno.ENXIO.number()) {
            return end;
        }
        if (at == -Errno.EINVAL.number()) {
            // The file system knows no holes: everything is data.
            return whence == Linux.SEEK_DATA ? offset : end;
        }
        throw failed(Operation.MAP, offset, end - offset, at);
    }

    @Override
    public void resize(long sizeBytes) throws DiskException {
        long result = device ? -Errno.EINVAL.number() : uninterrupted(() -> Linux.ftruncate(fd, sizeBytes));
        if (result < 0) {
            throw failed(Operation.RESIZE, 0, sizeBytes, result);
        }
    }

    @Override
    public synchronized void close() {
        if (directFd >= 0) {
            Linux.close(directFd);
        }
        directFd = NOT_POSSIBLE;
        Linux.close(fd);
    }

    private DiskException failed(Operation operation, long offset, long length, long result) {
        return new DiskException(path, operation, offset, length, new Errno((int) -result));
    }
}
