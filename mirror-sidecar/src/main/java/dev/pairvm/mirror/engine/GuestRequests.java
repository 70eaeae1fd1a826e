package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.nbd.NbdReply;
import io.netty.buffer.ByteBuf;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The guest's requests that are not answered yet. Bounded by what the NBD server lets in. */
final class GuestRequests {
    private final Map<Long, GuestRequest> open = new HashMap<>();
    private long last;

    /** Takes a request and gives it its number; the payload is retained until the answer. */
    long open(NbdReply reply, @Nullable ByteBuf payload) {
        if (payload != null) {
            payload.retain();
        }
        long number = ++last;
        open.put(number, new GuestRequest(reply, payload, payload == null ? 0 : payload.writerIndex()));
        return number;
    }

    /** The payload of an open request. */
    ByteBuf payload(long number) {
        GuestRequest request = open.get(number);
        if (request == null || request.payload() == null) {
            throw new IllegalStateException("request " + number + " has no payload here");
        }
        return request.payload();
    }

    /** Puts bytes that came with the peer's frame where the client waits for them. */
    void fill(long number, @Nullable ByteBuf bytes) {
        GuestRequest request = open.get(number);
        if (bytes == null || request == null || request.payload() == null) {
            throw new IllegalStateException("request " + number + " or its answer has no payload");
        }
        // A local read that came back too late to count may have left its bytes there.
        request.payload().writerIndex(request.begin());
        request.payload().writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
    }

    void answer(long number, int errno) {
        GuestRequest request = open.remove(number);
        if (request == null) {
            throw new IllegalStateException("request " + number + " is answered twice or was never here");
        }
        request.answer(errno);
    }

    void forget(long number) {
        GuestRequest request = open.remove(number);
        if (request != null) {
            request.forget();
        }
    }

    int size() {
        return open.size();
    }
}
