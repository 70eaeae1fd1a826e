package dev.pairvm.mirror.nbd;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The exports of one server, in the order of the machine's disks. Only sizes change, on the event loop; a client that asks for none gets the first. */
public final class NbdExports {
    private final Map<String, NbdExport> byName = new LinkedHashMap<>();

    /** At least one export; names are unique, otherwise {@link IllegalArgumentException}. */
    public NbdExports(List<NbdExport> exports) {
        if (exports.isEmpty()) {
            throw new IllegalArgumentException("a server needs at least one export");
        }
        for (NbdExport export : exports) {
            if (byName.put(export.name(), export) != null) {
                throw new IllegalArgumentException("export name " + export.name() + " is given twice");
            }
        }
    }

    /** From now clients learn this size; false if there is no such export, or it has that size. */
    boolean resize(String name, long bytes) {
        NbdExport before = byName.get(name);
        if (before == null || before.sizeBytes() == bytes) {
            return false;
        }
        byName.put(name, before.resized(bytes));
        return true;
    }

    /** Every export. */
    List<NbdExport> all() {
        return List.copyOf(byName.values());
    }

    /** By name; the empty name is the default export (proto.md, {@code NBD_OPT_EXPORT_NAME}). */
    Optional<NbdExport> find(String name) {
        return name.isEmpty() ? Optional.of(byName.values().iterator().next()) : Optional.ofNullable(byName.get(name));
    }
}
