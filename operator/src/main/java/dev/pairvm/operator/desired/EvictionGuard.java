package dev.pairvm.operator.desired;

import dev.pairvm.api.mirror.CopyId;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudgetBuilder;
import java.util.Map;

/**
 * A PodDisruptionBudget that keeps a drain from evicting the active. It selects the active's pod alone, and moves with the active: a
 * drained node's guest is first switched over, then its pod, now a standby's, may go. {@code minAvailable} and not {@code
 * maxUnavailable}, for the pods have no controller that the disruption controller knows.
 */
public final class EvictionGuard {
    private EvictionGuard() {}

    /** The guard while {@code active} is the active. */
    public static PodDisruptionBudget budget(Machine machine, CopyId active) {
        return new PodDisruptionBudgetBuilder()
                .withMetadata(machine.owned(machine.leaseName(), machine.labels()))
                .withNewSpec()
                .withMinAvailable(new IntOrString(1))
                .withNewSelector()
                .withMatchLabels(Map.of(Labels.MACHINE, machine.name(), Labels.COPY, active.value()))
                .endSelector()
                .endSpec()
                .build();
    }
}
