package dev.pairvm.api.v1alpha1;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** A manifest means the same to the client as to the API server, and nothing in the template is lost on the way. */
class ManifestReadingTest {
    private static final String SMALLEST = """
            apiVersion: pairvm.dev/v1alpha1
            kind: ProtectedVM
            metadata: {name: orders, namespace: shop}
            spec:
              level: ContinuousAvailability
              template:
                spec:
                  domain:
                    memory: {guest: 256Mi}
                    devices:
                      disks: [{name: root}]
                      interfaces: [{name: lan, bridge: {}}]
                  networks: [{name: lan, multus: {networkName: lan}}]
              disks: [{name: root, size: 1G, source: {blank: {}}}]
            """;

    private final KubernetesSerialization json = new KubernetesSerialization();

    @Test
    void whatIsLeftOutHasTheDefaultsOfTheSchema() {
        ProtectedVMSpec spec = json.unmarshal(SMALLEST, ProtectedVM.class).getSpec();

        assertThat(spec.level()).isEqualTo(Level.ContinuousAvailability);
        assertThat(spec.running()).isTrue();
        assertThat(spec.placement()).isEqualTo(Placement.DEFAULT);
        assertThat(spec.recovery()).isEqualTo(Recovery.DEFAULT);
        assertThat(spec.checkpoint()).isEqualTo(Checkpoint.DEFAULT);
        assertThat(spec.template().spec().domain().cpu().count()).isEqualTo(1);
        assertThat(spec.template().spec().domain().memory().guestMib()).isEqualTo(256);
        assertThat(spec.template().spec().terminationGracePeriodSeconds()).isEqualTo(30);
        assertThat(spec.disks().getFirst().onDelete()).isEqualTo(MirroredDisk.OnDelete.Retain);
        assertThat(spec.disks().getFirst().source().blank()).isNotNull();
        assertThat(UnsupportedFields.find(spec.template())).isEmpty();
    }

    @Test
    void aDiskIsRoundedUpToWholeMebibytes() {
        MirroredDisk disk =
                json.unmarshal(SMALLEST, ProtectedVM.class).getSpec().disks().getFirst();

        assertThat(disk.sizeBytes()).isEqualTo(954L << 20);
    }

    @Test
    void durationsAreReadAndWritten() {
        String manifest = SMALLEST + "  recovery: {lease: 1s500ms, replaceLostCopyAfter: 1h30m}\n";

        ProtectedVM machine = json.unmarshal(manifest, ProtectedVM.class);

        assertThat(machine.getSpec().recovery().lease()).isEqualTo(Duration.ofMillis(1500));
        assertThat(json.asYaml(machine)).contains("lease: \"1s500ms\"", "replaceLostCopyAfter: \"1h30m\"");
    }

    @Test
    void whatWasReadIsWrittenAgain() {
        String manifest = SMALLEST.replace("domain:", "domain:\n        ioThreadsPolicy: auto");
        ProtectedVM machine = json.unmarshal(manifest, ProtectedVM.class);

        ProtectedVM again = json.unmarshal(json.asJson(machine), ProtectedVM.class);

        assertThat(again.getSpec()).isEqualTo(machine.getSpec());
        assertThat(again.getSpec().template().spec().domain().unsupported())
                .isEqualTo(Map.of("ioThreadsPolicy", "auto"));
    }

    @Test
    void everyUnsupportedFieldIsNamedByItsPath() {
        String manifest = SMALLEST.replace("spec:\n      domain:", "spec:\n      livenessProbe: {}\n      domain:")
                .replace(
                        "disks: [{name: root}]",
                        "gpus: []\n          disks: [{name: root, cache: none, disk: {readonly: true}}]")
                .replace("bridge: {}", "bridge: {foo: 1}");

        assertThat(UnsupportedFields.find(
                        json.unmarshal(manifest, ProtectedVM.class).getSpec().template()))
                .containsExactly(
                        "spec.template.spec.livenessProbe",
                        "spec.template.spec.domain.devices.gpus",
                        "spec.template.spec.domain.devices.disks[0].cache",
                        "spec.template.spec.domain.devices.disks[0].disk.readonly",
                        "spec.template.spec.domain.devices.interfaces[0].bridge.foo");
    }
}
