package dev.pairvm.mirror.nbd;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The metadata contexts of an export (proto.md, "Metadata querying"): {@code base:allocation}; {@code qemu:dirty-bitmap:<name>}, what
 * changed since {@code name} began, for every name that records; and {@code pairvm:begin:<name>}, which begins to record when it is
 * selected and calls everything dirty. A backup selects its last name and begins the next one in the same request, so that what
 * changes from there on is in the next one.
 */
final class MetaContexts {
    static final String ALLOCATION = "base:allocation";
    static final String DIRTY = "qemu:dirty-bitmap:";
    static final String BEGIN = "pairvm:begin:";

    /** Our id of {@code base:allocation}; bitmaps follow. */
    static final int ALLOCATION_ID = 1;

    private MetaContexts() {}

    /**
     * What a client selected.
     *
     * @param export of this export
     * @param allocation whether {@code base:allocation} is among it
     * @param changes the others, by ascending id from {@code ALLOCATION_ID + 1}
     */
    record Selection(NbdExport export, boolean allocation, List<Changes> changes) {
        Selection {
            changes = List.copyOf(changes);
        }

        boolean isEmpty() {
            return !allocation && changes.isEmpty();
        }
    }

    /**
     * One selected record of changes.
     *
     * @param bitmap absent: all is dirty
     */
    record Changes(String context, Optional<ChangeBitmaps.Bitmap> bitmap) {}

    /** The contexts that exist and that the queries name; without queries all that exist. Changes nothing. */
    static List<String> list(NbdExport export, List<String> queries) {
        Set<String> found = new LinkedHashSet<>();
        if (queries.isEmpty() || queries.contains(ALLOCATION) || queries.contains("base:")) {
            found.add(ALLOCATION);
        }
        boolean all = queries.isEmpty() || queries.contains("qemu:") || queries.contains(DIRTY);
        for (String name : export.changes().map(ChangeBitmaps::names).orElse(List.of())) {
            if (all || queries.contains(DIRTY + name)) {
                found.add(DIRTY + name);
            }
        }
        return List.copyOf(found);
    }

    /** Whether a selection of these would begin more than there is room for, so that it would displace its own. */
    static boolean beginsTooMany(List<String> queries) {
        return queries.stream()
                        .filter(query -> query.startsWith(BEGIN))
                        .distinct()
                        .count()
                > ChangeBitmaps.MOST;
    }

    /** Selects what the queries name exactly; what does not exist is not selected. */
    static Selection select(NbdExport export, List<String> queries) {
        List<Changes> selected = new ArrayList<>();
        export.changes().ifPresent(changes -> {
            for (String query : new LinkedHashSet<>(queries)) {
                if (query.startsWith(DIRTY)) {
                    // Before anything begins: what a beginning displaces is all dirty then, but still there.
                    changes.find(query.substring(DIRTY.length()))
                            .ifPresent(bitmap -> selected.add(new Changes(query, Optional.of(bitmap))));
                }
            }
            for (String query : new LinkedHashSet<>(queries)) {
                if (query.startsWith(BEGIN) && ChangeBitmaps.isName(query.substring(BEGIN.length()))) {
                    changes.begin(query.substring(BEGIN.length()));
                    selected.add(new Changes(query, Optional.empty()));
                }
            }
        });
        return new Selection(export, queries.contains(ALLOCATION), selected);
    }
}
