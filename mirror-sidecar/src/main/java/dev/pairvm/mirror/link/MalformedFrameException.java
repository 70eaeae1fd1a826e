package dev.pairvm.mirror.link;

/** What arrived is no frame of this protocol; its connection is closed with the message as the reason. */
final class MalformedFrameException extends Exception {
    private static final long serialVersionUID = 1L;

    MalformedFrameException(String message) {
        super(message, null, false, false); // a peer could make us collect stack traces
    }
}
