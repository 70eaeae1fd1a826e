package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.MirrorOrder;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Keeps an order from being sent again with every event while it is being carried out. Only courtesy: orders may be sent again, and a
 * restarted operator does. Thread-safe.
 */
final class OrderLog {
    private static final Duration PAUSE = Duration.ofSeconds(1);

    private final Map<String, Sent> last = new ConcurrentHashMap<>();

    private record Sent(MirrorOrder order, Instant at) {}

    /** Whether to send it now; notes that it is being sent. */
    boolean mayGo(String machineUid, MirrorOrder order, Instant now) {
        Sent before = last.get(machineUid);
        if (before != null
                && before.order.equals(order)
                && before.at.plus(PAUSE).isAfter(now)) {
            return false;
        }
        last.put(machineUid, new Sent(order, now));
        return true;
    }

    void forget(String machineUid) {
        last.remove(machineUid);
    }
}
