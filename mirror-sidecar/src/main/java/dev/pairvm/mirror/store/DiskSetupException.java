package dev.pairvm.mirror.store;

/**
 * A disk can not be used as configured: missing, too small, of the wrong kind, in use by another process. The message names the
 * path, the fact and the way out; trying again without a change to the pod or its configuration does not help.
 */
public final class DiskSetupException extends Exception {
    private static final long serialVersionUID = 1;

    /** With the sentence for the administrator. */
    public DiskSetupException(String message) {
        super(message);
    }

    /** With the sentence for the administrator and what the kernel or file system said. */
    public DiskSetupException(String message, Throwable cause) {
        super(message, cause);
    }
}
