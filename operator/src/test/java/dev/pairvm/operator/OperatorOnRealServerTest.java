package dev.pairvm.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.Epoch;
import dev.pairvm.api.mirror.EpochLease;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.mirror.MirrorOrder;
import dev.pairvm.api.mirror.MirrorReport;
import dev.pairvm.api.v1alpha1.CrdManifests;
import dev.pairvm.api.v1alpha1.EffectiveLevel;
import dev.pairvm.api.v1alpha1.Level;
import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.api.v1alpha1.ProtectedVMOperation;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationSpec;
import dev.pairvm.api.v1alpha1.ProtectedVMOperationStatus.Phase;
import dev.pairvm.api.v1alpha1.ProtectedVMSpec;
import dev.pairvm.operator.desired.Installation;
import dev.pairvm.operator.runtime.pod.MirrorAddress;
import dev.pairvm.operator.testing.ChartRights;
import dev.pairvm.operator.testing.FakeMirror;
import dev.pairvm.operator.testing.Machines;
import dev.pairvm.operator.testing.Reports;
import dev.pairvm.testing.RealApiServer;
import io.fabric8.kubernetes.api.model.Binding;
import io.fabric8.kubernetes.api.model.BindingBuilder;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.NodeBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.api.model.coordination.v1.LeaseBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.prometheus.client.CollectorRegistry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The whole operator against a real API server. There is no kubelet and no scheduler: the test is the world, and says so by the names of
 * its methods: {@code world…} is what kubelets and mirrors do, {@code user…} what a user does.
 */
@NullUnmarked // fixtures are set before each test, and a missing object fails the test anyway
@Timeout(value = 4, unit = TimeUnit.MINUTES)
class OperatorOnRealServerTest {
    private static final Duration LIMIT = Duration.ofSeconds(40);
    private static final String[] HOSTS = {"10.77.0.2", "10.77.0.3", "10.77.0.4"};

    private static KubernetesClient admin;

    private String namespace;
    private ChartRights rights;
    private PairVmOperator operator;
    private final List<FakeMirror> mirrors = new ArrayList<>();

    @BeforeAll
    static void installDefinitions() {
        admin = RealApiServer.shared().client();
        CrdManifests.install(admin);
        for (String name : new String[] {"n1", "n2", "n3"}) {
            admin.resource(new NodeBuilder()
                            .withNewMetadata()
                            .withName(name)
                            .addToLabels("kubernetes.io/hostname", name)
                            .endMetadata()
                            .build())
                    .serverSideApply();
            worldNodeReady(name, "True");
        }
    }

    @AfterAll
    static void closeClient() {
        admin.close();
    }

    @BeforeEach
    void startOperator() {
        namespace = RealApiServer.shared().newNamespace(admin, "machines");
        rights = new ChartRights(admin, namespace);
        rights.grant();
        operator = newOperator();
        operator.start();
    }

    private PairVmOperator newOperator() {
        return new PairVmOperator(
                rights.client(),
                new Installation(
                        namespace,
                        "pairvm/mirror:dev",
                        "pairvm/qemu:dev",
                        "IfNotPresent",
                        Installation.Accelerator.TCG,
                        Optional.empty(),
                        "pairvm-operator"),
                Set.of(namespace),
                "test",
                true,
                new CollectorRegistry(),
                InstantSource.system(),
                () -> {},
                pod -> new MirrorAddress(
                        pod.namespace(), pod.machine(), pod.copy(), pod.identity(), loopback(pod.host()), pod.port()));
    }

    /** There is no pod network: the pod {@code 10.77.0.2} is found at {@code 127.77.0.2}. */
    private static String loopback(String podIp) {
        return podIp.replaceFirst("^10\\.", "127.");
    }

    @AfterEach
    void stop() {
        operator.close();
        mirrors.forEach(FakeMirror::close);
    }

