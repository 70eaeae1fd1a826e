package dev.pairvm.mirror.link;

/** The link can not start: the message names the file or fact, and the way out. */
public final class LinkSetupException extends Exception {
    private static final long serialVersionUID = 1L;

    LinkSetupException(String message, Throwable cause) {
        super(message, cause);
    }

    LinkSetupException(String message) {
        super(message);
    }
}
