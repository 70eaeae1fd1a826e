package dev.pairvm.operator.placement;

import dev.pairvm.api.v1alpha1.Placement;
import dev.pairvm.api.v1alpha1.TemplateSpec;
import io.fabric8.kubernetes.api.model.Affinity;
import io.fabric8.kubernetes.api.model.AffinityBuilder;
import io.fabric8.kubernetes.api.model.PodAffinityTerm;
import io.fabric8.kubernetes.api.model.PodAffinityTermBuilder;
import io.fabric8.kubernetes.api.model.PreferredSchedulingTerm;
import io.fabric8.kubernetes.api.model.PreferredSchedulingTermBuilder;
import io.fabric8.kubernetes.api.model.Toleration;
import io.fabric8.kubernetes.api.model.TolerationBuilder;
import java.util.ArrayList;
import java.util.List;

/** What the scheduler is told about a copy's pod: the user's wishes, and that two copies never share a place. */
public final class PodPlacement {
    private static final String MACHINE = "pairvm.dev/machine";

    private final String machine;
    private final Placement wishes;
    private final TemplateSpec template;

    /** For the machine of this name. */
    public PodPlacement(String machine, Placement wishes, TemplateSpec template) {
        this.machine = machine;
        this.wishes = wishes;
        this.template = template;
    }

    /**
     * The template's affinity, with the copies kept apart. The anti-affinity is required: two copies on one host would be one copy.
     *
     * @param first whether this is the copy that {@code preferredNode} speaks of
     */
    public Affinity affinity(boolean first) {
        Affinity wished = template.affinity();
        AffinityBuilder affinity = wished == null ? new AffinityBuilder() : new AffinityBuilder(wished);
        affinity.editOrNewPodAntiAffinity()
                .addToRequiredDuringSchedulingIgnoredDuringExecution(apart())
                .endPodAntiAffinity();
        String preferred = wishes.preferredNode();
        if (first && preferred != null) {
            affinity.editOrNewNodeAffinity()
                    .addToPreferredDuringSchedulingIgnoredDuringExecution(on(preferred))
                    .endNodeAffinity();
        }
        return affinity.build();
    }

    private PodAffinityTerm apart() {
        return new PodAffinityTermBuilder()
                .withTopologyKey(wishes.topologyKey())
                .withNewLabelSelector()
                .addToMatchLabels(MACHINE, machine)
                .endLabelSelector()
                .build();
    }

    private static PreferredSchedulingTerm on(String node) {
        return new PreferredSchedulingTermBuilder()
                .withWeight(100)
                .withNewPreference()
                .addNewMatchField()
                .withKey("metadata.name")
                .withOperator("In")
                .withValues(node)
                .endMatchField()
                .endPreference()
                .build();
    }

    /**
     * The template's tolerations, and those that keep the taint manager away: a copy lies where its disks are, so its pod waits
     * there for the node to come back. Failing over is the mirrors' business, replacing a lost copy the operator's.
     */
    public List<Toleration> tolerations() {
        List<Toleration> all = new ArrayList<>(template.tolerations());
        for (String taint : List.of("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")) {
            all.add(new TolerationBuilder()
                    .withKey(taint)
                    .withOperator("Exists")
                    .withEffect("NoExecute")
                    .build());
        }
        return all;
    }
}
