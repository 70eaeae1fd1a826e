package dev.pairvm.mirror.engine;

import dev.pairvm.api.mirror.MirrorConfig;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Where the peer can reach this mirror, best path first. */
final class OwnAddresses {
    /** The pod network's interface; its address may have moved to a bridge, so the kubelet's word is taken. */
    private static final String POD_INTERFACE = "eth0";

    private OwnAddresses() {}

    /** {@code host:port} for each interface of the link that has an address now. */
    static List<String> of(MirrorConfig.Link link, Optional<String> podAddress) throws SocketException {
        Set<String> addresses = new LinkedHashSet<>();
        for (String name : link.interfaces()) {
            if (name.equals(POD_INTERFACE) && podAddress.isPresent()) {
                addresses.add(withPort(podAddress.get(), link.port()));
            } else {
                addressesOf(name).forEach(address -> addresses.add(withPort(address, link.port())));
            }
        }
        return List.copyOf(addresses);
    }

    private static List<String> addressesOf(String name) throws SocketException {
        NetworkInterface card = NetworkInterface.getByName(name);
        List<String> addresses = new ArrayList<>();
        if (card != null) {
            for (InetAddress address : Collections.list(card.getInetAddresses())) {
                if (address instanceof Inet4Address || !address.isLinkLocalAddress()) {
                    addresses.add(address.getHostAddress());
                }
            }
        }
        return addresses;
    }

    private static String withPort(String host, int port) {
        return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
    }
}
