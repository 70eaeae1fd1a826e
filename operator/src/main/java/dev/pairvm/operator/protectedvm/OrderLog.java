package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.MirrorOrder;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Keeps an order from being sent again with every event while it is being carried out, and remembers why a mirror refused one, for the
 * status. Only courtesy: orders may be sent again, and a restarted operator does. Thread-safe.
 */
final class OrderLog {
    private static final Duration PAUSE = Duration.ofSeconds(1);
    private static final int MOST_CHARACTERS = 300;

    private final Map<String, Sent> last = new ConcurrentHashMap<>();
    private final Map<String, Map<Class<?>, String>> refusals = new ConcurrentHashMap<>();

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

    /** The mirror refused it. Counts until an order of the same kind is taken. */
    void refused(String machineUid, MirrorOrder order, String why) {
        refusals.computeIfAbsent(machineUid, uid -> new ConcurrentHashMap<>())
                .put(order.getClass(), why.length() <= MOST_CHARACTERS ? why : why.substring(0, MOST_CHARACTERS) + "…");
    }

    /** The mirror took it. */
    void taken(String machineUid, MirrorOrder order) {
        refusals.computeIfPresent(machineUid, (uid, known) -> {
            known.remove(order.getClass());
            return known;
        });
    }

    /** Why orders to this machine were refused when they were given last, by their type. */
    Map<Class<?>, String> refusals(String machineUid) {
        return Map.copyOf(refusals.getOrDefault(machineUid, Map.of()));
    }

    void forget(String machineUid) {
        last.remove(machineUid);
        refusals.remove(machineUid);
    }
}
