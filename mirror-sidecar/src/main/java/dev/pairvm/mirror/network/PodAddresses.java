package dev.pairvm.mirror.network;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;

/**
 * What a pod's interface has and its bridge must take over: addresses, and routes that do not follow from them.
 *
 * @param mac its link address; the bridge gets the same, for the network and the CNI plugin know it
 * @param mtu its largest packet
 * @param addresses {@code address/prefix length}, IPv4 and IPv6, without link-local ones
 * @param routes as arguments of {@code ip route replace}, without the device; gateways' own routes first
 */
record PodAddresses(String mac, int mtu, List<String> addresses, List<String> routes) {
    private static final ObjectMapper JSON = new ObjectMapper();

    PodAddresses {
        addresses = List.copyOf(addresses);
        routes = List.copyOf(routes);
    }

    /** Reads them from a device of this network namespace. */
    static PodAddresses of(String device, Commands commands) throws NetworkException {
        JsonNode link = parse(commands.run("ip", "-j", "address", "show", "dev", device), device)
                .path(0);
        List<String> addresses = new ArrayList<>();
        for (JsonNode address : link.path("addr_info")) {
            if (!address.path("scope").asText().equals("link")) {
                addresses.add(address.path("local").asText() + "/"
                        + address.path("prefixlen").asInt());
            }
        }
        List<String> routes = new ArrayList<>();
        for (String family : List.of("-4", "-6")) {
            for (JsonNode route : parse(commands.run("ip", "-j", family, "route", "show", "dev", device), device)) {
                // Those of the kernel follow from the addresses, those of router advertisements come again.
                String origin = route.path("protocol").asText();
                if (!origin.equals("kernel") && !origin.equals("ra")) {
                    routes.add(words(route));
                }
            }
        }
        // A gateway outside the addresses' prefixes is reached by a route of its own, which must be there before.
        routes.sort((a, b) -> Boolean.compare(a.contains(" via "), b.contains(" via ")));
        return new PodAddresses(link.path("address").asText(), link.path("mtu").asInt(), addresses, routes);
    }

    private static String words(JsonNode route) {
        StringBuilder words = new StringBuilder(route.path("dst").asText());
        if (route.hasNonNull("gateway")) {
            words.append(" via ").append(route.get("gateway").asText());
        }
        if (route.hasNonNull("scope")) {
            words.append(" scope ").append(route.get("scope").asText());
        }
        if (route.hasNonNull("prefsrc")) {
            words.append(" src ").append(route.get("prefsrc").asText());
        }
        if (route.hasNonNull("metric")) {
            words.append(" metric ").append(route.get("metric").asText());
        }
        for (JsonNode flag : route.path("flags")) {
            if (flag.asText().equals("onlink")) {
                words.append(" onlink");
            }
        }
        return words.toString();
    }

    private static JsonNode parse(String text, String device) throws NetworkException {
        try {
            return JSON.readTree(text.isBlank() ? "[]" : text);
        } catch (JsonProcessingException e) {
            throw new NetworkException("ip did not print JSON about " + device, e);
        }
    }

    ObjectNode toJson() {
        ObjectNode node = JSON.createObjectNode().put("mac", mac).put("mtu", mtu);
        addresses.forEach(node.putArray("addresses")::add);
        routes.forEach(node.putArray("routes")::add);
        return node;
    }

    static PodAddresses fromJson(JsonNode node) {
        List<String> addresses = new ArrayList<>();
        node.path("addresses").forEach(address -> addresses.add(address.asText()));
        List<String> routes = new ArrayList<>();
        node.path("routes").forEach(route -> routes.add(route.asText()));
        return new PodAddresses(node.path("mac").asText(), node.path("mtu").asInt(), addresses, routes);
    }
}
