package dev.pairvm.mirror.guest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The block nodes under a twin's disk, and what QEMU's graph says of them. Pure.
 *
 * <pre>
 * guest - diskN (replication) - activeN (qcow2: what the twin wrote since the last checkpoint)
 *                                  - hiddenN (qcow2: what the active overwrote since then)
 *                                      - baseN (NBD: this copy's store, written by the active through the mirrors)
 * </pre>
 *
 * A failover commits active and hidden into the base. QEMU does that in a job that it shows in no query and no event, neither its
 * progress nor its failure; only the graph tells: afterwards diskN stands on baseN itself. {@code x-debug-query-block-graph}.
 */
final class OverlayNodes {
    /** How far the commit of one disk is. */
    enum Commit {
        /** The overlays still count, and a job is at work. */
        RUNNING,
        /** The overlays still count, and nobody commits them. */
        FAILED,
        /** The base has everything. */
        DONE
    }

    private OverlayNodes() {}

    static String base(int index) {
        return "base" + index;
    }

    static String top(int index) {
        return "disk" + index;
    }

    static String active(int index) {
        return "active" + index;
    }

    static String hidden(int index) {
        return "hidden" + index;
    }

    /** The node of an overlay's file; its highest offset is the overlay's size. */
    static String file(String overlay) {
        return overlay + "-file";
    }

    private static ObjectNode node(String driver, String name) {
        return JsonNodeFactory.instance.objectNode().put("driver", driver).put("node-name", name);
    }

    /** For {@code -blockdev}, bottom up; the base is described by the caller. */
    static List<ObjectNode> description(int index, OverlayFiles files, String disk) {
        return List.of(
                node("file", file(hidden(index)))
                        .put("filename", files.hidden(disk).toString()),
                node("qcow2", hidden(index)).put("file", file(hidden(index))).put("backing", base(index)),
                node("file", file(active(index)))
                        .put("filename", files.active(disk).toString()),
                node("qcow2", active(index)).put("file", file(active(index))).put("backing", hidden(index)),
                node("replication", top(index))
                        .put("mode", "secondary")
                        .put("top-id", top(index))
                        .put("file", active(index)));
    }

    /** @param graph the answer of {@code x-debug-query-block-graph} */
    static Commit commit(int index, JsonNode graph) throws GuestException {
        Map<Long, String> names = new HashMap<>();
        boolean job = false;
        for (JsonNode each : graph.path("nodes")) {
            names.put(each.path("id").asLong(), each.path("name").asText());
            job |= each.path("type").asText().equals("block-job");
        }
        for (JsonNode edge : graph.path("edges")) {
            if (top(index).equals(names.get(edge.path("parent").asLong()))
                    && edge.path("name").asText().equals("file")) {
                String below = names.getOrDefault(edge.path("child").asLong(), "");
                if (below.equals(base(index))) {
                    return Commit.DONE;
                }
                return job ? Commit.RUNNING : Commit.FAILED;
            }
        }
        throw new GuestException("QEMU's block graph has no " + top(index) + " on a file: is this a twin's QEMU?");
    }
}
