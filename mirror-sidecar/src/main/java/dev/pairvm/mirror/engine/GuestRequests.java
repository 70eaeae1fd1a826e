package dev.pairvm.mirror.engine;

import dev.pairvm.mirror.nbd.NbdReply;
import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * The guest's requests that are not answered yet. Bounded by what the NBD server lets in; allocates nothing for a request in steady
 * state. Event loop only.
 */
final class GuestRequests {
    private static final int SMALLEST = 64;

    private final ArrayDeque<GuestRequest> free = new ArrayDeque<>();
    /** A request lies at its number modulo the size, which is a power of two and at least twice the requests. */
    private @Nullable GuestRequest[] open = new @Nullable GuestRequest[SMALLEST];

    private int size;
    private long last;

    /** Takes a request and gives it its number, above all before; the payload is retained until the answer. */
    long open(NbdReply reply, @Nullable ByteBuf payload) {
        if (size * 2 >= open.length) {
            grow();
        }
        // Numbers whose place an old request still has are passed over: they need only rise.
        long number = last + 1;
        while (open[at(number)] != null) {
            number++;
        }
        last = number;
        GuestRequest kept = free.poll();
        GuestRequest request = kept == null ? new GuestRequest() : kept;
        request.begin(number, reply, payload);
        open[at(number)] = request;
        size++;
        return number;
    }

    private int at(long number) {
        return (int) number & (open.length - 1);
    }

    private void grow() {
        @Nullable GuestRequest[] before = open;
        open = new @Nullable GuestRequest[before.length * 2];
        for (GuestRequest request : before) {
            if (request != null) {
                open[at(request.number())] = request;
            }
        }
    }

    private @Nullable GuestRequest find(long number) {
        GuestRequest request = open[at(number)];
        return request == null || request.number() != number ? null : request;
    }

    private @Nullable GuestRequest remove(long number) {
        GuestRequest request = find(number);
        if (request != null) {
            open[at(number)] = null;
            size--;
        }
        return request;
    }

    /** The payload of an open request. */
    ByteBuf payload(long number) {
        GuestRequest request = find(number);
        ByteBuf payload = request == null ? null : request.payload();
        if (payload == null) {
            throw new IllegalStateException("request " + number + " has no payload here");
        }
        return payload;
    }

    /** Puts bytes that came with the peer's frame where the client waits for them. */
    void fill(long number, @Nullable ByteBuf bytes) {
        GuestRequest request = find(number);
        ByteBuf room = request == null ? null : request.payload();
        if (bytes == null || request == null || room == null) {
            throw new IllegalStateException("request " + number + " or its answer has no payload");
        }
        // A local read that came back too late to count may have left its bytes there.
        room.writerIndex(request.payloadBegin());
        room.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
    }

    /**
     * Like {@link #fill}, for a request whose buffer a local read may still write into: the client is answered from a new one, and the old
     * one stays the read's alone.
     */
    void fillAnew(long number, @Nullable ByteBuf bytes) {
        GuestRequest request = find(number);
        if (request == null) {
            throw new IllegalStateException("request " + number + " is not here");
        }
        request.replacePayload();
        fill(number, bytes);
    }

    void answer(long number, int errno) {
        GuestRequest request = remove(number);
        if (request == null) {
            throw new IllegalStateException("request " + number + " is answered twice or was never here");
        }
        request.answer(errno);
        free.push(request);
    }

    void forget(long number) {
        GuestRequest request = remove(number);
        if (request != null) {
            request.forget();
            free.push(request);
        }
    }

    int size() {
        return size;
    }
}
