package dev.pairvm.mirror.link;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Where this mirror's TLS material lies: a mounted Secret, which the kubelet replaces as a whole when certificates are renewed.
 *
 * @param certificate PEM, this mirror's certificate first
 * @param key PEM, PKCS#8, not encrypted
 * @param authority PEM, the certificates that a peer's must descend from: the machine's CA, and the next one during its rotation
 */
public record TlsFiles(Path certificate, Path key, Path authority) {
    /** The three files of a {@code kubernetes.io/tls} Secret. */
    public static TlsFiles in(Path folder) {
        return new TlsFiles(folder.resolve("tls.crt"), folder.resolve("tls.key"), folder.resolve("ca.crt"));
    }

    /**
     * Changes when any of the files does. Blocking, but only three stats.
     *
     * @throws IOException if one is missing
     */
    public String stamp() throws IOException {
        StringBuilder stamp = new StringBuilder();
        for (Path file : List.of(certificate, key, authority)) {
            Path real = file.toRealPath(); // a Secret volume swaps a symbolic link: times alone may stay equal
            stamp.append(real)
                    .append(' ')
                    .append(Files.getLastModifiedTime(real).toMillis())
                    .append(' ')
                    .append(Files.size(real))
                    .append(';');
        }
        return stamp.toString();
    }
}
