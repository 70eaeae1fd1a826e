package dev.pairvm.mirror.nbd;

import io.netty.buffer.ByteBuf;

/**
 * The answer to one request. Exactly one of the three is to be called, once, on the event loop, before or after the backend's
 * method returned; calling again is a bug and throws {@link IllegalStateException} where it can be seen. When the client has
 * gone meanwhile, the answer is dropped and the buffers are released.
 */
public interface NbdReply {
    /** It is done, as durably as was asked. */
    void done();

    /** It was not done, or only in part. */
    void failed(NbdError error);

    /**
     * There will be no answer, because whoever asked is dead or gone. Releases the request; should its client be connected after
     * all, the connection is closed, for a client must not wait for what never comes: it connects anew and asks again.
     */
    void abandon();

    /**
     * Of a read that is not answered: gives it a new, empty target in place of the one that its backend was called with. That one is the
     * server's no more; who may still write into it has retained it.
     *
     * @throws IllegalStateException if it is no read
     */
    default ByteBuf replaceTarget() {
        throw new IllegalStateException("only a read has a target");
    }
}
