package dev.pairvm.mirror.store;

/** A disk can not grow on the volume that it lies on; the message says what is needed. */
public final class NoRoomException extends Exception {
    private static final long serialVersionUID = 1L;

    NoRoomException(String message) {
        super(message);
    }
}
