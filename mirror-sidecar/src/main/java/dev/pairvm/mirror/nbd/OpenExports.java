package dev.pairvm.mirror.nbd;

import java.util.HashMap;
import java.util.Map;

/** How many clients have each export open; on the event loop only. */
final class OpenExports {
    private final Map<String, Integer> clients = new HashMap<>();

    void opened(NbdExport export) {
        clients.merge(export.name(), 1, Integer::sum);
    }

    void closed(NbdExport export) {
        int remaining = clients.merge(export.name(), -1, Integer::sum);
        export.backend().clientGone(remaining);
    }
}