    @Test
    void createsEverythingAMachineNeedsAndSaysThatItRuns() {
        userApplies(Machines.orders());

        worldRunsPod("a", "n1", HOSTS[0]).says(Reports.active("a", 2, "b"));
        worldRunsPod("b", "n2", HOSTS[1]).says(Reports.standby("b", 2, "a"));
        mirrorWritesLease("a", 3, "a,b");

        awaitCondition("Redundant", "True");
        awaitCondition("Ready", "True");
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(condition("Reconciling")).isNull());
        ProtectedVM machine = machine();
        assertThat(machine.getStatus().level().effective()).isEqualTo(EffectiveLevel.ContinuousAvailability);
        assertThat(machine.getStatus().active().node()).isEqualTo("n1");
        assertThat(machine.getStatus().standby().node()).isEqualTo("n2");
        assertThat(machine.getStatus().epoch()).isEqualTo(3);
        assertThat(machine.getStatus().observedGeneration())
                .isEqualTo(machine.getMetadata().getGeneration());
        assertThat(admin.persistentVolumeClaims()
                        .inNamespace(namespace)
                        .withName("orders-b-root")
                        .get())
                .isNotNull();
        assertThat(admin.services().inNamespace(namespace).withName("orders").get())
                .isNotNull();
        assertThat(admin.discovery()
                        .v1()
                        .endpointSlices()
                        .inNamespace(namespace)
                        .withName("orders-active")
                        .get()
                        .getEndpoints()
                        .getFirst()
                        .getAddresses())
                .containsExactly(HOSTS[0]);
    }

    @Test
    void writesNothingInPeace() {
        FakeMirror active = machineThatRuns(Machines.orders());
        String before = resourceVersions();

        active.says(Reports.active("a", 3, "b"));
        await().during(Duration.ofSeconds(3))
                .atMost(LIMIT)
                .untilAsserted(() -> assertThat(resourceVersions()).isEqualTo(before));
    }

    @Test
    void tellsOfAFailoverThatHappenedWithoutIt() {
        machineThatRuns(Machines.orders());
        operator.close();

        mirrorWritesLease("b", 5, "b");
        FakeMirror standby = mirrors.get(1);
        mirrors.get(0).fallsSilent();
        standby.says(Reports.with(
                Reports.active("b", 5, "a"),
                new MirrorReport.Transition(
                        "PROMOTED", new Epoch(5), Optional.of(new CopyId("a")), "2026-11-24T10:00:00Z", 480, 590)));
        operator = newOperator();
        operator.start();

        await().atMost(LIMIT).untilAsserted(() -> {
            assertThat(machine().getStatus().active().copy()).isEqualTo("b");
            assertThat(machine().getStatus().lastFailover()).isNotNull();
            assertThat(machine().getStatus().lastFailover().detected()).isEqualTo(Duration.ofMillis(480));
            assertThat(machine().getStatus().lastFailover().from()).isEqualTo("n1");
        });
        assertThat(admin.discovery()
                        .v1()
                        .endpointSlices()
                        .inNamespace(namespace)
                        .withName("orders-active")
                        .get()
                        .getEndpoints()
                        .getFirst()
                        .getAddresses())
                .containsExactly(HOSTS[1]);
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(admin.events()
                                .v1()
                                .events()
                                .inNamespace(namespace)
                                .list()
                                .getItems())
                        .anyMatch(event -> event.getReason().equals("FailedOver")));
    }

    @Test
    void neverMakesALostLeaseAnew() {
        machineThatRuns(Machines.orders());

        admin.leases().inNamespace(namespace).withName("pairvm-orders").delete();

        awaitCondition("ArbiterReachable", "False");
        assertThat(condition("ArbiterReachable").getReason()).isEqualTo("ArbiterLost");
        assertThat(condition("Stalled").getStatus()).isEqualTo("True");
        assertThat(admin.leases()
                        .inNamespace(namespace)
                        .withName("pairvm-orders")
                        .get())
                .isNull();
    }

    @Test
    void refusesAFieldByItsPath() {
        userApplies(Machines.orders("devices:\n", "devices:\n          gpus: [{name: g}]\n"));

        awaitCondition("SpecValid", "False");
        assertThat(condition("SpecValid").getMessage()).contains("spec.template.spec.domain.devices.gpus");
        assertThat(admin.pods().inNamespace(namespace).list().getItems()).isEmpty();
    }

    @Test
    void replacesThePodOfAPromotedCopyThatCanNotRunAGuest() {
        FakeMirror active = machineThatRuns(Machines.orders("ContinuousAvailability", "HighAvailability"));
        String old = pod("b").getMetadata().getUid();
        assertThat(pod("b").getSpec().getContainers()).hasSize(1);

        active.fallsSilent();
        mirrorWritesLease("b", 5, "b");

        await().atMost(LIMIT).untilAsserted(() -> {
            Pod standby = pod("b");
            assertThat(standby).isNotNull();
            assertThat(standby.getMetadata().getUid()).isNotEqualTo(old);
            assertThat(standby.getSpec().getContainers().getFirst().getName()).isEqualTo("qemu");
        });
    }

    @Test
    void switchesOverOnceAndKeepsTheEvidence() {
        FakeMirror active = machineThatRuns(Machines.orders());
        ProtectedVMOperation operation = new ProtectedVMOperation();
        operation.getMetadata().setName("move");
        operation.getMetadata().setNamespace(namespace);
        operation.setSpec(
                new ProtectedVMOperationSpec("orders", ProtectedVMOperationSpec.OperationType.Switchover, null));
        operation.setStatus(null);
        admin.resource(operation).create();

        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(active.orders())
                        .contains(new MirrorOrder.Switchover(new Epoch(3), new CopyId("b"))));
        assertThat(active.callers()).containsOnly("pairvm://operator");
        mirrorWritesLease("b", 4, "a,b");
        active.says(Reports.standby("a", 4, "b"));
        mirrors.get(1).says(Reports.active("b", 4, "a"));

        await().atMost(LIMIT).untilAsserted(() -> {
            ProtectedVMOperation now = admin.resource(operation).get();
            assertThat(now.getStatus().phase()).isEqualTo(Phase.Succeeded);
            assertThat(now.getStatus().evidence().fromNode()).isEqualTo("n1");
            assertThat(now.getStatus().evidence().toEpoch()).isEqualTo(4);
        });
    }

    @Test
    void comparesTheCopiesWhenAskedAndKeepsTheEvidence() {
        FakeMirror active = machineThatRuns(Machines.orders());
        ProtectedVMOperation operation = new ProtectedVMOperation();
        operation.getMetadata().setName("compare");
        operation.getMetadata().setNamespace(namespace);
        operation.setSpec(new ProtectedVMOperationSpec("orders", ProtectedVMOperationSpec.OperationType.Verify, null));
        operation.setStatus(null);
        String uid = admin.resource(operation).create().getMetadata().getUid();

        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(active.orders()).contains(new MirrorOrder.Verify(new Epoch(3), uid)));
        active.says(Reports.with(
                Reports.active("a", 3, "b"),
                Reports.verify(uid, MirrorReport.VerifyState.COMPLETE, "2026-11-24T10:30:00Z", 1, 1)));

        await().atMost(LIMIT).untilAsserted(() -> {
            ProtectedVMOperation now = admin.resource(operation).get();
            assertThat(now.getStatus().phase()).isEqualTo(Phase.Succeeded);
            assertThat(now.getStatus().evidence().verification().repaired()).isEqualTo(1);
            assertThat(now.getStatus().evidence().verification().found()).hasSize(1);
            assertThat(machine().getStatus().verification().identicalAsOf()).isEqualTo("2026-11-24T10:30:00Z");
            assertThat(admin.events()
                            .v1()
                            .events()
                            .inNamespace(namespace)
                            .list()
                            .getItems())
                    .anyMatch(event -> event.getReason().equals("MismatchRepaired"));
        });
        awaitCondition("Verified", "False");
    }

    @Test
    void deletionStopsTheGuestThenPodsThenTheLeaseAndKeepsTheDisks() {
        FakeMirror active = machineThatRuns(Machines.orders());

        admin.resources(ProtectedVM.class)
                .inNamespace(namespace)
                .withName("orders")
                .delete();
        await().atMost(LIMIT)
                .untilAsserted(() ->
                        assertThat(active.orders()).contains(new MirrorOrder.SetRunning(new Epoch(3), false, 30)));
        assertThat(pod("a").getMetadata().getDeletionTimestamp()).isNull();
        active.says(Reports.with(Reports.active("a", 3, "b"), MirrorReport.Guest.POWERED_OFF));

        await().atMost(LIMIT).untilAsserted(() -> {
            worldEndsDeletedPods();
            assertThat(admin.resources(ProtectedVM.class)
                            .inNamespace(namespace)
                            .list()
                            .getItems())
                    .isEmpty();
        });
        assertThat(admin.leases()
                        .inNamespace(namespace)
                        .withName("pairvm-orders")
                        .get())
                .isNull();
        assertThat(admin.persistentVolumeClaims()
                        .inNamespace(namespace)
                        .withName("orders-a-root")
                        .get()
                        .getMetadata()
                        .getOwnerReferences())
                .isEmpty();
    }

    @Test
    void changesTheLevelByTheStandbyOnly() {
        FakeMirror active = machineThatRuns(Machines.orders());
        String activeUid = pod("a").getMetadata().getUid();
        String standbyUid = pod("b").getMetadata().getUid();

        userChangesLevel(Level.HighAvailability);

        await().atMost(LIMIT)
                .untilAsserted(() ->
                        assertThat(active.orders()).contains(new MirrorOrder.Leave(new Epoch(3), new CopyId("b"))));
        mirrorWritesLease("a", 4, "a");
        await().atMost(LIMIT).untilAsserted(() -> {
            worldEndsDeletedPods();
            Pod standby = pod("b");
            assertThat(standby).isNotNull();
            assertThat(standby.getMetadata().getUid()).isNotEqualTo(standbyUid);
            assertThat(standby.getSpec().getContainers().getFirst().getName()).isEqualTo("mirror");
        });
        assertThat(pod("a").getMetadata().getUid()).isEqualTo(activeUid);
    }

    /** Up: the standby's pod, then the order, then the level. Down: the order, and only then the pod. */
    @Test
    void givesTheGuestATwinAndTakesItAwayAgain() {
        FakeMirror active = machineThatRuns(Machines.orders());
        MirrorReport serving = Reports.with(Reports.active("a", 3, "b"), Reports.noTwin());
        String activeUid = pod("a").getMetadata().getUid();
        active.says(serving);
        userChangesLevel(Level.FaultTolerance);
        await().atMost(LIMIT)
                .untilAsserted(() ->
                        assertThat(active.orders()).contains(new MirrorOrder.Leave(new Epoch(3), new CopyId("b"))));
        mirrorWritesLease("a", 4, "a");
        await().atMost(LIMIT).untilAsserted(() -> {
            worldEndsDeletedPods();
            assertThat(pod("b")).isNotNull();
            assertThat(pod("b").getMetadata().getAnnotations()).containsEntry("pairvm.dev/shape", "twin");
        });
        worldRunsPod("b", "n2", HOSTS[2])
                .says(Reports.with(
                        Reports.standby("b", 5, "a"), Reports.twin(true, MirrorReport.TwinState.STANDING_BY, "")));
        active.says(Reports.with(Reports.active("a", 5, "b"), Reports.noTwin()));
        mirrorWritesLease("a", 5, "a,b");
        MirrorOrder on = new MirrorOrder.SetTwin(new Epoch(5), true, MirrorConfig.Checkpoint.DEFAULT);
        await().atMost(LIMIT).untilAsserted(() -> assertThat(active.orders()).contains(on));

        active.says(Reports.with(Reports.active("a", 5, "b"), Reports.twin(true, MirrorReport.TwinState.RUNNING, "")));
        await().atMost(LIMIT)
                .untilAsserted(() ->
                        assertThat(machine().getStatus().level().effective()).isEqualTo(EffectiveLevel.FaultTolerance));
        assertThat(machine().getStatus().checkpoints().taken()).isEqualTo(1234);

        String standbyUid = pod("b").getMetadata().getUid();
        userChangesLevel(Level.ContinuousAvailability);
        MirrorOrder off = new MirrorOrder.SetTwin(new Epoch(5), false, MirrorConfig.Checkpoint.DEFAULT);
        await().atMost(LIMIT).untilAsserted(() -> assertThat(active.orders()).contains(off));
        assertThat(active.orders())
                .as("not while there is a twin")
                .doesNotContain(new MirrorOrder.Leave(new Epoch(5), new CopyId("b")));
        active.says(Reports.with(Reports.active("a", 5, "b"), Reports.twin(false, MirrorReport.TwinState.NONE, "")));
        mirrorWritesLease("a", 6, "a");
        await().atMost(LIMIT).untilAsserted(() -> {
            worldEndsDeletedPods();
            assertThat(pod("b")).isNotNull();
            assertThat(pod("b").getMetadata().getUid()).isNotEqualTo(standbyUid);
            assertThat(pod("b").getMetadata().getAnnotations()).containsEntry("pairvm.dev/shape", "runner");
        });
        assertThat(pod("a").getMetadata().getUid()).isEqualTo(activeUid);
    }

    private FakeMirror machineThatRuns(ProtectedVM wish) {
        boolean bare = wish.getSpec().level() == Level.HighAvailability;
        userApplies(wish);
        FakeMirror active = worldRunsPod("a", "n1", HOSTS[0]);
        active.says(Reports.active("a", 3, "b"));
        worldRunsPod("b", "n2", HOSTS[1]).says(bare ? Reports.bareStandby("b", 3, "a") : Reports.standby("b", 3, "a"));
        mirrorWritesLease("a", 3, "a,b");
        awaitCondition("Redundant", "True");
        awaitCondition("Ready", "True");
        return active;
    }

    private void userApplies(ProtectedVM wish) {
        wish.getMetadata().setNamespace(namespace);
        wish.getMetadata().setUid(null);
        wish.getMetadata().setGeneration(null);
        wish.setStatus(null);
        admin.resource(wish).create();
    }

    private void userChangesLevel(Level level) {
        admin.resources(ProtectedVM.class)
                .inNamespace(namespace)
                .withName("orders")
                .edit(vm -> {
                    ProtectedVMSpec was = vm.getSpec();
                    vm.setSpec(new ProtectedVMSpec(
                            level,
                            was.running(),
                            was.template(),
                            was.disks(),
                            was.placement(),
                            was.recovery(),
                            was.verify(),
                            was.resync(),
                            was.checkpoint()));
                    return vm;
                });
    }

    private String resourceVersions() {
        StringBuilder all = new StringBuilder();
        all.append(machine().getMetadata().getResourceVersion());
        admin.pods()
                .inNamespace(namespace)
                .list()
                .getItems()
                .forEach(pod -> all.append(' ').append(pod.getMetadata().getResourceVersion()));
        admin.secrets()
                .inNamespace(namespace)
                .list()
                .getItems()
                .forEach(secret -> all.append(' ').append(secret.getMetadata().getResourceVersion()));
        return all.toString();
    }

    private FakeMirror worldRunsPod(String copy, String node, String host) {
        await().atMost(LIMIT).until(() -> pod(copy) != null && secret(copy) != null);
        Binding binding = new BindingBuilder()
                .withNewMetadata()
                .withName("orders-" + copy)
                .withNamespace(namespace)
                .endMetadata()
                .withNewTarget()
                .withKind("Node")
                .withName(node)
                .endTarget()
                .build();
        admin.bindings().resource(binding).create();
        FakeMirror mirror = new FakeMirror(loopback(host), 9443, secret(copy).getData());
        mirrors.add(mirror);
        admin.resource(pod(copy))
                .editStatus(pod -> new PodBuilder(pod)
                        .editOrNewStatus()
                        .withPhase("Running")
                        .withPodIP(host)
                        .endStatus()
                        .build());
        return mirror;
    }

    private void worldEndsDeletedPods() {
        admin.pods().inNamespace(namespace).list().getItems().stream()
                .filter(pod -> pod.getMetadata().getDeletionTimestamp() != null)
                .forEach(pod -> admin.resource(pod).withGracePeriod(0).delete());
    }

    private static void worldNodeReady(String name, String ready) {
        admin.nodes()
                .withName(name)
                .editStatus(node -> new NodeBuilder(node)
                        .editOrNewStatus()
                        .withConditions()
                        .addNewCondition()
                        .withType("Ready")
                        .withStatus(ready)
                        .withLastTransitionTime("2026-11-24T09:00:00Z")
                        .endCondition()
                        .endStatus()
                        .build());
    }

    private void mirrorWritesLease(String active, int epoch, String inSync) {
        await().atMost(LIMIT)
                .until(() -> admin.leases()
                                .inNamespace(namespace)
                                .withName("pairvm-orders")
                                .get()
                        != null);
        admin.leases()
                .inNamespace(namespace)
                .withName("pairvm-orders")
                .edit(lease -> new LeaseBuilder((Lease) lease)
                        .editMetadata()
                        .addToAnnotations(Map.of(EpochLease.IN_SYNC, inSync, EpochLease.NONCE, "test-" + epoch))
                        .endMetadata()
                        .editSpec()
                        .withHolderIdentity(active)
                        .withLeaseTransitions(epoch)
                        .endSpec()
                        .build());
    }

    private ProtectedVM machine() {
        return admin.resources(ProtectedVM.class)
                .inNamespace(namespace)
                .withName("orders")
                .get();
    }

    private Condition condition(String type) {
        ProtectedVM machine = machine();
        return machine == null || machine.getStatus() == null
                ? null
                : machine.getStatus().conditions().stream()
                        .filter(condition -> condition.getType().equals(type))
                        .findFirst()
                        .orElse(null);
    }

    private void awaitCondition(String type, String status) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(condition(type))
                        .isNotNull()
                        .extracting(Condition::getStatus)
                        .isEqualTo(status));
    }

    private Pod pod(String copy) {
        return admin.pods().inNamespace(namespace).withName("orders-" + copy).get();
    }

    private Secret secret(String copy) {
        return admin.secrets()
                .inNamespace(namespace)
                .withName("orders-" + copy + "-tls")
                .get();
    }
}
