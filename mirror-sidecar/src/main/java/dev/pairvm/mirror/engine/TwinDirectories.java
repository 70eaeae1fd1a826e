package dev.pairvm.mirror.engine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A directory of its own for the sockets of each twinning, seen by QEMU's container too, so that nothing late of one reaches the next.
 * Those before the last are removed. Short: a unix socket's path has at most 107 bytes.
 */
final class TwinDirectories {
    private static final Logger LOG = LoggerFactory.getLogger(TwinDirectories.class);
    private static final String PREFIX = "twin-";

    private final Path parent;
    private final SecureRandom random = new SecureRandom();

    TwinDirectories(Path parent) {
        this.parent = parent;
    }

    /** A new one; {@link IOException} if it can not be made. */
    Path fresh() throws IOException {
        removeOld();
        return Files.createDirectory(parent.resolve(PREFIX + Integer.toHexString(random.nextInt() | 0x10000000)));
    }

    /** For a twinning that is only to be ended: nobody makes a socket there. */
    Path none() {
        return parent.resolve(PREFIX + "none");
    }

    private void removeOld() throws IOException {
        List<Path> old;
        try (Stream<Path> all = Files.list(parent)) {
            old = all.filter(path -> path.getFileName().toString().startsWith(PREFIX))
                    .toList();
        }
        for (Path directory : old) {
            try (Stream<Path> sockets = Files.list(directory)) {
                for (Path socket : sockets.toList()) {
                    Files.deleteIfExists(socket);
                }
                Files.deleteIfExists(directory);
            } catch (IOException e) {
                LOG.warn("{} can not be removed: {}", directory, e.toString());
            }
        }
    }
}
