package dev.pairvm.mirror.network;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.TreeMap;

/**
 * What the pod's interfaces had before the mirror changed them, in a file that lives as long as the pod. Written before the first
 * change: a mirror that dies in the middle of moving addresses finds here what it was moving.
 */
final class NetworkMemory {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path file;

    NetworkMemory(Path file) {
        this.file = file;
    }

    /** By name of the interface; empty where nothing was noted yet. */
    Map<String, PodAddresses> read() throws NetworkException {
        Map<String, PodAddresses> noted = new TreeMap<>();
        if (Files.exists(file)) {
            try {
                for (Map.Entry<String, JsonNode> entry :
                        JSON.readTree(file.toFile()).properties()) {
                    noted.put(entry.getKey(), PodAddresses.fromJson(entry.getValue()));
                }
            } catch (IOException e) {
                throw new NetworkException(
                        file + " can not be read; the pod's addresses are not known, replace the pod", e);
            }
        }
        return noted;
    }

    void write(Map<String, PodAddresses> noted) throws NetworkException {
        ObjectNode root = JSON.createObjectNode();
        noted.forEach((device, addresses) -> root.set(device, addresses.toJson()));
        Path next = file.resolveSibling(file.getFileName() + ".new");
        try {
            Files.write(next, JSON.writeValueAsBytes(root));
            Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new NetworkException(file + " can not be written, the pod's network is left as it is", e);
        }
    }
}
