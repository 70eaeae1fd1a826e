package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Tells QEMU that disks have grown. Its NBD client learns a size only with a connection (11.1, {@code block/nbd.c}): after the server has
 * ended one, the next request makes another, and from then {@code block_resize} to that size is taken and the guest's device tells its
 * driver. A guest that asks nothing would never bring that request about, so a read does.
 */
final class DiskSizesInQemu {
    private final GuestControl qemu;

    DiskSizesInQemu(GuestControl qemu) {
        this.qemu = qemu;
    }

    CompletableFuture<Void> show(List<Long> bytes) {
        return qemu.execute("query-named-block-nodes", object().put("flat", true))
                .thenCompose(nodes -> {
                    CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
                    for (int disk = 0; disk < bytes.size(); disk++) {
                        String node = OverlayNodes.top(disk);
                        long wished = bytes.get(disk);
                        if (sizeOf(nodes, node) < wished) {
                            all = all.thenCompose(before -> grow(node, wished));
                        }
                    }
                    return all;
                });
    }

    /** Bytes as QEMU sees them; {@link Long#MAX_VALUE} of a node that it has not. */
    private static long sizeOf(JsonNode nodes, String name) {
        for (JsonNode node : nodes) {
            if (node.path("node-name").asText().equals(name)) {
                return node.path("image").path("virtual-size").asLong(Long.MAX_VALUE);
            }
        }
        return Long.MAX_VALUE;
    }

    private CompletableFuture<Void> grow(String node, long bytes) {
        return qemu.execute(
                        "human-monitor-command", object().put("command-line", "qemu-io " + node + " \"read 0 512\""))
                .thenCompose(read -> qemu.execute(
                        "block_resize", object().put("node-name", node).put("size", bytes)))
                .thenCompose(done -> CompletableFuture.completedFuture(null));
    }

    private static ObjectNode object() {
        return JsonNodeFactory.instance.objectNode();
    }
}
