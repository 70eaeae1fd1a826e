package dev.pairvm.mirror.network;

/** The pod's network could not be changed; the message says by which command or request, and what was answered. */
public final class NetworkException extends Exception {
    private static final long serialVersionUID = 1;

    NetworkException(String message) {
        super(message);
    }

    NetworkException(String message, Throwable cause) {
        super(message, cause);
    }
}
