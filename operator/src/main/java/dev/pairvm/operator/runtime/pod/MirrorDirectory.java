package dev.pairvm.operator.runtime.pod;

import java.time.InstantSource;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;

/** All mirrors that the operator is in touch with: one {@link MirrorWatch} per address. Thread-safe. */
public final class MirrorDirectory implements AutoCloseable {
    private final MirrorClient client;
    private final InstantSource clock;
    private final ScheduledExecutorService scheduler = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("mirror-watch").daemon().factory());
    private final Map<String, Map<MirrorAddress, MirrorWatch>> machines = new ConcurrentHashMap<>();
    private volatile BiConsumer<String, String> changed = (namespace, machine) -> {};

    /** Uses this client for all of them. */
    public MirrorDirectory(MirrorClient client, InstantSource clock) {
        this.client = client;
        this.clock = clock;
    }

    /** Who is told, with namespace and name, when what is known of a machine's mirrors changes its meaning. */
    public void onChange(BiConsumer<String, String> listener) {
        changed = listener;
    }

    /** Stays in touch with exactly these mirrors of the machine from now on. */
    public void watch(String namespace, String machine, Collection<MirrorAddress> addresses) {
        machines.compute(namespace + "/" + machine, (key, before) -> {
            Map<MirrorAddress, MirrorWatch> watches = before == null ? Map.of() : before;
            watches.values().stream()
                    .filter(watch -> !addresses.contains(watch.address()))
                    .forEach(MirrorWatch::close);
            return Set.copyOf(addresses).stream()
                    .collect(Collectors.toConcurrentMap(
                            address -> address,
                            address -> watches.containsKey(address)
                                    ? watches.get(address)
                                    : open(namespace, machine, address)));
        });
    }

    private MirrorWatch open(String namespace, String machine, MirrorAddress address) {
        MirrorWatch watch =
                new MirrorWatch(address, client, scheduler, clock, () -> changed.accept(namespace, machine));
        watch.ask();
        return watch;
    }

    /** What is known of the mirror at this address. */
    public MirrorFact fact(MirrorAddress address) {
        Map<MirrorAddress, MirrorWatch> watches = machines.get(address.namespace() + "/" + address.machine());
        MirrorWatch watch = watches == null ? null : watches.get(address);
        return watch == null ? new MirrorFact.NoAddress() : watch.fact();
    }

    /** Loses touch with all mirrors of a machine that is gone. */
    public void forget(String namespace, String machine) {
        Map<MirrorAddress, MirrorWatch> watches = machines.remove(namespace + "/" + machine);
        if (watches != null) {
            watches.values().forEach(MirrorWatch::close);
        }
    }

    @Override
    public void close() {
        machines.values().forEach(watches -> watches.values().forEach(MirrorWatch::close));
        machines.clear();
        scheduler.shutdownNow();
    }
}
