package dev.pairvm.operator.desired;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pairvm.api.mirror.CopyId;
import dev.pairvm.api.mirror.MirrorConfig;
import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.operator.testing.Machines;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.NodeSelectorTerm;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaimBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PreferredSchedulingTerm;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.rbac.Role;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BlueprintsTest {
    private static final CopyId A = new CopyId("a");
    private static final CopyId B = new CopyId("b");

    private static final MirrorConfiguration.TwinChoice NO_TWIN = new MirrorConfiguration.TwinChoice(true, false);

    private static Pod pod(ProtectedVM wish, CopyId copy, boolean runner, boolean fills) {
        return pod(wish, copy, runner ? PodShape.Kind.RUNNER : PodShape.Kind.MIRROR, fills);
    }

    private static Pod pod(ProtectedVM wish, CopyId copy, PodShape.Kind kind, boolean fills) {
        return new PodBlueprint(
                        Machine.of(wish),
                        Machines.INSTALLATION,
                        new PodShape(copy, kind, fills, Map.of(), Optional.empty()))
                .pod();
    }

    private static Container container(Pod pod, String name) {
        return containers(pod)
                .filter(container -> container.getName().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static Stream<Container> containers(Pod pod) {
        return Stream.concat(pod.getSpec().getInitContainers().stream(), pod.getSpec().getContainers().stream());
    }

    @Test
    void noContainerIsPrivilegedAndOnlyTheMirrorHasACapability() {
        Pod pod = pod(Machines.orders(), A, true, true);

        assertThat(containers(pod)).allSatisfy(container -> {
            assertThat(container.getSecurityContext().getPrivileged()).isNull();
            assertThat(container.getSecurityContext().getAllowPrivilegeEscalation())
                    .isFalse();
            assertThat(container.getSecurityContext().getCapabilities().getDrop())
                    .containsExactly("ALL");
            assertThat(container.getSecurityContext().getCapabilities().getAdd())
                    .isEqualTo(container.getName().equals("mirror") ? List.of("NET_ADMIN") : List.of());
        });
        assertThat(pod.getSpec().getSecurityContext().getSeccompProfile().getType())
                .isEqualTo("RuntimeDefault");
        assertThat(pod.getSpec().getHostNetwork()).isNull();
    }

    @Test
    void onlyTheMirrorSeesTokenKeysAndDisksAndQemuOfTheFirstDiskTheOverlaysAlone() {
        Pod pod = pod(Machines.orders(), A, true, false);

        assertThat(pod.getSpec().getAutomountServiceAccountToken()).isFalse();
        assertThat(containers(pod).filter(container -> container.getName().equals("qemu")))
                .singleElement()
                .satisfies(qemu -> {
                    assertThat(qemu.getVolumeMounts())
                            .extracting(VolumeMount::getName)
                            .containsExactly("run", "tun", "disk-root");
                    assertThat(qemu.getVolumeMounts().getLast().getSubPath()).isEqualTo("overlays");
                    assertThat(qemu.getVolumeMounts().getLast().getMountPath()).isEqualTo("/var/lib/pairvm/overlays");
                    assertThat(qemu.getVolumeDevices()).isEmpty();
                });
    }

    @Test
    void theOverlaysAreInTheSamePlaceForMirrorAndGuestAtEveryLevelThatHasOne() {
        for (PodShape.Kind kind : List.of(PodShape.Kind.RUNNER, PodShape.Kind.TWIN)) {
            Pod pod = pod(Machines.orders(), B, kind, false);
            VolumeMount guests = container(pod, "qemu").getVolumeMounts().getLast();
            assertThat(container(pod, "mirror").getVolumeMounts()).contains(guests);
        }
        assertThat(container(pod(Machines.orders(), B, PodShape.Kind.MIRROR, false), "mirror")
                        .getVolumeMounts())
                .extracting(VolumeMount::getSubPath)
                .containsOnlyNulls();
        assertThat(container(pod(Machines.orders("Filesystem", "Block"), B, PodShape.Kind.RUNNER, false), "qemu")
                        .getVolumeMounts())
                .extracting(VolumeMount::getName)
                .containsExactly("run", "tun");
    }

    @Test
    void aDiskMayBeCalledOverlays() {
        ProtectedVM wish = Machines.orders("name: root", "name: overlays");

        assertThat(container(pod(wish, B, PodShape.Kind.RUNNER, false), "mirror")
                        .getVolumeMounts())
                .extracting(VolumeMount::getMountPath)
                .doesNotHaveDuplicates()
                .contains("/var/lib/pairvm/overlays", "/var/lib/pairvm/overlays.twin");
    }

    @Test
    void theTwinsPodHasTwiceTheGuestsMemory() {
        Pod runner = pod(Machines.orders(), B, PodShape.Kind.RUNNER, false);
        Pod twin = pod(Machines.orders(), B, PodShape.Kind.TWIN, false);

        assertThat(memory(twin) - memory(runner)).isEqualTo(1L << 30);
        assertThat(twin.getMetadata().getAnnotations()).containsEntry(Labels.SHAPE, "twin");
        assertThat(container(twin, "mirror").getResources())
                .isEqualTo(container(runner, "mirror").getResources());
    }

    private static long memory(Pod pod) {
        Quantity limit = container(pod, "qemu").getResources().getLimits().get("memory");
        assertThat(container(pod, "qemu").getResources().getRequests()).containsEntry("memory", limit);
        return Quantity.getAmountInBytes(limit).longValueExact();
    }

    @Test
    void theMirrorIsToldOfTwinsWhereItCanHaveOne() {
        Machine machine = Machine.of(
                Machines.orders("placement:", "checkpoint: {maxInterval: 1s, maxPause: 50ms}\n  placement:"));

        assertThat(MirrorConfiguration.config(
                                machine, B, Machines.INSTALLATION, new MirrorConfiguration.TwinChoice(true, true))
                        .twin())
                .contains(new MirrorConfig.Twin(
                        true, new MirrorConfig.Checkpoint(1000, 50, 500), "/var/lib/pairvm/overlays", 256L << 20));
        assertThat(MirrorConfiguration.config(
                                machine, B, Machines.INSTALLATION, new MirrorConfiguration.TwinChoice(false, true))
                        .twin())
                .isEmpty();
        assertThat(MirrorConfiguration.config(
                                Machine.of(Machines.orders("Filesystem", "Block")), B, Machines.INSTALLATION, NO_TWIN)
                        .twin())
                .isEmpty();
    }

    @Test
    void theClaimOfTheFirstFileSystemHasRoomForTheOverlaysOfEveryDisk() {
        Machine without = Machines.machine();
        Machine with = Machine.of(Machines.orders("ContinuousAvailability", "FaultTolerance"));
        Machine small = Machine.of(Machines.orders("guest: 1Gi", "guest: 128Mi"));

        long reserve = DiskVolumes.claimBytes(with, with.spec().disks().getFirst())
                - DiskVolumes.claimBytes(without, without.spec().disks().getFirst());
        assertThat(reserve)
                .as("two overlays of a quarter of the memory, and what a file system keeps for itself")
                .isBetween(512L << 20, (512L << 20) * 17 / 16);
        assertThat(Overlays.bytes(small)).isEqualTo(64L << 20);
    }

    @Test
    void withoutAGuestTheMirrorIsThePodsOneContainer() {
        Pod pod = pod(Machines.orders(), B, false, false);

        assertThat(pod.getSpec().getInitContainers()).isEmpty();
        assertThat(pod.getSpec().getContainers()).extracting(Container::getName).containsExactly("mirror");
        assertThat(pod.getMetadata().getAnnotations()).containsEntry(Labels.SHAPE, "mirror");
    }

    @Test
    void withAGuestTheMirrorIsANativeSidecarAndQemuGetsKvmByAResource() {
        Pod pod = pod(Machines.orders(), B, true, false);

        assertThat(pod.getSpec().getInitContainers())
                .singleElement()
                .satisfies(mirror -> assertThat(mirror.getRestartPolicy()).isEqualTo("Always"));
        Container qemu = pod.getSpec().getContainers().getFirst();
        assertThat(qemu.getResources().getLimits()).containsEntry("devices.kubevirt.io/kvm", new Quantity("1"));
        assertThat(Quantity.getAmountInBytes(qemu.getResources().getRequests().get("memory"))
                        .longValueExact())
                .isGreaterThan(1L << 30);
    }

    @Test
    void copiesAreKeptApartAndStayWhereTheirDisksAre() {
        Pod first = pod(Machines.orders(), A, true, true);
        Pod second = pod(Machines.orders(), B, true, false);

        assertThat(second.getSpec()
                        .getAffinity()
                        .getPodAntiAffinity()
                        .getRequiredDuringSchedulingIgnoredDuringExecution())
                .singleElement()
                .satisfies(term -> {
                    assertThat(term.getTopologyKey()).isEqualTo("kubernetes.io/hostname");
                    assertThat(term.getLabelSelector().getMatchLabels()).containsEntry(Labels.MACHINE, "orders");
                });
        assertThat(second.getSpec().getTolerations())
                .filteredOn(toleration -> "NoExecute".equals(toleration.getEffect()))
                .allSatisfy(toleration ->
                        assertThat(toleration.getTolerationSeconds()).isNull())
                .hasSize(2);
        assertThat(first.getSpec().getAffinity().getNodeAffinity().getPreferredDuringSchedulingIgnoredDuringExecution())
                .extracting(PreferredSchedulingTerm::getPreference)
                .extracting(NodeSelectorTerm::getMatchFields)
                .isNotEmpty();
        assertThat(second.getSpec().getAffinity().getNodeAffinity()).isNull();
    }

    @Test
    void networksAreAskedForInTheOrderThatInterfaceNamesRelyOn() {
        Networking networking = new Networking(Machines.machine());

        assertThat(networking.multusAnnotation()).contains("lan,mirror-net");
        assertThat(networking.linkInterfaces()).containsExactly("net2", "eth0");
        assertThat(networking.guestInterfaces())
                .extracting(MirrorConfig.Interface::podInterface)
                .containsExactly("net1", "eth0");
        assertThat(networking.guestInterfaces())
                .extracting(MirrorConfig.Interface::binding)
                .containsExactly(MirrorConfig.Binding.BRIDGE, MirrorConfig.Binding.MASQUERADE);
    }

    @Test
    void derivedAddressesAreStableLocalAndUnicast() {
        String mac = Networking.derivedMac("uid-1", "lan");

        assertThat(mac).matches("02(:[0-9a-f]{2}){5}").isEqualTo(Networking.derivedMac("uid-1", "lan"));
        assertThat(mac).isNotEqualTo(Networking.derivedMac("uid-2", "lan"));
        assertThat(mac).isNotEqualTo(Networking.derivedMac("uid-1", "wan"));
    }

    @Test
    void theMirrorIsToldEverythingButSecrets() {
        MirrorConfig config = MirrorConfiguration.config(Machines.machine(), B, Machines.INSTALLATION, NO_TWIN);

        assertThat(config.lease()).isEqualTo("pairvm-orders");
        assertThat(config.disks()).singleElement().satisfies(disk -> {
            assertThat(disk.path()).isEqualTo("/var/lib/pairvm/root");
            assertThat(disk.kind()).isEqualTo(MirrorConfig.Disk.Kind.FILE);
            assertThat(disk.sizeBytes()).isEqualTo(10L << 30);
        });
        assertThat(config.guest().memoryMib()).isEqualTo(1024);
        assertThat(config.guest().cloudInit()).isTrue();
        assertThat(config.timing()).isEqualTo(new MirrorConfig.Timing(50, 400, 500));
        assertThat(config.resync()).contains(new MirrorConfig.Resync(150, Long.MAX_VALUE));
        assertThat(MirrorConfiguration.configMap(Machines.machine(), B, Machines.INSTALLATION, NO_TWIN)
                        .getData()
                        .get(MirrorConfiguration.FILE))
                .doesNotContain("#cloud-config");
    }

    @Test
    void anImageIsLaidDownByTheFirstCopyBeforeTheFirstStartOnly() {
        ProtectedVM wish = Machines.orders(
                "{blank: {}}",
                "{http: {url: 'https://images.example/root.img', checksum: 'sha256:" + "ab".repeat(32) + "'}}");

        assertThat(pod(wish, A, true, true)
                        .getSpec()
                        .getInitContainers()
                        .getFirst()
                        .getArgs())
                .containsExactly(
                        "import",
                        "--url",
                        "https://images.example/root.img",
                        "--sha256",
                        "ab".repeat(32),
                        "--disk",
                        "/var/lib/pairvm/root",
                        "--kind",
                        "FILE",
                        "--size",
                        Long.toString(10L << 30));
        assertThat(pod(wish, A, true, false).getSpec().getInitContainers())
                .extracting(Container::getName)
                .containsExactly("mirror");
    }

    @Test
    void disksOutliveTheMachineUnlessTheUserSaysOtherwise() {
        Machine kept = Machines.machine();
        Machine dropped = Machine.of(Machines.orders("size: 10Gi", "size: 10Gi\n    onDelete: Delete"));

        assertThat(DiskVolumes.claim(kept, A, kept.spec().disks().getFirst())
                        .getMetadata()
                        .getOwnerReferences())
                .isEmpty();
        assertThat(DiskVolumes.claim(dropped, A, dropped.spec().disks().getFirst())
                        .getMetadata()
                        .getOwnerReferences())
                .hasSize(1);
    }

    @Test
    void aMirrorMayTouchItsOwnLeaseAndNothingElse() {
        assertThat(AccessRules.of(Machines.machine()).stream()
                        .filter(Role.class::isInstance)
                        .map(Role.class::cast))
                .singleElement()
                .satisfies(role -> assertThat(role.getRules()).singleElement().satisfies(rule -> {
                    assertThat(rule.getResources()).containsExactly("leases");
                    assertThat(rule.getResourceNames()).containsExactly("pairvm-orders");
                    assertThat(rule.getVerbs()).containsExactly("get", "update");
                }));
    }

    @Test
    void theLeaseHasNoOwnerAndTheFirstEpoch() {
        HasMetadata lease = ArbiterProvision.lease(Machines.machine(), "nonce");

        assertThat(lease.getMetadata().getOwnerReferences()).isEmpty();
        assertThat(ArbiterProvision.lease(Machines.machine(), "nonce").getSpec().getLeaseTransitions())
                .isEqualTo(1);
    }

    @Test
    void unsupportedFieldsAndChecksumsAreNamedByTheirPath() {
        Machine machine = Machine.of(Machines.orders("devices:\n", "devices:\n          gpus: [{name: g}]\n"));
        Machine sha512 = Machine.of(Machines.orders(
                "{blank: {}}", "{http: {url: 'https://i.example/x', checksum: 'sha512:" + "0".repeat(128) + "'}}"));

        assertThat(SpecCheck.complaints(machine))
                .singleElement()
                .asString()
                .startsWith("spec.template.spec.domain.devices.gpus:");
        assertThat(SpecCheck.complaints(sha512))
                .singleElement()
                .asString()
                .startsWith("spec.disks[0].source.http.checksum:");
        assertThat(SpecCheck.complaints(Machines.machine())).isEmpty();
    }

    @Test
    void anObjectIsAsDesiredWithDefaultsAddedAndQuantitiesRewrittenButNotWithAFieldChanged() {
        Machine machine = Machines.machine();
        PersistentVolumeClaim wish =
                DiskVolumes.claim(machine, A, machine.spec().disks().getFirst());
        PersistentVolumeClaim there = new PersistentVolumeClaimBuilder(wish)
                .editSpec()
                .withVolumeName("pv-1")
                .editResources()
                .withRequests(Map.of("storage", new Quantity("10944Mi")))
                .endResources()
                .endSpec()
                .build();

        assertThat(Digest.contains(there, wish)).isTrue();
        assertThat(Digest.contains(
                        new PersistentVolumeClaimBuilder(there)
                                .editSpec()
                                .withAccessModes("ReadWriteMany")
                                .endSpec()
                                .build(),
                        wish))
                .isFalse();
        assertThat(Digest.of(wish))
                .isEqualTo(Digest.of(
                        DiskVolumes.claim(machine, A, machine.spec().disks().getFirst())));
    }

    @Test
    void strangersReachNeitherLinkNorControl() {
        Machine machine = Machines.machine();

        assertThat(Isolation.policy(machine, Machines.INSTALLATION).getSpec().getIngress())
                .filteredOn(rule -> rule.getFrom() == null || rule.getFrom().isEmpty())
                .flatExtracting(rule -> rule.getPorts())
                .extracting(port -> port.getPort().getIntVal())
                .containsExactlyInAnyOrder(Ports.HEALTH, 8080);
    }
}
