package dev.pairvm.operator.desired;

import dev.pairvm.api.v1alpha1.DiskSource;
import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.api.v1alpha1.UnsupportedFields;
import java.util.ArrayList;
import java.util.List;

/** What can be wrong with a spec by itself that the schema can not say; each complaint begins with the field's path. */
public final class SpecCheck {
    private SpecCheck() {}

    /** The complaints; empty where the spec can be honoured. */
    public static List<String> complaints(Machine machine) {
        List<String> complaints = new ArrayList<>();
        UnsupportedFields.find(machine.spec().template())
                .forEach(path -> complaints.add(path + ": this field is not supported; remove it"));
        List<MirroredDisk> disks = machine.spec().disks();
        for (int i = 0; i < disks.size(); i++) {
            DiskSource.Http http = disks.get(i).source().http();
            String checksum = http == null ? null : http.checksum();
            if (checksum != null && !DiskSources.canCheck(checksum)) {
                complaints.add("spec.disks[" + i + "].source.http.checksum: only sha256 can be checked so far; give "
                        + "sha256:<64 hex digits>");
            }
        }
        return List.copyOf(complaints);
    }
}
