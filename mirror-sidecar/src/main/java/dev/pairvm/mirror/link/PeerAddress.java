package dev.pairvm.mirror.link;

import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;

/**
 * Where a mirror can be reached, as the arbiter record has it: {@code 10.1.2.3:7400} or {@code [fd00::3]:7400}. A literal address:
 * names would need a resolver, whose silence is one more way to be cut off.
 *
 * @param host the address without brackets
 * @param port 1 to 65535
 */
public record PeerAddress(String host, int port) {
    /** Checks both; throws {@link IllegalArgumentException} naming what it got. */
    public PeerAddress {
        if (!NetUtil.isValidIpV4Address(host) && !NetUtil.isValidIpV6Address(host)) {
            throw new IllegalArgumentException("address must be a literal IPv4 or IPv6 address, got \"" + host + "\"");
        }
        if (port < 1 || port > 65535) {
            throw new IllegalArgumentException("port must be 1 to 65535, got " + port);
        }
    }

    /** Reads {@code host:port}; throws {@link IllegalArgumentException} naming what it got. */
    public static PeerAddress parse(String text) {
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? "" : text.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        } else if (host.indexOf(':') >= 0) {
            throw new IllegalArgumentException("an IPv6 address needs brackets before its port, got \"" + text + "\"");
        }
        try {
            return new PeerAddress(host, Integer.parseInt(text.substring(colon + 1)));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("address must be host:port, got \"" + text + "\"", e);
        }
    }

    InetAddress inet() {
        try {
            return InetAddress.getByAddress(NetUtil.createByteArrayFromIpAddressString(host));
        } catch (UnknownHostException e) {
            throw new IllegalStateException("checked address is none: " + host, e);
        }
    }

    InetSocketAddress socket() {
        return new InetSocketAddress(inet(), port);
    }

    @Override
    public String toString() {
        return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + port;
    }
}
