package dev.pairvm.operator.testing;

import dev.pairvm.api.v1alpha1.ProtectedVM;
import dev.pairvm.operator.desired.Installation;
import dev.pairvm.operator.desired.Machine;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.Optional;

/** Machines as users write them. */
public final class Machines {
    /** An installation on hosts with hardware virtualisation. */
    public static final Installation INSTALLATION = new Installation(
            "pairvm-system",
            "pairvm/mirror:dev",
            "pairvm/qemu:dev",
            "IfNotPresent",
            Installation.Accelerator.KVM,
            Optional.of("devices.kubevirt.io/kvm"),
            "pairvm-operator");

    private static final String ORDERS = """
            apiVersion: pairvm.dev/v1alpha1
            kind: ProtectedVM
            metadata:
              name: orders
              namespace: shop
              uid: 11111111-2222-3333-4444-555555555555
              generation: 1
            spec:
              level: ContinuousAvailability
              template:
                metadata:
                  labels: {tier: db}
                spec:
                  domain:
                    cpu: {cores: 2}
                    memory: {guest: 1Gi}
                    devices:
                      disks:
                      - {name: root, bootOrder: 1}
                      - {name: seed}
                      interfaces:
                      - {name: lan, bridge: {}}
                      - name: default
                        masquerade: {}
                        ports: [{name: http, port: 8080}]
                  networks:
                  - {name: lan, multus: {networkName: lan}}
                  - {name: default, pod: {}}
                  volumes:
                  - name: seed
                    cloudInitNoCloud: {userData: "#cloud-config"}
              disks:
              - name: root
                size: 10Gi
                volumeMode: Filesystem
                source: {blank: {}}
              placement: {preferredNode: n1, mirrorNetwork: mirror-net}
            """;

    private Machines() {}

    /** A machine {@code shop/orders} at ContinuousAvailability, one disk, a bridged and a masqueraded card, with a mirror network. */
    public static ProtectedVM orders() {
        return Serialization.unmarshal(ORDERS, ProtectedVM.class);
    }

    /** The same with texts of its manifest replaced: each by the next. */
    public static ProtectedVM orders(String... replacements) {
        String manifest = ORDERS;
        for (int i = 0; i < replacements.length; i += 2) {
            if (!manifest.contains(replacements[i])) {
                throw new IllegalArgumentException("the manifest has no \"" + replacements[i] + "\"");
            }
            manifest = manifest.replace(replacements[i], replacements[i + 1]);
        }
        return Serialization.unmarshal(manifest, ProtectedVM.class);
    }

    /** The same as the operator sees it. */
    public static Machine machine() {
        return Machine.of(orders());
    }
}
