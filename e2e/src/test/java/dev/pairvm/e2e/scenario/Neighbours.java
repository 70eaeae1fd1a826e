package dev.pairvm.e2e.scenario;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The kernel's table of neighbours in the network namespace of the tests. */
final class Neighbours {
    private Neighbours() {}

    /** Hardware address of a neighbour, or empty. */
    static String macOf(String address) throws IOException {
        List<String> lines = Files.readAllLines(Path.of("/proc/net/arp"));
        return lines.stream()
                .map(line -> line.split("\\s+"))
                .filter(words -> words[0].equals(address))
                .map(words -> words[3])
                .findFirst()
                .orElse("");
    }
}
