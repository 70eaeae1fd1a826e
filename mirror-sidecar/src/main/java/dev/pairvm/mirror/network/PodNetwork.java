package dev.pairvm.mirror.network;

import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorConfig.Binding;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Connects the guest's cards with the pod's interfaces.
 *
 * <p>Every card has a persistent tap, and every tap has a bridge to be attached to. A bridged card's bridge also holds the pod's
 * interface and takes over its addresses and routes; a masqueraded card's bridge is a network of its own, 10.0.2.1/24, behind
 * address translation. Taps are attached while this side is the active one, else detached; a detached tap reaches nothing.
 */
public final class PodNetwork implements AutoCloseable {
    /** Each call of {@code ip} or {@code nft}; they take milliseconds. */
    private static final Duration COMMAND_LIMIT = Duration.ofSeconds(5);
    /** Linux' longest name of a device. */
    private static final int MAX_DEVICE_NAME = 15;

    private static final Path RESOLV_CONF = Path.of("/etc/resolv.conf");

    private final List<MirrorConfig.Interface> cards;
    private final Set<Integer> reservedPorts;
    private final NetworkMemory memory;
    private final String hostname;
    private final Commands commands = new Commands(COMMAND_LIMIT);
    private final List<Attachment> attachments = new ArrayList<>();
    private @Nullable Links links;
    private @Nullable DhcpServer dhcp;

    /** A tap and its bridge, by their indexes; they never change while the pod lives. */
    private record Attachment(String tap, int tapIndex, String bridge, int bridgeIndex) {}

    /**
     * @param cards the guest's network cards
     * @param hostname given to a masqueraded guest by DHCP
     * @param reservedPorts ports of the pod that are the mirror's own, never forwarded to a masqueraded guest
     * @param memory a file that lives as long as the pod; here addresses are noted before they are moved
     * @throws IllegalArgumentException naming the card that can not be had
     */
    public PodNetwork(
            List<MirrorConfig.Interface> cards, Optional<String> hostname, Set<Integer> reservedPorts, Path memory) {
        this.cards = List.copyOf(cards);
        this.hostname = hostname.orElse("");
        this.reservedPorts = Set.copyOf(reservedPorts);
        this.memory = new NetworkMemory(memory);
        for (MirrorConfig.Interface card : cards) {
            if (!card.podInterface().matches("[A-Za-z0-9_.-]{1,12}")) {
                throw new IllegalArgumentException("interface \"" + card.name() + "\": the pod's interface must have a"
                        + " name of 1 to 12 letters, digits, dots or dashes, got \"" + card.podInterface() + "\"");
            }
        }
        if (masqueraded().skip(1).findAny().isPresent()) {
            throw new IllegalArgumentException(
                    "only one interface can be masqueraded, the guest has one address there");
        }
        masqueraded().forEach(card -> Masquerade.rules(card.podInterface(), card.ports(), this.reservedPorts));
    }

    private Stream<MirrorConfig.Interface> masqueraded() {
        return cards.stream().filter(card -> card.binding() == Binding.MASQUERADE);
    }

    /** Name of the tap of the card at this position. */
    public static String tapName(int index) {
        return "pvtap" + index;
    }

    private static String bridgeName(String podInterface) {
        String name = "br-" + podInterface;
        assert name.length() <= MAX_DEVICE_NAME : name;
        return name;
    }

    /** The taps, in the order of the cards. */
    public List<String> taps() {
        return IntStream.range(0, cards.size()).mapToObj(PodNetwork::tapName).toList();
    }

    /**
     * Makes what is missing and leaves the rest as it is: a restarted mirror finds its taps attached as they were. The gate's
     * rules are made before any tap, and shut. Blocking, up to seconds; once per life, not on the event loop.
     */
    public synchronized void prepare() throws NetworkException {
        Gate.install(commands, taps());
        Map<String, PodAddresses> uplinks = note();
        for (Map.Entry<String, PodAddresses> uplink : uplinks.entrySet()) {
            if (isBridged(uplink.getKey())) {
                bridge(uplink.getKey(), uplink.getValue());
            }
        }
        Links opened = new Links();
        links = opened;
        Optional<MirrorConfig.Interface> hidden = masqueraded().findFirst();
        if (hidden.isPresent()) {
            PodAddresses uplink =
                    Objects.requireNonNull(uplinks.get(hidden.get().podInterface()));
            masquerade(hidden.get(), uplink, opened);
        }
        for (int i = 0; i < cards.size(); i++) {
            MirrorConfig.Interface card = cards.get(i);
            PodAddresses uplink = Objects.requireNonNull(uplinks.get(card.podInterface()));
            tap(tapName(i), uplink.mtu());
            String bridge = card.binding() == Binding.BRIDGE ? bridgeName(card.podInterface()) : Masquerade.BRIDGE;
            attachments.add(
                    new Attachment(tapName(i), NetlinkSocket.index(tapName(i)), bridge, NetlinkSocket.index(bridge)));
        }
    }

