package dev.pairvm.mirror.network;

import dev.pairvm.api.mirror.MirrorConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/**
 * Connects the guest's cards with the pod's interfaces.
 *
 * <p>Every card has a persistent tap, and every tap has a bridge to be attached to. A bridged card's bridge also holds the pod's
 * interface and takes over its addresses and routes; a masqueraded card's bridge is a network of its own, 10.0.2.1/24, behind
 * address translation. Taps are attached while this side is the active one, else detached and down.
 */
public final class PodNetwork implements AutoCloseable {

    /**
     * @param interfaces the guest's cards
     * @param reservedPorts ports of the pod that are the mirror's own, never forwarded to a masqueraded guest
     * @param memory a file that lives as long as the pod; here addresses are noted before they are moved
     */
    public PodNetwork(List<MirrorConfig.Interface> interfaces, Set<Integer> reservedPorts, Path memory) {
        throw new UnsupportedOperationException();
    }

    /** Name of the tap of the card at this position. */
    public static String tapName(int index) {
        return "pvtap" + index;
    }

    /** The taps, in the order of the cards. */
    public List<String> taps() {
        throw new UnsupportedOperationException();
    }

    /**
     * Makes what is missing and leaves the rest as it is: a restarted mirror finds its taps attached as they were. The gate's
     * rules are made first, and closed. Blocking, up to seconds; not on the event loop.
     */
    public void prepare() throws NetworkException {
        throw new UnsupportedOperationException();
    }

    /** The gate of these taps; after {@link #prepare}. */
    public Gate gate() {
        throw new UnsupportedOperationException();
    }

    /** Attaches the taps to their bridges and takes them up. Idempotent, under a millisecond as a rule; any thread. */
    public void attach() throws NetworkException {
        throw new UnsupportedOperationException();
    }

    /** Takes the taps down and detaches them. Idempotent; any thread. */
    public void detach() throws NetworkException {
        throw new UnsupportedOperationException();
    }

    /** Ends what serves the guest in this process (DHCP); the devices stay. */
    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }
}
