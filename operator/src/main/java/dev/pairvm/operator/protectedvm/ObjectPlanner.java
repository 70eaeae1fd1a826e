package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.v1alpha1.MirroredDisk;
import dev.pairvm.operator.desired.AccessRules;
import dev.pairvm.operator.desired.DiskVolumes;
import dev.pairvm.operator.desired.EvictionGuard;
import dev.pairvm.operator.desired.Exposure;
import dev.pairvm.operator.desired.Installation;
import dev.pairvm.operator.desired.Isolation;
import dev.pairvm.operator.desired.Machine;
import dev.pairvm.operator.desired.MirrorConfiguration;
import dev.pairvm.operator.desired.PodVolumes;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Quantity;
import java.util.ArrayList;
import java.util.List;

/** Everything but pods and copies' fates: objects that simply should be as they are described. */
final class ObjectPlanner {
    private final Installation installation;
    private final Observation seen;
    private final Draft draft;

    ObjectPlanner(Installation installation, Observation seen, Draft draft) {
        this.installation = installation;
        this.seen = seen;
        this.draft = draft;
    }

    void plan() {
        for (HasMetadata desired : desired()) {
            HasMetadata stamped = Owned.stamped(desired);
            if (!Owned.asDesired(stamped, seen.owned().get(Owned.key(stamped)))) {
                draft.act(new Action.Apply(stamped));
            }
        }
        seen.memory().copies().stream()
                .filter(seen.certificatesDue()::contains)
                .forEach(copy -> draft.act(new Action.IssueCertificate(copy)));
    }

    /**
     * A claim that exists asks for more only where that can be granted, and never for less, as after the level came down: else the API server would refuse the whole of it, and with it
     * whatever else is to change. Why it can not is told by {@link DiskGrowth}.
     */
    private PersistentVolumeClaim claim(Machine machine, CopyId copy, MirroredDisk disk) {
        PersistentVolumeClaim desired = DiskVolumes.claim(machine, copy, disk);
        boolean expandable = seen.claims().stream()
                .filter(fact -> fact.name().equals(desired.getMetadata().getName()))
                .allMatch(fact -> fact.bound() && fact.volume().expandable());
        if (seen.owned().get(Owned.key(desired)) instanceof PersistentVolumeClaim existing
                && (!expandable || bytes(existing) > bytes(desired))) {
            desired.getSpec().setResources(existing.getSpec().getResources());
        }
        return desired;
    }

    private static long bytes(PersistentVolumeClaim claim) {
        Quantity asked = claim.getSpec().getResources().getRequests().get("storage");
        return asked == null ? 0 : Quantity.getAmountInBytes(asked).longValue();
    }

    /** A pod that an earlier release made does not see the overlays' directory; what its mirror wrote there would go with the container. */
    private MirrorConfiguration.TwinChoice twin(CopyId copy) {
        boolean possible =
                seen.pod(copy).filter(pod -> pod.runner() && !pod.overlays()).isEmpty();
        return new MirrorConfiguration.TwinChoice(possible, TwinWish.inConfiguration(seen));
    }

    private List<HasMetadata> desired() {
        Machine machine = seen.machine();
        List<HasMetadata> all = new ArrayList<>(AccessRules.of(machine));
        all.add(Isolation.policy(machine, installation));
        PodVolumes.cloudInitSecret(machine).ifPresent(all::add);
        Exposure.service(machine).ifPresent(all::add);
        seen.active().ifPresent(active -> {
            all.add(EvictionGuard.budget(machine, active));
            Exposure.endpoints(machine, seen.pod(active).flatMap(PodFact::address))
                    .ifPresent(all::add);
        });
        for (CopyId copy : seen.memory().copies()) {
            all.add(MirrorConfiguration.configMap(machine, copy, installation, twin(copy)));
            machine.spec().disks().forEach(disk -> all.add(claim(machine, copy, disk)));
        }
        return all;
    }
}
