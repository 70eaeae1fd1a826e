package dev.pairvm.mirror.core;

import java.util.ArrayDeque;

/** Guest requests that came while this side did not serve; they wait in order. */
final class HeldRequests {
    private final ArrayDeque<Event> waiting = new ArrayDeque<>();

    void add(Event request) {
        waiting.add(request);
    }

    int size() {
        return waiting.size();
    }

    void drain(GuestIo into) {
        for (int left = waiting.size(); left > 0; left--) {
            switch (waiting.remove()) {
                case Event.WriteReceived write -> into.write(write);
                case Event.ReadReceived read -> into.read(read);
                case Event.FlushReceived flush -> into.flush(flush);
                default -> throw new ProtocolBugException("only requests are held");
            }
        }
    }

    void drop(Outbox out) {
        for (Event event : waiting) {
            long request = switch (event) {
                case Event.WriteReceived write -> write.request();
                case Event.ReadReceived read -> read.request();
                case Event.FlushReceived flush -> flush.request();
                default -> throw new ProtocolBugException("only requests are held");
            };
            out.emit(new Effect.ForgetRequest(request));
        }
        waiting.clear();
    }
}
