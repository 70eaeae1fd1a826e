package dev.pairvm.operator.testing;

import dev.pairvm.api.mirror.ArbiterRecord;
import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.api.v1alpha1.ProtectedVMStatus;
import dev.pairvm.operator.desired.Machine;
import dev.pairvm.operator.desired.PodShape;
import dev.pairvm.operator.placement.NodeFact;
import dev.pairvm.operator.protectedvm.ArbiterFact;
import dev.pairvm.operator.protectedvm.ClaimFact;
import dev.pairvm.operator.protectedvm.Memory;
import dev.pairvm.operator.protectedvm.Observation;
import dev.pairvm.operator.protectedvm.PodFact;
import dev.pairvm.operator.runtime.pod.MirrorFact;
import io.fabric8.kubernetes.api.model.HasMetadata;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A cluster as the operator may see it: three nodes, and a machine whose facts a test changes one by one. */
public final class World {
    private Instant now = Instant.parse("2026-11-24T10:00:00Z");
    private ProtectedVM wish = Machines.orders();
    private Memory memory = Memory.FRESH;
    private ArbiterFact arbiter = new ArbiterFact.Missing();
    private ProtectedVMStatus before =
            new ProtectedVMStatus(null, null, null, null, null, null, null, null, List.of(), List.of(), null);
    private boolean switchover;
    private ClaimFact.VolumeFact volume = new ClaimFact.VolumeFact(11L << 30, true, "fast-local", Optional.empty());
    private final Map<String, NodeFact> nodes = new TreeMap<>();
    private final Map<CopyId, PodFact> pods = new HashMap<>();
    private final List<ClaimFact> claims = new ArrayList<>();
    private final Map<CopyId, MirrorFact> mirrors = new HashMap<>();
    private final Set<String> strangers = new TreeSet<>();
    private final Map<String, HasMetadata> owned = new HashMap<>();
    private final Map<Class<?>, String> refusals = new HashMap<>();

    /** Three nodes that work; no machine yet. */
    public World() {
        Stream.of("n1", "n2", "n3").forEach(name -> node(name, NodeFact.Health.READY, true));
    }

    /** A machine at ContinuousAvailability that runs on n1, with its standby in sync on n2, at epoch 3. */
    public static World running() {
        World world = new World();
        world.memory = Memory.FRESH.withLease("lease-uid");
        return world.arbiter("a", 3, "a", "b")
                .pod("a", "n1", true)
                .pod("b", "n2", true)
                .says(Reports.active("a", 3, "b"))
                .says(Reports.standby("b", 3, "a"));
    }

    /** A machine at FaultTolerance whose pods have the memory for a twin, and whose active has one. */
    public static World runningFaultTolerance() {
        return running()
                .wish(Machines.orders("ContinuousAvailability", "FaultTolerance"))
                .pod("a", "n1", PodShape.Kind.TWIN)
                .pod("b", "n2", PodShape.Kind.TWIN)
                .volumes(new ClaimFact.VolumeFact(12L << 30, true, "fast-local", Optional.empty()), "a", "b")
                .says(Reports.with(Reports.active("a", 3, "b"), Reports.twin(true, MirrorReport.TwinState.RUNNING, "")))
                .says(Reports.with(
                        Reports.standby("b", 3, "a"), Reports.twin(true, MirrorReport.TwinState.STANDING_BY, "")));
    }

    /** The same at HighAvailability: the standby's pod has no QEMU. */
    public static World runningHighAvailability() {
        World world = running();
        return world.wish(Machines.orders("ContinuousAvailability", "HighAvailability"))
                .pod("b", "n2", false)
                .says(Reports.bareStandby("b", 3, "a"));
    }

    /** The user's manifest. */
    public World wish(ProtectedVM changed) {
        wish = changed;
        return this;
    }

    /** Time goes by. */
    public World after(Duration duration) {
        now = now.plus(duration);
        return this;
    }

    /** What the clock says. */
    public Instant now() {
        return now;
    }

    /** The arbiter's record. */
    public World arbiter(String active, long epoch, String... inSync) {
        arbiter = new ArbiterFact.Known(
                new ArbiterRecord(
                        new Epoch(epoch),
                        new CopyId(active),
                        Stream.of(inSync).map(CopyId::new).collect(Collectors.toCollection(TreeSet::new)),
                        ArbiterRecord.Mode.HA,
                        "nonce",
                        new TreeMap<>()),
                "lease-uid");
        return this;
    }

