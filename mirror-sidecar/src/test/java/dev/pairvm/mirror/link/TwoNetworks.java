package dev.pairvm.mirror.link;

import java.io.IOException;
import java.util.List;

/** Two networks between two mirrors of one process: frames through proxies, beacons by address; each can be cut, and nobody is told. */
public final class TwoNetworks implements AutoCloseable {
    private final List<CutProxy> paths;

    /** Both lead to this port. */
    public TwoNetworks(int port) throws IOException {
        paths = List.of(new CutProxy("127.0.0.1", port), new CutProxy("127.0.0.2", port));
    }

    /** Where the side behind the proxies is to be dialed, first network first. */
    public List<String> addresses() {
        return paths.stream().map(path -> path.address().toString()).toList();
    }

    /** Nothing passes this network any more, in neither direction. */
    public void cut(int network, PeerLink one, PeerLink other) {
        paths.get(network).cut();
        one.beacons().lost = i -> i == network;
        other.beacons().lost = i -> i == network;
    }

    /** All passes everywhere. */
    public void heal(PeerLink one, PeerLink other) {
        paths.stream().filter(CutProxy::isCut).forEach(CutProxy::heal);
        one.beacons().lost = i -> false;
        other.beacons().lost = i -> false;
    }

    @Override
    public void close() throws IOException {
        for (CutProxy path : paths) {
            path.close();
        }
    }
}
