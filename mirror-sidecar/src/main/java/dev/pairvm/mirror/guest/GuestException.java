package dev.pairvm.mirror.guest;

/** An operation on the guest could not be done; the message says what stood in the way. */
public final class GuestException extends Exception {
    private static final long serialVersionUID = 1;

    GuestException(String message) {
        super(message);
    }

    GuestException(String message, Throwable cause) {
        super(message, cause);
    }
}
