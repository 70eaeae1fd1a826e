package dev.pairvm.operator.protectedvm;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.operator.desired.ArbiterProvision;
import dev.pairvm.operator.desired.Installation;
import dev.pairvm.operator.desired.Machine;
import dev.pairvm.operator.desired.SpecCheck;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Supplier;

/**
 * Decides what to do for a machine. Pure: the same observation gives the same plan, but for the nonce of a new Lease.
 *
 * <p>The order within a plan matters: memory before what relies on it, claims and certificates before pods, orders last.
 */
public final class Planner {
    /** In peace nothing happens between events; this only catches what no event told. */
    private static final Duration QUIET = Duration.ofMinutes(5);
    /** How often to look while something that sends no event is waited for. */
    static final Duration SOON = Duration.ofSeconds(2);

    private final Installation installation;
    private final Supplier<String> nonces;

    /** {@code nonces} gives a new random word each time. */
    public Planner(Installation installation, Supplier<String> nonces) {
        this.installation = installation;
        this.nonces = nonces;
    }

    /** What to do for a machine that is to exist. */
    public Plan plan(Observation seen) {
        Draft draft = new Draft(QUIET);
        List<String> complaints = SpecCheck.complaints(seen.machine());
        if (!complaints.isEmpty()) {
            return draft.stuck(Reason.UnsupportedField, String.join("; ", complaints))
                    .plan();
        }
        if (seen.arbiterLost()) {
            return draft.stuck(
                            Reason.ArbiterLost,
                            "Lease " + seen.machine().leaseName() + " was created for this machine and is "
                                    + (seen.arbiterReplaced() ? "another one now" : "missing")
                                    + "; without it nobody knows which copy is current. Restore it from a backup of the cluster, or "
                                    + "delete this ProtectedVM and make a new one from the claim of the copy that you trust")
                    .plan();
        }
        Optional<String> rolledBack = seen.arbiterRolledBack();
        if (rolledBack.isPresent()) {
            // What such a record does not list may be the very copy that is current: nothing is changed by it, least of
            // all deleted.
            return draft.stuck(
                            Reason.ArbiterRolledBack,
                            "Lease " + seen.machine().leaseName() + " is older than the machine's disks; "
                                    + rolledBack.get())
                    .lookAgain(SOON)
                    .plan();
        }
        return switch (seen.arbiter()) {
            case ArbiterFact.Damaged damaged ->
                draft.stuck(Reason.ArbiterDamaged, damaged.why())
                        .lookAgain(SOON)
                        .plan();
            case ArbiterFact.Missing missing -> provision(seen, draft);
            case ArbiterFact.Known known ->
                known.uid().equals(seen.memory().lease().orElse("")) ? upkeep(seen, draft) : provision(seen, draft);
        };
    }

    /** First creation; also picks up a creation that was broken off between the Lease and the memory of it. */
    private Plan provision(Observation seen, Draft draft) {
        Optional<Plan.Doing> obstacle = obstacle(seen);
        if (obstacle.isPresent()) {
            return draft.stuck(obstacle.get().reason(), obstacle.get().message())
                    .lookAgain(Duration.ofSeconds(30))
                    .plan();
        }
        Machine machine = seen.machine();
        draft.doing(Reason.Provisioning, "creating the machine's objects");
        draft.act(new Action.Provision(ArbiterProvision.lease(machine, nonces.get()), seen.memory()));
        if (seen.arbiter() instanceof ArbiterFact.Missing) {
            // The rest of the pass may rely on the Lease: a failed action ends the pass.
            ArbiterRecord fresh = new ArbiterRecord(
                    ArbiterRecord.PROVISIONED,
                    ArbiterProvision.FIRST,
                    new TreeSet<>(List.of(ArbiterProvision.FIRST)),
                    ArbiterRecord.Mode.HA,
                    "planned",
                    new TreeMap<>());
            return upkeep(With.arbiter(seen, new ArbiterFact.Known(fresh, "planned"), "planned"), draft);
        }
        ArbiterFact.Known known = (ArbiterFact.Known) seen.arbiter();
        return upkeep(With.arbiter(seen, known, known.uid()), draft);
    }

    private static Optional<Plan.Doing> obstacle(Observation seen) {
        if (!seen.strangers().isEmpty()) {
            return Optional.of(new Plan.Doing(
                    Reason.ClaimBelongsToAnother,
                    "claims " + String.join(", ", new TreeSet<>(seen.strangers()))
                            + " exist and belong to another machine, perhaps an earlier one of this name; rename or delete them, or "
                            + "name one as the disk's source under another machine name"));
        }
        if (!seen.missingClasses().isEmpty()) {
            return Optional.of(new Plan.Doing(
                    Reason.StorageClassMissing,
                    "spec.disks: storage class " + String.join(", ", new TreeSet<>(seen.missingClasses()))
                            + " does not exist"));
        }
        return seen.machine().spec().disks().stream()
                .map(disk -> disk.source().persistentVolumeClaim())
                .filter(claim -> claim != null && !seen.sources().containsKey(claim.name()))
                .findFirst()
                .map(claim -> new Plan.Doing(
                        Reason.SourceMissing, "spec.disks: source claim " + claim.name() + " does not exist"));
    }

    private Plan upkeep(Observation seen, Draft draft) {
        CopySetPlanner copySet = new CopySetPlanner(seen, draft);
        Memory memory = copySet.plan();
        Observation next = With.memory(seen, memory);
        Optional<CopyId> target = SwitchoverPlanner.target(next);
        new ObjectPlanner(installation, next, draft).plan();
        new PodPlanner(installation, next, target, draft).plan();
        new SwitchoverPlanner(next, target, draft).plan();
        new TwinPlanner(next, target, draft).plan();
        new PowerPlanner(next, draft).plan();
        new VerifyPlanner(next, draft).plan();
        if (target.isEmpty()) {
            new DiskGrowth(next).plan(draft);
        }
        copySet.discardStrays(memory);
        return draft.plan();
    }
}
