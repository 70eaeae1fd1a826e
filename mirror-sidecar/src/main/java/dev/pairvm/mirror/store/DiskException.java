package dev.pairvm.mirror.store;

import java.io.IOException;

/**
 * A disk operation failed. For {@link Operation#WRITE}, {@link Operation#ZERO} and {@link Operation#FLUSH} this means: the copy
 * is out, and the operation must never be tried again on it, for after a failed flush Linux may report the next one as a
 * success although the data is gone.
 */
public final class DiskException extends IOException {
    private static final long serialVersionUID = 1;

    /** What was being done. */
    public enum Operation {
        READ,
        WRITE,
        ZERO,
        FLUSH,
        /** Asking which parts hold data. */
        MAP,
        /** Changing the size of the image file. */
        RESIZE
    }

    private final Operation operation;
    private final transient Errno errno;
    private final long offset;

    /**
     * A failed operation.
     *
     * @param path file or device
     * @param operation what was tried
     * @param offset first byte, 0 for a flush
     * @param length bytes asked for, 0 for a flush
     * @param errno what the kernel said
     */
    public DiskException(String path, Operation operation, long offset, long length, Errno errno) {
        super(operation + " of " + length + " bytes at " + offset + " of " + path + " failed: " + errno);
        this.operation = operation;
        this.errno = errno;
        this.offset = offset;
    }

    /** What was tried. */
    public Operation operation() {
        return operation;
    }

    /** What the kernel said. */
    public Errno errno() {
        return errno;
    }

    /** First byte of the failed request, 0 for a flush. */
    public long offset() {
        return offset;
    }
}