    /** What the pod's interfaces had when the pod was new: as noted in an earlier life, else as they are now. */
    private Map<String, PodAddresses> note() throws NetworkException {
        Map<String, PodAddresses> noted = new TreeMap<>(memory.read());
        boolean complete = true;
        for (MirrorConfig.Interface card : cards) {
            if (!noted.containsKey(card.podInterface())) {
                noted.put(card.podInterface(), PodAddresses.of(card.podInterface(), commands));
                complete = false;
            }
        }
        if (!complete) {
            memory.write(noted);
        }
        return noted;
    }

    private boolean isBridged(String podInterface) {
        return cards.stream()
                .anyMatch(card ->
                        card.binding() == Binding.BRIDGE && card.podInterface().equals(podInterface));
    }

    /**
     * Puts a bridge over the pod's interface. The bridge keeps the interface's MAC whatever joins it later, forwards at once (no
     * spanning tree, no delay: it has one way out), and forwards multicast without waiting to be asked (the guest may have joined
     * its groups on the other host).
     */
    private void bridge(String device, PodAddresses had) throws NetworkException {
        String bridge = bridgeName(device);
        makeBridge(bridge, had.mac(), had.mtu());
        StringBuilder batch = new StringBuilder();
        batch.append("link set dev %s up%n".formatted(device));
        batch.append("link set dev %s master %s%n".formatted(device, bridge));
        for (String address : had.addresses()) {
            String noDuplicateSearch = address.contains(":") ? " nodad" : "";
            batch.append("address replace %s dev %s%s%n".formatted(address, bridge, noDuplicateSearch));
        }
        for (String address : PodAddresses.of(device, commands).addresses()) {
            batch.append("address del %s dev %s%n".formatted(address, device));
        }
        for (String route : had.routes()) {
            batch.append("route replace %s dev %s%n".formatted(route, bridge));
        }
        ipBatch(batch.toString());
    }

    private void makeBridge(String bridge, String mac, int mtu) throws NetworkException {
        if (!exists(bridge)) {
            ipBatch("link add name %s address %s mtu %d type bridge forward_delay 0 stp_state 0 mcast_snooping 0%n"
                    .formatted(bridge, mac, mtu));
        }
        ipBatch("link set dev %s up%n".formatted(bridge));
    }

    private void masquerade(MirrorConfig.Interface card, PodAddresses uplink, Links opened) throws NetworkException {
        String out = isBridged(card.podInterface()) ? bridgeName(card.podInterface()) : card.podInterface();
        makeBridge(Masquerade.BRIDGE, Masquerade.GATEWAY_MAC, uplink.mtu());
        ipBatch("address replace %s/24 dev %s%n".formatted(Masquerade.GATEWAY, Masquerade.BRIDGE));
        commands.run(Masquerade.rules(out, card.ports(), reservedPorts), List.of("nft", "-f", "-"));
        for (String device : List.of(Masquerade.BRIDGE, out)) {
            opened.forward(NetlinkSocket.index(device), "let IPv4 packets from " + device + " be routed");
        }
        if (dhcp == null) {
            dhcp = new DhcpServer(new DhcpReply(
                    card.mac(),
                    DhcpServer.resolver(RESOLV_CONF, "nameserver"),
                    DhcpServer.resolver(RESOLV_CONF, "search"),
                    uplink.mtu(),
                    hostname));
        }
    }

    private void tap(String tap, int mtu) throws NetworkException {
        if (!exists(tap)) {
            // Owned by root of the pod: QEMU's container has no capability and opens it by being the owner.
            ipBatch("tuntap add dev %s mode tap user 0%n".formatted(tap));
        }
        // No link-local address: what the pod itself would send out of the tap does not pass the bridge's hooks.
        ipBatch("link set dev %s mtu %d addrgenmode none up%n".formatted(tap, mtu));
    }

    private static boolean exists(String device) {
        try {
            return NetlinkSocket.index(device) > 0;
        } catch (NetworkException none) {
            return false;
        }
    }

    private void ipBatch(String lines) throws NetworkException {
        commands.run(lines, List.of("ip", "-batch", "-"));
    }

    /**
     * The gate of these taps; after {@link #prepare}.
     *
     * @param bootNanos nanoseconds of CLOCK_BOOTTIME
     */
    public Gate gate(LongSupplier bootNanos) throws NetworkException {
        return new Gate(taps(), bootNanos);
    }

    /** Attaches the taps to their bridges. Idempotent, under a millisecond as a rule; any thread. */
    public synchronized void attach() throws NetworkException {
        for (Attachment each : attachments) {
            prepared().attach(each.tapIndex, each.bridgeIndex, "attach " + each.tap + " to " + each.bridge);
        }
    }

    /** Detaches the taps, all of them even if one fails. Idempotent; any thread. */
    public synchronized void detach() throws NetworkException {
        NetworkException failed = null;
        for (Attachment each : attachments) {
            try {
                prepared().detach(each.tapIndex, "detach " + each.tap + " from " + each.bridge);
            } catch (NetworkException e) {
                failed = e;
            }
        }
        if (failed != null) {
            throw failed;
        }
    }

    private Links prepared() {
        return Objects.requireNonNull(links, "prepare() comes first");
    }

    /** Ends what serves the guest in this process (DHCP); the devices stay. */
    @Override
    public synchronized void close() {
        if (dhcp != null) {
            dhcp.close();
        }
        if (links != null) {
            links.close();
        }
    }
}
