package dev.pairvm.mirror.network;

import dev.pairvm.api.mirror.MirrorConfig;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * The network of a masqueraded card: a bridge with 10.0.2.1/24 and one guest, 10.0.2.2, behind address translation. Rules for IPv4
 * only, as the guest's network is.
 */
final class Masquerade {
    static final String BRIDGE = "pvnat";
    static final String GATEWAY = "10.0.2.1";
    static final String GUEST = "10.0.2.2";
    /** The same on both hosts, so that the guest's ARP entry for its gateway stays true when the guest moves. */
    static final String GATEWAY_MAC = "02:00:0a:00:02:01";
    /**
     * Where the mirror serves DHCP; the guest asks port 67, which a process without CAP_NET_BIND_SERVICE can not have. The ports
     * are rewritten packet by packet, for address translation does not take up a broadcast from 0.0.0.0; the checksum, which many
     * DHCP clients leave out, is taken away with it.
     */
    static final int DHCP_PORT = 10067;

    private Masquerade() {}

    /**
     * The rules, as input of {@code nft -f}, replacing earlier ones in one transaction.
     *
     * @param uplink the device on which the pod's address is
     * @param ports forwarded to the guest; none means every port that is not reserved
     */
    static String rules(String uplink, Collection<MirrorConfig.Port> ports, Set<Integer> reserved) {
        StringBuilder rules = new StringBuilder("add table ip pairvm\ndelete table ip pairvm\ntable ip pairvm {\n");
        rules.append("  chain forward_in {\n    type nat hook prerouting priority -100; policy accept;\n");
        if (ports.isEmpty()) {
            String mirror = list(new TreeSet<>(reserved));
            for (String protocol : List.of("tcp", "udp")) {
                String except = reserved.isEmpty() ? "" : " " + protocol + " dport != { " + mirror + " }";
                rules.append(
                        "    iifname \"%s\" meta l4proto %s%s dnat to %s%n".formatted(uplink, protocol, except, GUEST));
            }
        }
        for (MirrorConfig.Port port : ports) {
            rules.append("    iifname \"%s\" %s dport %d dnat to %s%n"
                    .formatted(uplink, protocol(port), checked(port.port(), reserved), GUEST));
        }
        rules.append("""
                  }
                  chain translate_out {
                    type nat hook postrouting priority 100; policy accept;
                    ip saddr 10.0.2.0/24 oifname "%s" masquerade
                  }
                  chain dhcp_request {
                    type filter hook prerouting priority -300; policy accept;
                    iifname "pvnat" udp dport 67 udp dport set %d udp checksum set 0
                  }
                  chain dhcp_strangers {
                    type filter hook input priority 0; policy accept;
                    iifname != "pvnat" udp dport %d drop
                  }
                  chain dhcp_answer {
                    type filter hook output priority -300; policy accept;
                    oifname "pvnat" udp sport %d udp sport set 67 ip daddr set 255.255.255.255
                  }
                }
                """.formatted(uplink, DHCP_PORT, DHCP_PORT, DHCP_PORT));
        return rules.toString();
    }

    private static String protocol(MirrorConfig.Port port) {
        return switch (port.protocol()) {
            case "TCP", "tcp" -> "tcp";
            case "UDP", "udp" -> "udp";
            default ->
                throw new IllegalArgumentException(
                        "a forwarded port's protocol must be TCP or UDP, got \"" + port.protocol() + "\"");
        };
    }

    private static int checked(int port, Set<Integer> reserved) {
        if (port < 1 || port > 65535) {
            throw new IllegalArgumentException("a forwarded port must be from 1 to 65535, got " + port);
        }
        if (reserved.contains(port)) {
            throw new IllegalArgumentException(
                    "port " + port + " of the pod is the mirror's own and can not be forwarded");
        }
        return port;
    }

    private static String list(Collection<Integer> numbers) {
        return String.join(", ", numbers.stream().map(String::valueOf).toList());
    }
}