    /** The arbiter is something else. */
    public World arbiter(ArbiterFact fact) {
        arbiter = fact;
        return this;
    }

    /** A pod that runs. */
    public World pod(String copy, String node, boolean runner) {
        return pod(copy, node, runner ? PodShape.Kind.RUNNER : PodShape.Kind.MIRROR);
    }

    /** A pod of some kind that runs. */
    public World pod(String copy, String node, PodShape.Kind kind) {
        return pod(new PodFact(
                new CopyId(copy),
                "orders-" + copy,
                "uid-" + copy,
                Optional.of(node),
                Optional.of("10.0.0." + copy.charAt(0) % 100),
                PodFact.Phase.RUNNING,
                kind,
                kind.runner(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty()));
    }

    /** Any pod. */
    public World pod(PodFact pod) {
        pods.put(pod.copy(), pod);
        pod.node().ifPresent(node -> {
            claims.removeIf(claim -> claim.copy().equals(pod.copy()));
            claims.add(new ClaimFact(
                    pod.copy(), "root", "orders-" + pod.copy() + "-root", Optional.of(node), true, volume));
        });
        return this;
    }

    /** A pod is gone. */
    public World noPod(String copy) {
        pods.remove(new CopyId(copy));
        mirrors.remove(new CopyId(copy));
        return this;
    }

    /** The pod as the world has it. */
    public PodFact podOf(String copy) {
        PodFact pod = pods.get(new CopyId(copy));
        if (pod == null) {
            throw new IllegalArgumentException("no pod of copy " + copy);
        }
        return pod;
    }

    /** A mirror answers. */
    public World says(MirrorReport report) {
        mirrors.put(report.copy(), new MirrorFact.Answered(report));
        return this;
    }

    /** A mirror does not answer. */
    public World silent(String copy) {
        mirrors.put(new CopyId(copy), new MirrorFact.Silent("timed out", now));
        return this;
    }

    /** The volumes of these copies' claims are so. */
    public World volumes(ClaimFact.VolumeFact fact, String... copies) {
        volume = fact;
        for (String copy : copies) {
            pod(podOf(copy));
        }
        return this;
    }

    /** A node is so. */
    public World node(String name, NodeFact.Health health, boolean schedulable) {
        nodes.put(name, new NodeFact(name, health, now, schedulable, Map.of("kubernetes.io/hostname", name)));
        return this;
    }

    /** A node that works has these labels. */
    public World labels(String name, Map<String, String> labels) {
        Map<String, String> all = new HashMap<>(labels);
        all.put("kubernetes.io/hostname", name);
        nodes.put(name, new NodeFact(name, NodeFact.Health.READY, now, true, all));
        return this;
    }

    /** A node is no longer in the cluster. */
    public World noNode(String name) {
        nodes.remove(name);
        return this;
    }

    /** What the operator remembers. */
    public World memory(Memory remembered) {
        memory = remembered;
        return this;
    }

    /** The status that was written last. */
    public World status(ProtectedVMStatus written) {
        before = written;
        return this;
    }

    /** An operation asks for a switchover. */
    public World switchoverAsked() {
        switchover = true;
        return this;
    }

    /** An object of the machine exists. */
    public World owns(HasMetadata object) {
        owned.put(object.getKind() + "/" + object.getMetadata().getName(), object);
        return this;
    }

    /** A mirror refused the last order of this type. */
    public World refused(Class<? extends MirrorOrder> order, String why) {
        refusals.put(order, why);
        return this;
    }

    /** Somebody else has a claim of a name that is needed. */
    public World stranger(String claim) {
        strangers.add(claim);
        return this;
    }

    /** As the operator sees it. Certificates are all there. */
    public Observation seen() {
        return new Observation(
                now,
                Machine.of(wish),
                before,
                memory,
                arbiter,
                pods,
                claims,
                mirrors,
                nodes,
                owned,
                Set.of(),
                strangers,
                Set.of(),
                Map.of(),
                switchover,
                refusals);
    }
}
