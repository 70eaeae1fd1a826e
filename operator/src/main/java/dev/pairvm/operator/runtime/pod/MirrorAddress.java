package dev.pairvm.operator.runtime.pod;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.operator.desired.Ports;
import java.net.URI;

/**
 * Where a mirror is and who it must prove to be.
 *
 * @param namespace of the machine
 * @param machine its name
 * @param copy whose mirror
 * @param identity the URI that its certificate must carry
 * @param host pod IP
 * @param port control port
 */
public record MirrorAddress(String namespace, String machine, CopyId copy, String identity, String host, int port) {
    /** At the usual port. */
    public MirrorAddress(String namespace, String machine, CopyId copy, String identity, String host) {
        this(namespace, machine, copy, identity, host, Ports.CONTROL);
    }

    URI uri(String path) {
        String literal = host.contains(":") ? "[" + host + "]" : host;
        return URI.create("https://" + literal + ":" + port + path);
    }

    String endpoint() {
        return host + ":" + port;
    }
}
