package dev.pairvm.mirror.nbd;

/**
 * The answer to one request. Exactly one of the two is to be called, once, on the event loop, before or after the backend's
 * method returned; calling again is a bug and throws {@link IllegalStateException} where it can be seen. When the client has
 * gone meanwhile, the answer is dropped and the buffers are released.
 */
public interface NbdReply {
    /** It is done, as durably as was asked. */
    void done();

    /** It was not done, or only in part. */
    void failed(NbdError error);
}
