package dev.pairvm.e2e.guest;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The steady clients of a guest: two sequences, begun at different times, an echo and HTTP. All run until closed. */
public final class GuestClients implements AutoCloseable {
    private final String host;
    private final EchoWatcher echo;
    private final HttpWatcher http;
    private final List<SequenceWatcher> sequences = new ArrayList<>();

    /** Begins with one of each. */
    public GuestClients(String host) {
        this.host = host;
        sequences.add(SequenceWatcher.on("sequence-1", host));
        echo = EchoWatcher.on("echo", host);
        http = HttpWatcher.on("http", host);
    }

    /** One more connection, made now: a connection that is younger than the twin is another case than one that moved with the memory. */
    public void addSequence() {
        sequences.add(SequenceWatcher.on("sequence-" + (sequences.size() + 1), host));
    }

    private List<ConnectionWatcher> all() {
        return Stream.concat(sequences.stream(), Stream.of(echo, http)).toList();
    }

    /** Begins a new measurement of gaps. */
    public void mark() {
        all().forEach(watcher -> watcher.gaps().mark());
    }

    /**
     * The longest silence of the older sequence since {@link #mark}: what the guest itself would have sent in that time. The askers' silences
     * hold their own kernel's wait before it sends a lost request again, too.
     */
    public Duration gap() {
        return sequences.getFirst().gaps().longest();
    }

    /** The longest silence of each since {@link #mark}. */
    public String gaps() {
        return all().stream()
                .map(watcher -> watcher.name() + " " + watcher.gaps().longest().toMillis() + " ms")
                .collect(Collectors.joining(", "));
    }

    /** Whether each hears its guest at present. */
    public boolean hear(Duration atMost) {
        return all().stream().allMatch(watcher -> watcher.gaps().silence().compareTo(atMost) < 0);
    }

    /** Connections that broke. */
    public long connectionsLost() {
        return all().stream().mapToLong(ConnectionWatcher::connectionsLost).sum();
    }

    /** What a guest may never send; empty is good. */
    public List<String> faults() {
        return all().stream().flatMap(watcher -> watcher.faults().stream()).toList();
    }

    /** Boots that the HTTP client was told of. */
    public long boots() {
        return http.boots();
    }

    /** What was heard, over how many connections. */
    public String summary() {
        return all().stream()
                        .map(watcher -> watcher.name() + " heard " + watcher.heard() + " over "
                                + watcher.connectionsOpened() + " connections")
                        .collect(Collectors.joining("; "))
                + "; " + echo.roundTrips();
    }

    @Override
    public void close() {
        all().forEach(ConnectionWatcher::close);
    }
}
