package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdReply;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * A request of the guest that the core knows by its number.
 *
 * @param payload bytes to write, or room for those to read; absent where there are none
 * @param begin where in the payload's buffer the bytes to read begin: the server keeps room for the head of its reply before them
 */
record GuestRequest(NbdReply reply, @Nullable ByteBuf payload, int begin) {
    /** Answers the client and gives the payload back. */
    void answer(int errno) {
        try {
            if (errno == 0) {
                reply.done();
            } else {
                reply.failed(errorOf(errno));
            }
        } finally {
            release();
        }
    }

    /** Nobody waits for an answer any more. */
    void forget() {
        try {
            reply.abandon();
        } finally {
            release();
        }
    }

    private void release() {
        if (payload != null) {
            payload.release();
        }
    }

    private static NbdError errorOf(int errno) {
        for (NbdError error : NbdError.values()) {
            if (error.wire() == errno) {
                return error;
            }
        }
        return NbdError.EIO;
    }
}
