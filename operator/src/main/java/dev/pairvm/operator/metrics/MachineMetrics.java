package dev.pairvm.operator.metrics;

import dev.pairvm.api.v1alpha1.EffectiveLevel;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import io.fabric8.kubernetes.api.model.Condition;
import io.prometheus.client.CollectorRegistry;
import io.prometheus.client.Gauge;
import java.time.DateTimeException;
import java.time.Instant;

/**
 * What the operator knows of each machine, one series per machine and question. Figures that move all the time are the mirrors' own to
 * tell. Thread-safe.
 */
public final class MachineMetrics {
    private static final String[] MACHINE = {"namespace", "machine"};

    private final Gauge level;
    private final Gauge wanted;
    private final Gauge epoch;
    private final Gauge condition;
    private final Gauge copiesInSync;
    private final Gauge identicalAsOf;

    /** Registers the metrics. */
    public MachineMetrics(CollectorRegistry registry) {
        level = Gauge.build(
                        "pairvm_machine_effective_level",
                        "Protection that holds now: 0 none, 1 HighAvailability, 2 ContinuousAvailability, 3 FaultTolerance.")
                .labelNames(MACHINE)
                .register(registry);
        wanted = Gauge.build(
                        "pairvm_machine_wanted_level",
                        "Protection that the spec asks for: 1 HighAvailability, 2 ContinuousAvailability, 3 FaultTolerance.")
                .labelNames(MACHINE)
                .register(registry);
        epoch = Gauge.build("pairvm_machine_epoch", "Epoch of the arbiter's record.")
                .labelNames(MACHINE)
                .register(registry);
        condition = Gauge.build(
                        "pairvm_machine_condition", "Conditions of the ProtectedVM: 1 true, 0 false, -1 unknown.")
                .labelNames("namespace", "machine", "type")
                .register(registry);
        copiesInSync = Gauge.build("pairvm_machine_copies_in_sync", "Copies that hold every acknowledged write.")
                .labelNames(MACHINE)
                .register(registry);
        identicalAsOf = Gauge.build(
                        "pairvm_machine_identical_as_of_timestamp_seconds",
                        "No difference between the copies that arose before this is left; 0: not known.")
                .labelNames(MACHINE)
                .register(registry);
    }

    /** Sets a machine's series. */
    public void set(String namespace, String machine, int inSync, ProtectedVMStatus status) {
        ProtectedVMStatus.LevelStatus levels = status.level();
        level.labels(namespace, machine)
                .set(
                        levels == null
                                ? EffectiveLevel.None.ordinal()
                                : levels.effective().ordinal());
        wanted.labels(namespace, machine)
                .set(levels == null ? 0 : EffectiveLevel.of(levels.wanted()).ordinal());
        Long value = status.epoch();
        epoch.labels(namespace, machine).set(value == null ? 0 : value);
        copiesInSync.labels(namespace, machine).set(inSync);
        identicalAsOf.labels(namespace, machine).set(identicalAsOf(status));
        for (Condition found : status.conditions()) {
            condition
                    .labels(namespace, machine, found.getType())
                    .set(
                            switch (found.getStatus()) {
                                case "True" -> 1;
                                case "False" -> 0;
                                default -> -1;
                            });
        }
    }

    private static double identicalAsOf(ProtectedVMStatus status) {
        ProtectedVMStatus.Verification known = status.verification();
        String at = known == null ? null : known.identicalAsOf();
        try {
            return at == null ? 0 : Instant.parse(at).getEpochSecond();
        } catch (DateTimeException e) {
            return 0; // somebody wrote into the status; the next pass makes it right
        }
    }

    /** Drops a machine's series. */
    public void forget(String namespace, String machine) {
        level.remove(namespace, machine);
        wanted.remove(namespace, machine);
        epoch.remove(namespace, machine);
        copiesInSync.remove(namespace, machine);
        identicalAsOf.remove(namespace, machine);
        for (String type : new String[] {
            "Ready",
            "SpecValid",
            "LevelSupported",
            "Paired",
            "InSync",
            "ArbiterReachable",
            "Redundant",
            "Verified",
            "Reconciling",
            "Stalled"
        }) {
            condition.remove(namespace, machine, type);
        }
    }
}
