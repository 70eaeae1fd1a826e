package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.nbd.NbdError;
import dev.pairvm.mirror.nbd.NbdReply;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** A request of the guest that the core knows by its number. Used again when it is over. */
final class GuestRequest {
    private long number;
    private @Nullable NbdReply reply;
    private @Nullable ByteBuf payload;
    private int payloadBegin;

    /** {@code room} is the bytes to write, or room for those to read; absent where there are none. It is retained. */
    void begin(long numbered, NbdReply client, @Nullable ByteBuf room) {
        number = numbered;
        reply = client;
        payload = room == null ? null : room.retain();
        payloadBegin = room == null ? 0 : room.writerIndex();
    }

    long number() {
        return number;
    }

    @Nullable
    ByteBuf payload() {
        return payload;
    }

    /** Where in the payload's buffer the bytes to read begin: the server keeps room for the head of its reply before them. */
    int payloadBegin() {
        return payloadBegin;
    }

    /** Of a read: from here the bytes go into a new buffer of the client's. */
    void replacePayload() {
        ByteBuf old = payload;
        if (old == null) {
            throw new IllegalStateException("request " + number + " has no payload");
        }
        payload = client().replaceTarget().retain();
        payloadBegin = payload.writerIndex();
        old.release();
    }

    /** Answers the client and gives the payload back. */
    void answer(int errno) {
        try {
            if (errno == 0) {
                client().done();
            } else {
                client().failed(errorOf(errno));
            }
        } finally {
            release();
        }
    }

    /** Nobody waits for an answer any more. */
    void forget() {
        try {
            client().abandon();
        } finally {
            release();
        }
    }

    private NbdReply client() {
        NbdReply client = reply;
        if (client == null) {
            throw new IllegalStateException("request " + number + " is over");
        }
        return client;
    }

    private void release() {
        ByteBuf held = payload;
        payload = null;
        reply = null;
        if (held != null) {
            held.release();
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
